#!/usr/bin/env python3
"""What ./test asks a build folder for, with a meson that knows two suites."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.abspath(sys.argv.pop(1)),
                      "scripts", "suites.py")
TESTS = [{"name": "a", "suite": ["godwit:unit"], "depends": ["a@exe"]},
         {"name": "b", "suite": ["godwit:unit"], "depends": []},
         {"name": "c", "suite": ["godwit:fuzz"], "depends": ["c@exe", "s@cus"]}]


def ask(*words):
    """Exit status and lines."""
    with tempfile.TemporaryDirectory() as folder:
        build = os.path.join(folder, "build")
        targets = [{"id": name, "filename": [os.path.join(build, "sub", name)]}
                   for name in ("a@exe", "c@exe", "s@cus", "other@exe")]
        with open(os.path.join(folder, "meson"), "w",
                  encoding="utf-8") as meson:
            meson.write("#!/bin/sh\ncase $2 in\n"
                        f"--tests) echo '{json.dumps(TESTS)}' ;;\n"
                        f"--targets) echo '{json.dumps(targets)}' ;;\nesac\n")
        os.chmod(meson.name, 0o755)
        done = subprocess.run(
            [sys.executable, SCRIPT, *(build if word == "BUILD" else word
                                       for word in words)],
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            check=False)
    return done.returncode, done.stdout.splitlines()


class SuitesTest(unittest.TestCase):
    def test_present_keeps_the_order_asked_for(self):
        self.assertEqual(ask("present", "BUILD", "rig", "unit", "fuzz"),
                         (0, ["unit", "fuzz"]))
        self.assertEqual(ask("present", "BUILD", "fuzz", "unit"),
                         (0, ["fuzz", "unit"]))

    def test_targets_are_relative_to_the_build_folder(self):
        self.assertEqual(ask("targets", "BUILD", "unit"), (0, ["sub/a@exe"]))
        self.assertEqual(ask("targets", "BUILD", "fuzz", "rig"),
                         (0, ["sub/c@exe", "sub/s@cus"]))

    def test_wrong_use_is_an_error(self):
        self.assertNotEqual(ask("nonsense", "BUILD")[0], 0)
        self.assertNotEqual(ask("present")[0], 0)


if __name__ == "__main__":
    unittest.main()
