#!/usr/bin/env bash
# The installed library as a stranger sees it: what is exported, whether the
# headers stand alone in C11 and C++17, whether pkg-config tells the truth,
# and whether the example builds and runs against it, shared and static.
#
# Usage: install.sh SOURCE_DIR BUILD_DIR     (TAP on standard output)
set -u

source=$1
build=$2
stage=$build/tests/install/stage
export DESTDIR=$stage
case_number=0

# tap NAME COMMAND…: one case; its output is shown when it fails.
tap()
{
    local name=$1 text

    shift
    case_number=$((case_number + 1))
    if text=$("$@" 2>&1); then
        echo "ok $case_number - $name"
    else
        echo "not ok $case_number - $name"
        printf '%s\n' "$text" | sed 's/^/# /'
    fi
}

install_all()
{
    rm -rf "$stage"
    meson install -C "$build" --no-rebuild
}

# found PATTERN: whether such a file was installed; prints it.
found()
{
    find "$stage" -path "*/$1" | grep .
}

pkg()
{
    local file

    file=$(found 'godwit.pc') || return 1
    PKG_CONFIG_PATH=$(dirname "$file") pkg-config \
        "--define-variable=prefix=$prefix" "$@" godwit
}

shared_library()
{
    found 'libgodwit.so' || return 1
}

exported()
{
    nm -D --defined-only "$(shared_library)" | awk '$2 != "A" { print $3 }'
}

only_gw_exported()
{
    local names

    names=$(exported) || return 1
    # shellcheck disable=SC2086 # one name per line
    printf '%s\n' $names | grep -v '^gw_[a-z0-9_]*@@GODWIT_[0-9.]*$' && return 1
    [ -n "$names" ]
}

# Functions that the headers declare, one per line: GW_API … gw_name(
declared()
{
    cat "$stage"/usr/local/include/godwit/*.h |
        tr '\n' ' ' | grep -oE 'GW_API [^;(]*\b(gw_[a-z0-9_]+)\(' |
        grep -oE 'gw_[a-z0-9_]+\($' | tr -d '(' | sort
}

# What the headers promise is there, and nothing else is.
exports_are_the_headers()
{
    diff <(declared) <(exported | sed 's/@.*//' | sort)
}

static_names()
{
    local names

    names=$(nm -g --defined-only "$(found 'libgodwit.a')" |
        awk 'NF == 3 { print $3 }') || return 1
    printf '%s\n' "$names" | grep -v '^gw_' && return 1
    [ -n "$names" ]
}

soname()
{
    readelf -d "$(shared_library)" | grep -F 'soname: [libgodwit.so.0]'
}

header_alone()
{
    local compiler=$1 language=$2 standard=$3 header=$4

    # A file without any declaration is not C, strictly speaking.
    printf '%s\n' "#include <godwit/$header>" 'extern int not_empty;' |
        "$compiler" -x "$language" "-std=$standard" -pedantic -Wall -Wextra \
            -Werror -fsyntax-only "-I$prefix/include" -
}

build_shared()
{
    # shellcheck disable=SC2046 # a list of options
    cc -std=c11 -pedantic -Wall -Wextra -Werror -o "$stage/minimal" \
        "$source/examples/minimal.c" $(pkg --cflags --libs)
}

build_static()
{
    # shellcheck disable=SC2046
    cc -std=c11 -pedantic -Wall -Wextra -Werror -o "$stage/minimal-static" \
        "$source/examples/minimal.c" $(pkg --cflags --libs --static |
        sed 's/-lgodwit\b/-l:libgodwit.a/') || return 1
    ldd "$stage/minimal-static" | grep libgodwit && return 1
    return 0
}

# The example saves into the file it is given and loads from it.
run_example()
{
    local program=$1 file=$stage/minimal.mig

    rm -f "$file"
    LD_LIBRARY_PATH=$(dirname "$(shared_library)") \
        timeout 60 "$program" "file:$file" && [ -s "$file" ]
}

example_is_short()
{
    [ -s "$source/examples/minimal.c" ] &&
        [ "$(wc -l <"$source/examples/minimal.c")" -lt 80 ]
}

program_runs()
{
    local program

    program=$(found 'bin/godwit') || return 1
    LD_LIBRARY_PATH=$(dirname "$(shared_library)") "$program" --version
}

man_pages()
{
    local page

    for page in "$source"/docs/man/*.[1-8]; do
        found "man*/$(basename "$page")" || return 1
    done
}

# Loaded by name, by a shell that has not heard of it.
completion()
{
    local file

    file=$(found 'share/bash-completion/completions/godwit') || return 1
    # shellcheck disable=SC2016 # expanded by the other shell
    bash -c '. "$1" && complete -p godwit' bash "$file"
}

headers_are_complete()
{
    diff <(cd "$source/include/godwit" && ls) <(cd "$prefix/include/godwit" && ls)
}

prefix=$stage/usr/local
tap 'meson install' install_all
tap 'all headers are installed' headers_are_complete
tap 'only versioned gw_ names are exported' only_gw_exported
tap 'the exports are what the headers declare' exports_are_the_headers
tap 'the static library has only gw_ names' static_names
tap 'the soname carries the version' soname
for path in "$prefix"/include/godwit/*.h; do
    header=$(basename "$path")
    tap "$header alone as C11" header_alone gcc c c11 "$header"
    tap "$header alone as C++17" header_alone g++ c++ c++17 "$header"
done
tap 'pkg-config knows the version' pkg --exact-version=0.1.0
tap 'the example builds, shared' build_shared
tap 'the example runs, shared' run_example "$stage/minimal"
tap 'the example builds, static' build_static
tap 'the example runs, static' run_example "$stage/minimal-static"
tap 'the example is shorter than 80 lines' example_is_short
tap 'the program is installed and runs' program_runs
tap 'the man pages are installed' man_pages
tap 'the completion is installed and loads' completion
echo "1..$case_number"
