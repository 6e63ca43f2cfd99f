"""Guest memory with a known profile, as a file that a VMM maps."""

import os
import random
import subprocess

PAGE = 4096
PIECE = 4 << 20

# What each profile stands for; the order of the table.
PROFILES = {
    "dense": "every page random data",
    "scattered": "20 % zero pages, each by chance, that the guest has touched",
    "sparse": "95 % never touched, data in clusters of 16 to 256 pages",
}


def _dense(n_pages, _rng):
    yield 0, n_pages


def _scattered(n_pages, rng):
    for page in range(n_pages):
        if rng.random() >= 0.20:
            yield page, 1


def _sparse(n_pages, rng):
    """Runs of data with gaps between them of nineteen times their mean."""
    page = rng.randrange(16)
    while page < n_pages:
        run = min(rng.randint(16, 256), n_pages - page)
        yield page, run
        page += run + rng.randint(0, 2 * 19 * 136)


_RUNS = {"dense": _dense, "scattered": _scattered, "sparse": _sparse}


def make(path, profile, size, seed=1):
    """Writes the file; returns the number of its pages with data."""
    n_data = 0
    with open(path, "wb", buffering=0) as file:
        file.truncate(size)
        if profile == "scattered":
            os.pwrite(file.fileno(), bytes(size), 0)
        for page, run in _RUNS[profile](size // PAGE, random.Random(seed)):
            n_data += run
            _write_random(file.fileno(), page * PAGE, run * PAGE)
    return n_data


def _write_random(fd, offset, size):
    while size:
        piece = min(size, PIECE)
        os.pwrite(fd, os.urandom(piece), offset)
        offset += piece
        size -= piece


def make_empty(path, size):
    """A file of one hole: memory that nobody has written."""
    with open(path, "wb") as file:
        file.truncate(size)


def fill(source, target):
    """Makes `target` equal to `source` in place, holes included."""
    size = os.path.getsize(source)
    subprocess.run(
        ["fallocate", "--punch-hole", "--length", str(size), target],
        check=True,
    )
    with open(source, "rb", buffering=0) as a, open(
        target, "r+b", buffering=0
    ) as b:
        offset = 0
        while offset < size:
            try:
                start = os.lseek(a.fileno(), offset, os.SEEK_DATA)
            except OSError:
                return  # nothing but a hole up to the end
            offset = os.lseek(a.fileno(), start, os.SEEK_HOLE)
            _copy_range(a.fileno(), b.fileno(), start, offset)


def _copy_range(source, target, start, end):
    while start < end:
        piece = os.pread(source, min(PIECE, end - start), start)
        os.pwrite(target, piece, start)
        start += len(piece)


def differing_pages(path_a, path_b):
    """The number of pages that are not equal."""
    n_pages = 0
    with open(path_a, "rb", buffering=0) as a, open(
        path_b, "rb", buffering=0
    ) as b:
        while True:
            piece_a = a.read(PIECE)
            piece_b = b.read(PIECE)
            if piece_a != piece_b:
                n_pages += _count(piece_a, piece_b)
            if not piece_a and not piece_b:
                return n_pages


def _count(a, b):
    return sum(
        a[offset : offset + PAGE] != b[offset : offset + PAGE]
        for offset in range(0, max(len(a), len(b)), PAGE)
    )


def allocated(path):
    """Bytes that really have pages behind them."""
    return os.stat(path).st_blocks * 512
