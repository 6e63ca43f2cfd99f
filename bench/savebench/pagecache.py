"""Files and the page cache."""

import os
import subprocess


def resident(path):
    """Bytes of a file that are in the page cache."""
    out = subprocess.run(
        ["fincore", "--bytes", "--noheadings", "--output", "RES", path],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return int(out)


def flush(path):
    """Waits until a file is on the device."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def drop(path):
    """Drops a file from the page cache, and makes sure that it is out."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    left = resident(path)
    if left:
        raise RuntimeError(f"{left} bytes of {path} stay in the page cache")
