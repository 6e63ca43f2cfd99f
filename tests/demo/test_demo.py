#!/usr/bin/env python3
"""./demo does what it says, and leaves nothing behind: neither when it ends
by itself nor when it is interrupted.

Usage: test_demo.py SOURCE_DIR
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.abspath(sys.argv.pop(1))
SECONDS = 120


def processes_of(folder):
    """Ids of processes that were given a path inside the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if os.fsencode(folder) in file.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="gw-demo-")
        self.addCleanup(self.folder.cleanup)

    def start(self):
        return subprocess.Popen(
            ["./demo", "--no-setup", "--memory", "64"], cwd=TOP,
            env={**os.environ, "TMPDIR": self.folder.name},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def assert_nothing_left(self):
        until = time.monotonic() + 5
        while processes_of(self.folder.name) and time.monotonic() < until:
            time.sleep(0.05)
        self.assertEqual(processes_of(self.folder.name), [])
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_goes_on_at_the_next_tick(self):
        demo = self.start()
        text, _ = demo.communicate(timeout=SECONDS)
        self.assertEqual(demo.returncode, 0, text)
        saved, restored = map(int, re.search(
            r"^Saved at tick (\d+), went on at tick (\d+),", text,
            re.M).groups())
        self.assertEqual(restored, saved + 1)
        self.assertRegex(text, r"(?m)^  godwit run: accelerator (kvm|thread)")
        self.assertRegex(text, r"checked all pages=12288 errors=0")
        self.assertNotIn("\033", text)
        self.assertNotIn("\r", text)
        self.assert_nothing_left()

    def interrupt_at(self, title, number, seconds=0.2):
        demo = self.start()
        seen = []
        for line in demo.stdout:
            seen.append(line)
            if line.startswith(title):
                break
        else:
            self.fail("".join(seen))
        time.sleep(seconds)
        os.killpg(demo.pid, number)
        demo.communicate(timeout=SECONDS)
        self.assertEqual(demo.returncode, 128 + number)
        self.assert_nothing_left()

    def test_interrupt_while_the_guest_runs(self):
        self.interrupt_at("1. ", signal.SIGINT)

    def test_interrupt_while_saving(self):
        self.interrupt_at("2. ", signal.SIGINT, seconds=0.02)

    def test_interrupt_while_restoring(self):
        # On host threads the rest takes no longer than 0.2 s.
        self.interrupt_at("4. ", signal.SIGINT, seconds=0.02)

    def test_terminate(self):
        self.interrupt_at("1. ", signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
