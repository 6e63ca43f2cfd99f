"""One save or restore by one program, measured."""

import dataclasses
import os
import time

from . import memory, pagecache, process


@dataclasses.dataclass
class Job:
    """What is to be done."""

    directory: str  # for sockets
    memory: str  # file that is the guest's memory
    contents: str  # file that is copied into it once the VMM is up, or None
    image: str  # file that is saved to or restored from
    in_memory: bool  # the image lies on a tmpfs: its page cache is the file
    size: int  # bytes of guest memory
    way: object  # case.Way
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
    guest_before: int  # guest memory with pages behind it, before
    guest_allocated: int  # and when it was done
    image_bytes: int  # allocated on the file system
    image_cached: int  # of the image in the page cache when it was done


def run(vmm_class, program, job):
    """Runs a job in a fresh process."""
    if job.incoming and not job.in_memory:
        pagecache.drop(job.image)
    # Nothing of earlier files may be pending: journals, discarded blocks.
    os.sync()
    vmm = vmm_class(program, job)
    try:
        # Not before: a VMM may clear the memory of a new machine.
        if job.contents:
            memory.fill(job.contents, job.memory)
        result = _measure(vmm, job)
        vmm.close()
        return result
    finally:
        if vmm.process.poll() is None:
            vmm.process.kill()
            vmm.process.wait()


def _measure(vmm, job):
    pid = vmm.process.pid
    guest_before = memory.allocated(job.memory)
    process.reset_peak(pid)
    cpu = process.cpu_seconds(pid)
    start = time.monotonic()
    vmm.run()
    seconds = time.monotonic() - start
    cpu = process.cpu_seconds(pid) - cpu
    pagecache.flush(job.image)
    durable_seconds = time.monotonic() - start
    guest_rss = process.mapping_rss(pid, job.memory)
    return Result(
        seconds=seconds,
        durable_seconds=seconds if job.incoming else durable_seconds,
        cpu_seconds=cpu,
        peak_extra=process.status_bytes(pid, "VmHWM") - guest_rss,
        rss=process.status_bytes(pid, "VmRSS"),
        guest_rss=guest_rss,
        guest_before=guest_before,
        guest_allocated=memory.allocated(job.memory),
        image_bytes=memory.allocated(job.image),
        image_cached=pagecache.resident(job.image),
    )
