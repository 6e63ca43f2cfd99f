"""What a run must find; everything else is reported and not judged."""

import os

from . import memory

MIB = 1 << 20
GIB = 1 << 30
# Resident memory after restoring the sparse profile, share of the configured.
RSS_LIMIT = 0.10
# Memory beside the guest's.
EXTRA_BASE = 64 * MIB
EXTRA_DIVISOR = 30000
# Of a file that was saved with direct-io, in the page cache.
CACHED_LIMIT = 0.01
CACHED_FROM = GIB
# A large machine of which little was touched, over a small one.
TOUCHED_LIMIT = 1.5


class Checks:
    """Collects what went wrong; a run goes on, and fails at its end."""

    def __init__(self):
        self.done = 0
        self.failed = []

    def that(self, good, text):
        """`text` says what is wrong unless `good`."""
        self.done += 1
        if not good:
            self.failed.append(text)

    def restored(self, label, case, who, result, paths):
        """Memory is what was saved; zero pages did not become resident."""
        n_pages = memory.differing_pages(paths["pristine"], paths["memory"])
        self.that(n_pages == 0, f"{label}: {n_pages} pages differ")
        if case.profile == "sparse" and who != "qemu":
            resident = max(result.rss, result.guest_allocated)
            self.that(
                resident <= RSS_LIMIT * case.size,
                f"{label}: {resident} bytes resident after restoring "
                f"{case.size} bytes of memory that is 95 % zero",
            )

    def memory_beside(self, label, size, peak_extra):
        """Memory beside the guest's is bounded."""
        limit = EXTRA_BASE + size // EXTRA_DIVISOR
        self.that(
            peak_extra < limit,
            f"{label}: {peak_extra} bytes beside guest memory, "
            f"less than {limit} expected",
        )

    def uncached(self, label, result, size, in_memory):
        """A large direct save left the page cache alone."""
        if size < CACHED_FROM or in_memory or not result.image_bytes:
            return
        share = result.image_cached / result.image_bytes
        self.that(
            share < CACHED_LIMIT,
            f"{label}: {share:.1%} of the file is in the page cache after a "
            f"direct save, less than {CACHED_LIMIT:.0%} expected",
        )

    def nothing_populated(self, label, result):
        """A save read no page into being."""
        more = result.guest_allocated - result.guest_before
        self.that(more == 0, f"{label}: saving populated {more} bytes")

    def of_job(self, case, who, job, result, paths):
        """All that one save or restore of a case must fulfil."""
        what = "restore" if job.incoming else "save"
        place = os.path.basename(case.directory.rstrip("/"))
        label = (
            f"{who}, {what}, {case.size // MIB} MiB {case.profile}, "
            f"{case.way}, {place}"
        )
        if job.incoming:
            self.restored(label, case, who, result, paths)
        if who == "qemu":
            return
        self.memory_beside(label, case.size, result.peak_extra)
        if not job.incoming:
            self.nothing_populated(label, result)
            if case.way.direct:
                self.uncached(label, result, case.size, job.in_memory)
