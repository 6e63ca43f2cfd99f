"""Guest memory with a known profile, as a file that a VMM maps."""

import errno
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
    "linux": "RAM of a Linux guest that booted and worked on files",
}
MEAN_CLUSTER = 136


def _dense(n_pages, _rng):
    yield 0, n_pages


def _scattered(n_pages, rng):
    for page in range(n_pages):
        if rng.random() >= 0.20:
            yield page, 1


def clusters(n_pages, rng, one_of):
    """Runs of data, so that one page of `one_of` has some."""
    page = rng.randrange(16)
    while page < n_pages:
        run = min(rng.randint(16, 256), n_pages - page)
        yield page, run
        page += run + rng.randint(0, 2 * (one_of - 1) * MEAN_CLUSTER)


def _sparse(n_pages, rng):
    return clusters(n_pages, rng, 20)


_RUNS = {"dense": _dense, "scattered": _scattered, "sparse": _sparse}


def make(path, profile, size, linux=None, seed=1):
    """Writes the file; returns the number of its pages with data. `linux` is
    the raw RAM that the profile of that name repeats."""
    if profile == "linux":
        return _repeat(linux, path, size)
    with open(path, "wb", buffering=0) as file:
        file.truncate(size)
        if profile == "scattered":
            _write_zeros(file.fileno(), size)
        return write_runs(
            file.fileno(), _RUNS[profile](size // PAGE, random.Random(seed))
        )


def write_runs(fd, runs):
    """Fills (page, number of pages) with random bytes; returns how many."""
    n_data = 0
    for page, run in runs:
        n_data += run
        _write_random(fd, page * PAGE, run * PAGE)
    return n_data


def _write_zeros(fd, size):
    zeros = bytes(PIECE)
    for offset in range(0, size, PIECE):
        os.pwrite(fd, zeros[: size - offset], offset)


def _repeat(source, path, size):
    """The contents of `source` again and again, up to `size`."""
    n_data = 0
    zero = bytes(PAGE)
    length = os.path.getsize(source)
    with open(source, "rb", buffering=0) as a, open(
        path, "wb", buffering=0
    ) as b:
        b.truncate(size)
        for start, end in data_ranges(a.fileno(), length):
            for base in range(0, size, length):
                last = min(base + end, size) - base
                _copy_range(a.fileno(), b.fileno(), start, last, base)
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            n_data += sum(
                piece[offset : offset + PAGE] != zero
                for offset in range(0, len(piece), PAGE)
            )
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
        for start, end in data_ranges(a.fileno(), size):
            _copy_range(a.fileno(), b.fileno(), start, end)


def data_ranges(fd, size):
    """(start, end) of what is not a hole."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # nothing but a hole up to the end
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


def _copy_range(source, target, start, end, base=0):
    while start < end:
        piece = os.pread(source, min(PIECE, end - start), start)
        os.pwrite(target, piece, base + start)
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
