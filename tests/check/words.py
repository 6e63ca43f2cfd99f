#!/usr/bin/env python3
"""Names that the project must not carry: other people's hosts, own folders.

Hosts: an address in a tracked file may only point to the few places listed
below; package mirrors above all are taken from the machine's configuration
and never written down. Folders: no file names the folder in which the tree
happens to lie, nor a home folder.
"""

import os
import re
import subprocess
import sys

ALLOWED_HOSTS = re.compile(
    r"(^|\.)(example\.(com|org|net)|kernel\.org|qemu\.org|gnu\.org"
    r"|json-schema\.org|keepachangelog\.com|semver\.org|editorconfig\.org"
    r"|w3\.org|intel\.com|amd\.com|github\.com|gitlab\.com|localhost|127\.0\.0\.1)$")
ADDRESS = re.compile(r"\b(?:https?|ftp)://([A-Za-z0-9._-]+)")
# A mirror named without a scheme.
MIRROR = re.compile(r"\b(?:[a-z0-9-]+\.)+debian\.(?:org|net)\b")
HOME = re.compile(r"(?<![A-Za-z0-9_.}-])/(?:home|root|Users)/[a-z]")


def objections(text, top_parent):
    """What is wrong with one line."""
    for host in ADDRESS.findall(text):
        if not ALLOWED_HOSTS.search(host):
            yield f"address of the host {host}"
    for host in MIRROR.findall(text):
        yield f"name of the host {host}"
    if HOME.search(text):
        yield "path of a home folder"
    if len(top_parent) > 4 and top_parent + "/" in text:
        yield "path of the machine at hand"


def tracked_files(top):
    """All files that are, or are about to be, under version control."""
    names = subprocess.run(
        ["git", "-C", top, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], check=True, stdout=subprocess.PIPE).stdout
    return [os.fsdecode(name) for name in names.split(b"\0") if name]


def main():
    top = os.path.abspath(sys.argv[1])
    if not os.path.exists(os.path.join(top, ".git")):
        print("not a git checkout: nobody says which files to read")
        return 77
    count = problems = 0
    for name in tracked_files(top):
        path = os.path.join(top, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        if b"\0" in data:
            continue
        count += 1
        for number, line in enumerate(data.decode("utf-8").split("\n"), 1):
            for why in objections(line, os.path.dirname(top)):
                problems += 1
                print(f"{name}:{number}: {why}")
    print(f"{count} files read, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
