#!/usr/bin/env python3
"""The summary of ./test counts what happened."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.abspath(sys.argv.pop(1)),
                      "scripts", "testlog.py")


def summary(*tests, extra=()):
    """Exit status and lines of the summary of one log."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        for name, result, text in tests:
            log.write(json.dumps({"name": name, "result": result,
                                  "stdout": text}) + "\n")
        log.flush()
        done = subprocess.run([sys.executable, SCRIPT, *extra, "a=" + log.name],
                              stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


class SummaryTest(unittest.TestCase):
    def test_plain_programs_count_once(self):
        self.assertEqual(summary(("x", "OK", "1 of 3\n"), ("y", "OK", "")),
                         (0, ["2 passed, 0 failed"]))

    def test_cases_of_tap_count_one_by_one(self):
        tap = "1..3\nok 1 - one\nnot ok 2 - two\nok 3 - three # SKIP no kvm\n"
        status, lines = summary(("x", "FAIL", tap))
        self.assertEqual(status, 1)
        self.assertEqual(lines, ["skipped  a: x: three: no kvm",
                                 "failed   a: x: two",
                                 "1 passed, 1 failed, 1 skipped"])

    def test_a_crash_after_good_cases_is_a_failure(self):
        status, lines = summary(("x", "ERROR", "1..2\nok 1 - one\n"))
        self.assertEqual(status, 1)
        self.assertEqual(lines, ["failed   a: x: error",
                                 "1 passed, 1 failed"])

    def test_a_failure_has_the_words_of_who_found_it(self):
        for text in ("ok one\nFAILED two: it is late\nok three\n",
                     "#1 INITED\nx.c:9: runtime error: signed overflow\n",
                     "x\nSUMMARY: ThreadSanitizer: data race x.c:3 in y\n"):
            why = [line for line in text.splitlines()
                   if line.startswith(("FAILED", "x.c", "SUMMARY"))][0]
            self.assertEqual(summary(("x", "FAIL", text)),
                             (1, [f"failed   a: x: {why}",
                                  "0 passed, 1 failed"]))

    def test_timeout_is_a_failure(self):
        status, lines = summary(("x", "TIMEOUT", ""))
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"))

    def test_reason_of_a_skip_is_the_last_line(self):
        self.assertEqual(summary(("x", "SKIP", "looking\nno qemu\n\n")),
                         (0, ["skipped  a: x: no qemu",
                              "0 passed, 0 failed, 1 skipped"]))

    def test_a_missing_log_is_a_failure(self):
        done = subprocess.run([sys.executable, SCRIPT, "a=/nonexistent"],
                              stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed")

    def test_a_damaged_log_is_a_failure(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
            log.write('{"name": "x", "result": "OK", "stdout": ""}\n{"na')
            log.flush()
            done = subprocess.run(
                [sys.executable, SCRIPT, "a=" + log.name],
                stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 1 failed")

    def test_failures_elsewhere_are_added(self):
        status, lines = summary(("x", "OK", ""), extra=("--also-failed", "2"))
        self.assertEqual((status, lines), (1, ["1 passed, 2 failed"]))


if __name__ == "__main__":
    unittest.main()
