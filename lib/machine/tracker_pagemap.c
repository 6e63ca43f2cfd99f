/*
 * The library's own tracker: all blocks of a machine, by write-protection.
 */
#include "machine/tracker.h"

#include <errno.h>
#include <stdlib.h>

#include "machine/machine.h"
#include "ram/block.h"
#include "ram/write_scan.h"

struct pagemap_tracker {
    /* constant after creation */
    struct gw_machine *machine;
    /* open between start and stop */
    struct gw_write_scan scan;
};

/* The guest cannot write it, and it may not be ours to protect. */
static bool is_left_alone(const struct gw_ram_block *block)
{
    return block->flags & GW_RAM_READONLY;
}

static int add_blocks(struct pagemap_tracker *tracker, struct gw_error **errp)
{
    struct gw_ram_block *block = NULL;
    int r;

    while ((block = gw_ram_block_next(tracker->machine, block))) {
        if (is_left_alone(block)) {
            continue;
        }
        r = gw_write_scan_add(&tracker->scan, block, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int start(void *opaque, struct gw_error **errp)
{
    struct pagemap_tracker *tracker = opaque;
    int r = gw_write_scan_open(&tracker->scan, errp);

    if (r < 0) {
        return r;
    }
    r = add_blocks(tracker, errp);
    if (r < 0) {
        gw_write_scan_close(&tracker->scan);
    }
    return r;
}

static void stop(void *opaque)
{
    struct pagemap_tracker *tracker = opaque;

    gw_write_scan_close(&tracker->scan);
}

static int sync_block(void *opaque, struct gw_ram_block *block,
                      unsigned long *dirty, uint64_t n_pages,
                      struct gw_error **errp)
{
    struct pagemap_tracker *tracker = opaque;

    if (is_left_alone(block)) {
        return 0;
    }
    return gw_write_scan_sync(&tracker->scan, block, dirty, n_pages, errp);
}

/* A sync arms again in the same step. */
static int arm(void *opaque, struct gw_ram_block *block, uint64_t first,
               uint64_t n_pages, struct gw_error **errp)
{
    return 0;
}

static const struct gw_tracker_ops pagemap_ops = {
    .name = "pagemap",
    .start = start,
    .stop = stop,
    .sync = sync_block,
    .arm = arm,
};

static void free_tracker(void *opaque)
{
    struct pagemap_tracker *tracker = opaque;

    gw_write_scan_close(&tracker->scan);
    free(tracker);
}

int gw_machine_track_by_pagemap(struct gw_machine *machine,
                                struct gw_error **errp)
{
    struct pagemap_tracker *tracker;
    int r = gw_write_scan_probe(errp);

    if (r < 0) {
        return gw_error_prefix(errp, r, "dirty tracking by pagemap");
    }
    tracker = calloc(1, sizeof(*tracker));
    if (!tracker) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    tracker->machine = machine;
    tracker->scan = (struct gw_write_scan){.uffd = -1, .pagemap_fd = -1};
    r = gw_machine_tracker_replace(machine, &pagemap_ops, tracker,
                                   free_tracker);
    if (r < 0) {
        free_tracker(tracker);
        return gw_error_set(errp, r, "a migration is in progress");
    }
    return 0;
}
