# Helpers shared by the project's shell scripts. Sourced, never run.
# shellcheck shell=bash
#
# Messages go to standard error, so that a function's result can be taken from
# its standard output.

GW_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shellcheck source=scripts/lib-apt.sh
. "$GW_TOP/scripts/lib-apt.sh"

# gw_colour NAME: the escape sequence of a colour, nothing into a pipe.
gw_colour()
{
    [ -t 1 ] && [ -t 2 ] && [ -z "${NO_COLOR:-}" ] || return 0
    case $1 in
    bold) printf '\033[1m' ;;
    red) printf '\033[31m' ;;
    green) printf '\033[32m' ;;
    yellow) printf '\033[33m' ;;
    dim) printf '\033[2m' ;;
    off) printf '\033[0m' ;;
    esac
}

gw_say()
{
    printf '%s\n' "$*" >&2
}

gw_die()
{
    printf '%s%s: %s%s\n' "$(gw_colour red)" "${0##*/}" "$*" \
        "$(gw_colour off)" >&2
    exit 1
}

# gw_as_root COMMAND…: runs it as root, through sudo where need be.
gw_as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

gw_can_be_root()
{
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    # Without a terminal nobody can type the password.
    [ -t 0 ] || sudo -n true 2>/dev/null
}

# gw_cache_dir: the folder for what is fetched once and used by every build.
gw_cache_dir()
{
    local dir=${XDG_CACHE_HOME:-${HOME:-$GW_TOP/build}/.cache}/godwit

    dir=${GODWIT_TEST_CACHE:-$dir}
    mkdir -p "$dir" || return 1
    printf '%s\n' "$dir"
}

# gw_files [PATTERN…]: the project's files, also those that are about to be; as
# any user, whoever owns the checkout. Fails where there is no checkout.
gw_files()
{
    [ -e "$GW_TOP/.git" ] || return 1
    git -C "$GW_TOP" -c "safe.directory=*" ls-files --cached --others \
        --exclude-standard -- "$@"
}

# gw_qemu_major [PROGRAM]: the major version of QEMU, 0 where there is none.
gw_qemu_major()
{
    local program=${1:-qemu-system-x86_64} text

    text=$("$program" --version 2>/dev/null | head -n 1) || true
    text=${text##*version }
    text=${text%%.*}
    case $text in
    '' | *[!0-9]*) echo 0 ;;
    *) echo "$text" ;;
    esac
}

# gw_kernel_dir [PACKAGE]: prints the folder into which Debian's kernel package
# was unpacked (boot/vmlinuz-VERSION, lib/modules/VERSION); fetches it at first
# use. Nothing is installed on the machine. PACKAGE is the unversioned name,
# linux-image-cloud-amd64 unless told. GODWIT_KERNEL_DIR overrides all of it.
gw_kernel_dir()
{
    local package=${1:-linux-image-cloud-amd64} base dir

    if [ -n "${GODWIT_KERNEL_DIR:-}" ]; then
        printf '%s\n' "$GODWIT_KERNEL_DIR"
        return 0
    fi
    base=$(gw_cache_dir)/kernel || return 1
    mkdir -p "$base" || return 1
    dir=$base/$package
    if [ ! -e "$dir/version" ]; then
        (
            # Two tests that start together share one download.
            flock 9 || exit 1
            [ -e "$dir/version" ] || gw_kernel_fetch "$package" "$dir"
        ) 9>"$base/.lock" || return 1
    fi
    printf '%s\n' "$dir"
}

# gw_kernel_version DIR: the version of the kernel in a folder of gw_kernel_dir.
gw_kernel_version()
{
    local image

    for image in "$1"/boot/vmlinuz-*; do
        [ -e "$image" ] || return 1
        printf '%s\n' "${image##*/vmlinuz-}"
        return 0
    done
}

# gw_kernel_fetch PACKAGE DIR: downloads and unpacks; DIR appears when complete.
gw_kernel_fetch()
{
    local package=$1 dir=$2 versioned

    (
        set -e
        scratch=$(mktemp -d)
        chmod 755 "$scratch"
        trap 'rm -rf "$scratch"' EXIT
        gw_say "fetching the kernel package $package (once, about 30 MB) ..."
        gw_apt_scratch_new "$scratch"
        versioned=$(gw_apt_cache "$scratch" depends --important "$package" |
            sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
        [ -n "$versioned" ] ||
            gw_die "the package lists do not know a kernel package $package"
        mkdir "$scratch/deb" "$scratch/tree"
        chmod 777 "$scratch/deb"
        (cd "$scratch/deb" && gw_apt_get "$scratch" -q download "$versioned") \
            >"$scratch/log" 2>&1 || {
            tail -n 5 "$scratch/log" >&2
            gw_die "cannot download $versioned"
        }
        dpkg -x "$scratch"/deb/*.deb "$scratch/tree"
        printf '%s\n' "$versioned" >"$scratch/tree/version"
        rm -rf "$dir.new" "$dir"
        cp -a "$scratch/tree" "$dir.new"
        chmod 755 "$dir.new"
        mv "$dir.new" "$dir"
    )
}
