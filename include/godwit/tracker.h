/*
 * Dirty tracking: who knows which pages of guest RAM were written while a
 * migration sends them.
 *
 * A machine has at most one tracker: KVM's log, the library's scan of the
 * page tables, or one of the embedder's. Without a tracker a machine is saved
 * stopped. What somebody else than the vCPUs writes, and the tracker may not
 * see, is told with gw_ram_block_wrote.
 */
#ifndef GW_GODWIT_TRACKER_H
#define GW_GODWIT_TRACKER_H

#include <godwit/error.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_machine;
struct gw_ram_block;

/*
 * A tracker. Every member is filled; no lock of the library's is held over
 * the calls. A failure of `start`, `sync` or `arm` fails the migration.
 *
 * The first round sends every page, so `sync` is not called before it; `arm`
 * is called for each part before it is read, in the first round too. A write
 * is never lost if it is reported by the `sync` that follows it, or happened
 * before the `arm` (or the `sync`) after which its page is read.
 */
struct gw_tracker_ops {
    /* For people: "kvm-log", "pagemap". */
    const char *name;
    /*
     * From now on writes are remembered. The guest may run. Called once
     * before `stop`; after a failure nothing is remembered and `stop` is not
     * called.
     */
    int (*start)(void *opaque, struct gw_error **errp);
    /* No more. The guest may run. */
    void (*stop)(void *opaque);
    /*
     * ORs into `dirty` (page k of the block is bit k % 64 of word k / 64) the
     * pages below n_pages that were written since they were last armed, or
     * since `start`. Pages may be reported that were not written. One thread
     * at a time, no `arm` at the same time.
     */
    int (*sync)(void *opaque, struct gw_ram_block *block, unsigned long *dirty,
                uint64_t n_pages, struct gw_error **errp);
    /*
     * Pages [first, first + n_pages) are about to be read: writes count again
     * from now on. Several threads at once with ranges that do not overlap;
     * `first` is a multiple of 64, and so is n_pages unless the range ends
     * with the used length of the block. A tracker whose `sync` arms again
     * does nothing here.
     */
    int (*arm)(void *opaque, struct gw_ram_block *block, uint64_t first,
               uint64_t n_pages, struct gw_error **errp);
};

/*
 * Gives the machine a tracker, or takes it away (ops NULL). ops and opaque
 * live until then or until the machine is freed. Not while a migration of the
 * machine runs. Since 0.1.
 */
GW_API void gw_machine_set_tracker(struct gw_machine *machine,
                                   const struct gw_tracker_ops *ops,
                                   void *opaque);

/*
 * Gives the machine the library's own tracker, for guest memory that is
 * written through this process's page tables: by threads of this process and
 * by system calls they make, not by another process or through another
 * mapping. It write-protects pages with userfaultfd and asks the kernel which
 * are no longer protected (PAGEMAP_SCAN, Linux 6.7). Blocks with
 * GW_RAM_READONLY are left alone. -ENOTSUP with the reason where the kernel
 * or a system call filter does not let us, -EBUSY while a migration runs.
 * Since 0.1.
 */
GW_API int gw_machine_track_by_pagemap(struct gw_machine *machine,
                                       struct gw_error **errp) GW_MUST_CHECK;

/*
 * Somebody other than the vCPUs, a device or the VMM, has written these bytes
 * of the block, or has given their memory back to the host: called after the
 * write. Bytes beyond the block are ignored. Any thread, without a lock, no
 * effect while nothing tracks. Since 0.1.
 */
GW_API void gw_ram_block_wrote(struct gw_ram_block *block, uint64_t offset,
                               uint64_t size);

GW_END_DECLS

#endif
