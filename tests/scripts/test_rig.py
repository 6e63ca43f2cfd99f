#!/usr/bin/env python3
"""tests/rig/run when the emulator of level 1 crashes; a script stands for it."""

import os
import subprocess
import sys
import tempfile
import unittest

RIG = os.path.join(os.path.abspath(sys.argv.pop(1)), "tests", "rig", "run")
# Writes each start down; the first ones abort, then a result comes.
EMULATOR = """#!/bin/sh
case $1 in
--version) echo "QEMU emulator version 10.0.0"; exit ;;
esac
echo start >>"$HERE/starts"
if [ "$(wc -l <"$HERE/starts")" -le "$CRASHES" ]; then
    echo "assertion failed"
    kill -$SIGNAL $$
fi
for word; do
    case $word in
    file=*) image=${word#file=}; image=${image%%,*} ;;
    esac
done
echo "$STATUS" >"$HERE/status"
tar -cf "$image" -C "$HERE" status
"""


def run(crashes, signal="ABRT", status=0):
    """Exit status, output, and how often level 1 was started."""
    with tempfile.TemporaryDirectory() as folder:
        emulator = os.path.join(folder, "emulator")
        script = os.path.join(folder, "script")
        with open(emulator, "w", encoding="ascii") as file:
            file.write(EMULATOR)
        os.chmod(emulator, 0o755)
        with open(script, "w", encoding="ascii"):
            pass
        done = subprocess.run(
            [sys.executable, RIG, "shell-script", script, "--level1", "yes",
             "--timeout", "60", "--build", folder,
             "--out", os.path.join(folder, "out")],
            env=os.environ | {"GODWIT_QEMU": emulator, "HERE": folder,
                              "CRASHES": str(crashes), "SIGNAL": signal,
                              "STATUS": str(status)},
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=100, check=False)
        with open(os.path.join(folder, "starts"), encoding="ascii") as file:
            starts = len(file.readlines())
        return done.returncode, done.stdout, starts


class Rig(unittest.TestCase):
    def test_a_result(self):
        self.assertEqual(run(0)[::2], (0, 1))
        self.assertEqual(run(0, status=3)[::2], (3, 1))

    def test_a_crash_is_told_and_tried_again(self):
        for signal in ("ABRT", "SEGV"):
            status, out, starts = run(1, signal)
            self.assertEqual((status, starts), (0, 2))
            self.assertIn(f"crashed (SIG{signal})", out)
            self.assertIn("assertion failed", out)

    def test_what_fails_is_not_tried_again(self):
        self.assertEqual(run(1, status=1)[::2], (1, 2))
        # Killed from outside: no crash.
        status, out, starts = run(1, "KILL")
        self.assertEqual((status, starts), (125, 1))
        self.assertIn("brought no results back", out)

    def test_two_crashes_are_a_failure(self):
        status, out, starts = run(9)
        self.assertEqual((status, starts), (125, 2))
        self.assertIn("crashed again (SIGABRT)", out)


if __name__ == "__main__":
    unittest.main()
