#!/usr/bin/env python3
"""Counts results in meson's logs, and names what failed or was skipped.

Usage: testlog.py [--also-failed N] LABEL=TESTLOG.json ...

Prints the failed and the skipped ones with their reasons, and at the end the
line "N passed, N failed, N skipped". A program that speaks TAP counts once for
each of its cases, another one once.
"""

import argparse
import json
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok\b[ \d]*-? *(.*?)(?: # (SKIP|TODO)\b ?(.*))?$",
                      re.I)
GOOD = {"OK", "EXPECTEDFAIL"}
# Lines in which a test, a sanitizer or a fuzzer says what is wrong.
REASON = re.compile(r"^FAILED |runtime error: |^SUMMARY: |ERROR: \w+Sanitizer|"
                    r"ERROR: libFuzzer|^\w*Error: |: error: ")


class Tally:
    """What is known so far over all logs."""

    def __init__(self, also_failed):
        self.also_failed = also_failed
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, label, test):
        """Counts one program of a log."""
        name = f"{label}: {test['name']}"
        result = test["result"]
        text = test.get("stdout", "")
        if result == "SKIP":
            self.skipped.append((name, last_line(text) or "no reason given"))
            return
        passed, failed, skipped = cases(text)
        self.passed += len(passed)
        self.skipped += [(f"{name}: {case}", why) for case, why in skipped]
        self.failed += [(f"{name}: {case}", "") for case in failed]
        if result not in GOOD and not failed:
            self.failed.append((name, reason(test) or result.lower()))
        elif result in GOOD and not passed and not skipped:
            self.passed += 1

    def n_failed(self):
        return len(self.failed) + self.also_failed

    def report(self):
        for name, why in self.skipped:
            print(f"skipped  {name}: {why}")
        for name, why in self.failed:
            print(f"failed   {name}" + (f": {why}" if why else ""))
        line = f"{self.passed} passed, {self.n_failed()} failed"
        if self.skipped:
            line += f", {len(self.skipped)} skipped"
        print(line)


def cases(text):
    """The cases of TAP output: passed, failed, and skipped with reasons."""
    passed, failed, skipped = [], [], []
    if not re.search(r"^1\.\.\d+", text, re.M):
        return passed, failed, skipped
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if not match:
            continue
        bad, case, directive, why = match.groups()
        if directive and directive.upper() == "SKIP":
            skipped.append((case, why or "no reason given"))
        elif bad:
            failed.append(case)
        else:
            passed.append(case)
    return passed, failed, skipped


def reason(test):
    """The first line that says what is wrong, or ""."""
    for stream in ("stdout", "stderr"):
        for line in test.get(stream, "").splitlines():
            if REASON.search(line):
                return line.strip()
    return ""


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def main():
    parser = argparse.ArgumentParser(description="counts meson's results")
    parser.add_argument("--also-failed", type=int, default=0, metavar="N",
                        help="failures that happened outside of the tests")
    parser.add_argument("logs", nargs="*", metavar="LABEL=FILE")
    options = parser.parse_args()
    tally = Tally(options.also_failed)
    for argument in options.logs:
        label, _, path = argument.partition("=")
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    tally.add(label, json.loads(line))
        except FileNotFoundError:
            tally.failed.append((label, "the tests did not run"))
        except ValueError:
            tally.failed.append((label, f"{path} is damaged"))
    tally.report()
    return 1 if tally.n_failed() else 0


if __name__ == "__main__":
    sys.exit(main())
