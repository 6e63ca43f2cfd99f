#!/usr/bin/env python3
"""What a build folder of meson has for test suites.

Usage: suites.py present BUILD_DIR SUITE...   those that have a test
       suites.py targets BUILD_DIR SUITE...   what ninja must build for them

One name per line.
"""

import json
import os
import subprocess
import sys


def introspect(build, what):
    output = subprocess.run(["meson", "introspect", f"--{what}", build],
                            check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)


def suites_of(test):
    """Their names, without the project's."""
    return {suite.split(":")[-1] for suite in test["suite"]}


def present(build, suites):
    found = set()
    for test in introspect(build, "tests"):
        found |= suites_of(test)
    return [suite for suite in suites if suite in found]


def targets(build, suites):
    needed = set()
    for test in introspect(build, "tests"):
        if suites_of(test) & set(suites):
            needed |= set(test["depends"])
    return [os.path.relpath(file, build)
            for target in introspect(build, "targets")
            if target["id"] in needed
            for file in target["filename"]]


def main():
    commands = {"present": present, "targets": targets}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    for name in commands[sys.argv[1]](os.path.abspath(sys.argv[2]),
                                      sys.argv[3:]):
        print(name)


if __name__ == "__main__":
    main()
