"""Has a virtual host hand out its memory and its disk before the clock runs.

A virtual machine's memory is often given to it page by page when each is
touched for the first time, at microseconds a page; whoever comes first would
pay for all.
"""

import mmap
import os

from . import pagecache

PIECE = 64 << 20
FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE


def touch_memory(size):
    """Touches as many bytes at once, and gives them back."""
    held = []
    for offset in range(0, size, PIECE):
        held.append(mmap.mmap(-1, min(PIECE, size - offset), flags=FLAGS))
    for piece in held:
        piece.close()


def touch_disk(directory, size):
    """Writes a file of that size and reads it."""
    path = os.path.join(directory, "warm-up")
    piece = os.urandom(1 << 20)
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(0, size, len(piece)):
                file.write(piece)
        pagecache.flush(path)
        with open(path, "rb", buffering=0) as file:
            while file.read(len(piece)):
                pass
    finally:
        os.unlink(path)
