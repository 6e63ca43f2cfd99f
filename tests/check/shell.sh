#!/usr/bin/env bash
# No shell script of the tree gives shellcheck a reason to complain.
set -eu

cd "$1"
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
command -v shellcheck >/dev/null 2>&1 || {
    echo "shellcheck is not installed"
    exit 77
}
[ -e .git ] || {
    echo "not a git checkout: nobody says which files to read"
    exit 77
}
# Scripts are known by their first line; sourced ones say so in a directive.
mapfile -t scripts < <(gw_files |
    while read -r name; do
        if [ -f "$name" ] && [ ! -L "$name" ] && head -n 2 "$name" |
            grep -qaE '^#!.*\b(ba|da|)sh$|shellcheck shell='; then
            printf '%s\n' "$name"
        fi
    done)
printf '%s\n' "${scripts[@]}"
[ ${#scripts[@]} -gt 0 ]
# SC1091: a file that is sourced on another machine.
exec shellcheck -e SC1091 "${scripts[@]}"
