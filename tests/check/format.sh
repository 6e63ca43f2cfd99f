#!/usr/bin/env bash
# The layout of all C files is what clang-format makes of them.
set -eu

cd "$1"
command -v clang-format >/dev/null 2>&1 || {
    echo "clang-format is not installed"
    exit 77
}
[ -e .git ] || {
    echo "not a git checkout: nobody says which files to read"
    exit 77
}
if ! text=$(scripts/format --check 2>&1); then
    printf '%s\n' "$text" | sed -n 's/:[0-9]*:[0-9]*: error: .*//p' | uniq -c
    echo "run: scripts/format"
    exit 1
fi
