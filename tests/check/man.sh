#!/usr/bin/env bash
# The man pages format without a warning.
set -eu

cd "$1"
command -v man >/dev/null 2>&1 || {
    echo "man is not installed"
    exit 77
}
status=0
for page in docs/man/*.[1-8]; do
    text=$(MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings=all -E UTF-8 -l -Tutf8 \
        "$page" 2>&1 >/dev/null) || status=1
    if [ -n "$text" ]; then
        printf '%s:\n%s\n' "$page" "$text"
        status=1
    fi
    # The first line of a page is what `man -k` shows.
    lexgrog "$page" || status=1
done
exit $status
