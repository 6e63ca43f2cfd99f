"""What the file system can do at best, measured with fio in the same run.

io_uring, blocks of 1 MiB, 16 of them in flight, over as many bytes as the
guest has memory. A write starts with no file and ends when the file is
flushed, as a save does. Direct writes are measured with the file allocated
before and not, and the faster one is the limit.
"""

import json
import os
import shutil
import statistics
import subprocess

from . import pagecache

ALLOCATIONS = {True: ("none", "native"), False: ("none",)}  # by direct


def available():
    """Whether fio is there."""
    return shutil.which("fio") is not None


def version():
    """What fio calls itself."""
    return subprocess.run(
        ["fio", "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def _fio(path, what, size, direct, allocation):
    """Bytes per second."""
    done = subprocess.run(
        [
            *("fio", "--name=limit", "--filename=" + path, "--rw=" + what),
            *("--ioengine=io_uring", "--bs=1M", "--iodepth=16"),
            f"--size={size}",
            f"--direct={int(direct)}",
            *("--fallocate=" + allocation, "--end_fsync=1"),
            *("--output-format=json", "--eta=never"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=os.path.dirname(path),
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError("fio: " + done.stderr.decode().strip())
    result = json.loads(done.stdout)["jobs"][0][what]
    return result["io_bytes"] * 1000 / result["runtime"]


class Limits:
    """Speeds of one directory, asked for again and again while it is used."""

    def __init__(self, directory, size, in_memory):
        self._path = os.path.join(directory, "limit")
        self._size = size
        self._in_memory = in_memory
        self._speeds = {}

    def measure(self):
        """One more round of each."""
        for direct in (True, False):
            for allocation in ALLOCATIONS[direct]:
                self._measure(direct, allocation)

    def _measure(self, direct, allocation):
        try:
            for what in ("write", "read"):
                if what == "read" and not self._in_memory:
                    pagecache.drop(self._path)
                speed = _fio(self._path, what, self._size, direct, allocation)
                key = (what, direct, allocation)
                self._speeds.setdefault(key, []).append(speed)
        finally:
            if os.path.exists(self._path):
                os.unlink(self._path)

    def summary(self):
        """{"write direct": {...}, ...}: speeds in GiB/s."""
        return {
            f"{what} {'direct' if direct else 'buffered'}": self._best(
                what, direct
            )
            for what in ("write", "read")
            for direct in (True, False)
        }

    def _best(self, what, direct):
        speeds = {
            a: [speed / 2**30 for speed in self._speeds[(what, direct, a)]]
            for a in ALLOCATIONS[direct]
        }
        best = max(speeds, key=lambda a: statistics.median(speeds[a]))
        return {
            "gib_per_s": statistics.median(speeds[best]),
            "min": min(speeds[best]),
            "max": max(speeds[best]),
            "allocation": best,
            "all": speeds,
        }
