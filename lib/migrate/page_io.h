/*
 * What both directions of mapped-ram share: how many workers move pages, how
 * large and how many their transfers are.
 */
#ifndef GW_MIGRATE_PAGE_IO_H
#define GW_MIGRATE_PAGE_IO_H

#include <godwit/error.h>

struct gw_migration;
struct gw_queue;

enum {
    /* Pages of one transfer: large enough for a device to be at its best. */
    GW_PAGE_IO_PAGES = 256,
    /* Pages without data that one runs across; measured: docs/bench.md. */
    GW_PAGE_IO_GAP = 8,
};

/* Threads for pages: multifd's channels; 0: the migration's own. */
unsigned int gw_page_io_threads(const struct gw_migration *migration);

/*
 * A queue for one of n_workers, all of which are counted in how much may be
 * under way; the slowest kind of them is what the progress shows.
 */
int gw_page_io_queue_new(struct gw_migration *migration, unsigned int n_workers,
                         struct gw_queue **ret_queue, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
