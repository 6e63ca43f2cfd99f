"""What one row of the table measures, and which rows a run has."""

import dataclasses
import os

GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Way:
    """How memory goes to the file."""

    format: str  # "mapped" or "plain"
    channels: int  # of multifd; 0: without multifd
    direct: bool  # direct-io

    def __str__(self):
        return (
            f"{self.format} {self.channels or '-'} "
            f"{'direct' if self.direct else 'buffered'}"
        )


@dataclasses.dataclass(frozen=True)
class Case:
    """A profile of memory, a way, and where the file lies."""

    size: int  # bytes of guest memory
    directory: str
    profile: str
    way: Way


MAIN = Way("mapped", 2, True)
PLAIN = Way("plain", 0, False)
SINGLE = Way("mapped", 0, False)

# The sensible subset: every profile at its best, and beside it what differs
# from that in one thing.
DEFAULT = {
    "dense": (MAIN, Way("mapped", 8, True), SINGLE, PLAIN),
    "scattered": (MAIN,),
    "sparse": (MAIN, SINGLE),
    "linux": (MAIN, PLAIN),
}
QUICK = {
    "scattered": (MAIN, PLAIN),
    "sparse": (SINGLE, MAIN),
}


def every_way(formats, channels, modes):
    """All that both programs can do: a plain file has one buffered channel,
    so does QEMU's mapped file without multifd, whatever direct-io says."""
    if "mapped" in formats:
        for n in channels:
            for mode in modes:
                yield Way("mapped", n, mode == "direct")
    if "plain" in formats:
        yield PLAIN


def cases(sizes, directories, ways_of_profile):
    """The cases of a run, in the order of the table."""
    return [
        Case(size, directory, profile, way)
        for size in sizes
        for directory in directories
        for profile, ways in ways_of_profile.items()
        for way in ways
    ]


def kind(path):
    """The kind of the file system of a path: ext4, tmpfs ..."""
    path = os.path.realpath(path)
    best = ("", "")
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            point, name = line.split()[1:3]
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best[0]):
                best = (point, name)
    return best[1]


def on_tmpfs(path):
    """Whether files there are the page cache itself."""
    return kind(path) in ("tmpfs", "ramfs")


def memory_needed(case):
    """Bytes of memory that cannot be given back while a case runs: the
    profile, the guest's memory, and the file if it lies in memory too."""
    return case.size * (3 if on_tmpfs(case.directory) else 2)


def memory_available():
    """What the kernel says can be had without swapping."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no MemAvailable in /proc/meminfo")


def reason_to_skip(case, profile_is_there):
    """Why a case cannot be measured here, or None."""
    needed = memory_needed(case) + GIB // 2
    available = memory_available()
    if profile_is_there:
        available += case.size
    if needed > available:
        return (
            f"needs {needed >> 20} MiB of memory, "
            f"{available >> 20} MiB are available"
        )
    return None
