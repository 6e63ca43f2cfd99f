#!/usr/bin/env bash
# The field macros of <godwit/vmstate.h>: good tables compile in C11 and
# C++17 without a warning, tables that don't fit the struct don't compile.
#
# Usage: vmstate-macros.sh SOURCE_DIR CC...    (TAP on standard output)
set -u

source=$1
shift
cc=("$@")
number=0
warnings=(-Wall -Wextra -Wpedantic -Werror -Wcast-qual -Wshadow)
input=$source/tests/unit/data/vmstate-macros.c

compile()
{
    "$@" "-I$source/include" -fsyntax-only "$input" 2>&1
}

# result NAME OK: one line of TAP.
result()
{
    number=$((number + 1))
    if [ "$2" = 0 ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
    fi
}

good()
{
    local name=$1 text

    shift
    text=$(compile "$@")
    result "$name" $?
    [ -z "$text" ] || printf '%s\n' "$text" | sed 's/^/# /'
}

# bad FIELD: the same table with this field more.
bad()
{
    local refused=0

    if compile "${cc[@]}" -std=c11 -w "-DBAD=$1" >/dev/null; then
        refused=1
    fi
    result "refused: $1" "$refused"
}

good "C11" "${cc[@]}" -std=c11 "${warnings[@]}"
if command -v c++ >/dev/null; then
    good "C++17" c++ -std=c++17 -x c++ "${warnings[@]}"
else
    number=$((number + 1))
    echo "ok $number - C++17 # SKIP no C++ compiler"
fi

# One that fits: the refusals below are not because of the way of asking.
good "accepted: GW_FIELD_U8(S, u8)" "${cc[@]}" -std=c11 \
    '-DBAD=GW_FIELD_U8(S, u8)'
bad 'GW_FIELD_U8(S, u16)'
bad 'GW_FIELD_I32(S, u32)'
bad 'GW_FIELD_U64(S, d)'
bad 'GW_FIELD_U32(S, row)'
bad 'GW_FIELD_U32(S, nothing)'
bad 'GW_FIELD_U32_ARRAY(S, word_pointer)'
bad 'GW_FIELD_U8_ARRAY(S, byte_pointer)'
bad 'GW_FIELD_U16_ARRAY(S, row)'
bad 'GW_FIELD_U32_SUB_ARRAY(S, row, 2, 3)'
bad 'GW_FIELD_VARRAY(S, row, U32, u64)'
bad 'GW_FIELD_VARRAY_PTR(S, row, U32, u8, 4)'
bad 'GW_FIELD_VARRAY_ALLOC(S, byte_pointer, U32, u8, 4)'
bad 'GW_FIELD_PTR_ARRAY(S, row, U32)'
bad 'GW_FIELD_BUFFER(S, row)'
bad 'GW_FIELD_BITMAP(S, bits, 129)'
bad 'GW_FIELD_BITMAP(S, row, 32)'
bad 'GW_FIELD_TIMER(S, d)'
bad 'GW_FIELD_DOUBLE(S, u64)'
bad 'GW_FIELD_STRUCT(S, u8, inner, struct inner)'
bad 'GW_FIELD_STRUCT_ARRAY(S, in_pointers, inner, struct inner)'
bad 'GW_FIELD_STRUCT_PTR(S, in, inner, struct inner)'
bad 'GW_FIELD_STRUCT_PTR_ARRAY(S, ins, inner, struct inner)'
bad 'GW_FIELD_LIST(S, in, inner, struct inner, link, 1, 0)'
bad 'GW_FIELD_LIST(S, list, inner, struct inner, a, 1, 0)'
echo "1..$number"
