"""One save or restore by one program, measured."""

import dataclasses
import os
import subprocess
import time

from . import memory, process


@dataclasses.dataclass
class Job:
    """What is to be done."""

    directory: str  # on the file system that is measured
    memory: str  # file that is the guest's memory
    contents: str  # file that is copied into it once the VMM is up, or None
    image: str  # file that is saved to or restored from
    size: int  # bytes of guest memory
    format: str  # "mapped" or "plain"
    incoming: bool  # restore


@dataclasses.dataclass
class Result:
    """What it took."""

    seconds: float  # from the command to `completed`
    durable_seconds: float  # the same and fsync of the image
    cpu_seconds: float  # user and system time of the process
    peak_extra: int  # peak memory beside guest memory, bytes
    rss: int  # of the process when it was done, bytes
    guest_rss: int  # resident guest memory of these
    guest_allocated: int  # guest memory with pages behind it
    image_bytes: int  # allocated on the file system


def run(vmm_class, program, job):
    """Runs a job in a fresh process."""
    if job.incoming:
        drop_cache(job.image)
    # Nothing of earlier files may be pending: journals, discarded blocks.
    os.sync()
    vmm = vmm_class(program, job)
    pid = vmm.process.pid
    try:
        # Not before: a VMM may clear the memory of a new machine.
        if job.contents:
            memory.fill(job.contents, job.memory)
        process.reset_peak(pid)
        cpu = process.cpu_seconds(pid)
        start = time.monotonic()
        vmm.run()
        seconds = time.monotonic() - start
        cpu = process.cpu_seconds(pid) - cpu
        flush(job.image)
        durable_seconds = time.monotonic() - start
        guest_rss = process.mapping_rss(pid, job.memory)
        result = Result(
            seconds=seconds,
            durable_seconds=seconds if job.incoming else durable_seconds,
            cpu_seconds=cpu,
            peak_extra=process.status_bytes(pid, "VmHWM") - guest_rss,
            rss=process.status_bytes(pid, "VmRSS"),
            guest_rss=guest_rss,
            guest_allocated=memory.allocated(job.memory),
            image_bytes=memory.allocated(job.image),
        )
        vmm.close()
        return result
    finally:
        if vmm.process.poll() is None:
            vmm.process.kill()
            vmm.process.wait()


def flush(path):
    """Waits until a file is on the device."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def drop_cache(path):
    """Drops a file from the page cache, and makes sure that it is out."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    out = subprocess.run(
        ["fincore", "--bytes", "--noheadings", "--output", "RES", path],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    if int(out) != 0:
        raise RuntimeError(f"{int(out)} bytes of {path} stay in page cache")
