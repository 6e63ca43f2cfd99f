"""What the test programs share: steps with names, times and one verdict."""

import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tools"))

from qemustream import Stream, compare  # noqa: E402


def same(what, have, want):
    if have != want:
        raise AssertionError(f"{what}: {have!r}, expected {want!r}")


def same_guest(what, one, two, **options):
    """Both files hold the same RAM and the same device sections."""
    lines = compare.differences(Stream.open(one), Stream.open(two), **options)
    if lines:
        raise AssertionError(f"{what}: " + "; ".join(line[:300] for line in lines[:12]))


def main(steps):
    """Run (name, function) pairs; exit status 1 if any fails.

    A program whose time has run out ends the machines that it has started.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = 0
    for name, step in steps:
        start = time.monotonic()
        try:
            step()
            verdict = "ok"
        except Exception as error:  # any trouble is a failed step
            failed += 1
            verdict = f"FAILED: {type(error).__name__}: {error}"
            if os.environ.get("GODWIT_TEST_TRACE"):
                traceback.print_exc()
        print(f"{name}: {verdict} ({time.monotonic() - start:.1f} s)",
              flush=True)
    return 1 if failed else 0
