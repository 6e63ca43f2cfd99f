/*
 * Workers of mapped-ram, both directions.
 */
#include "migrate/page_io.h"

#include <stdatomic.h>
#include <string.h>

#include "base/util.h"
#include "channel/queue.h"
#include "migrate/migration.h"

/* Transfers under way: of one worker, and of all together. */
#define DEPTH 16u
#define DEPTH_OF_ALL 64u

unsigned int gw_page_io_threads(const struct gw_migration *migration)
{
    const struct gw_settings *settings = &migration->settings;

    return settings->capabilities[GW_CAP_MULTIFD]
               ? (unsigned int)settings->multifd_channels
               : 0;
}

/* One ring that could not be made is enough to be told. */
static void note_engine(struct gw_migration *migration, const char *engine)
{
    const char *noted = atomic_load(&migration->page_io);

    if (!noted || strcmp(engine, GW_QUEUE_PREADV) == 0) {
        atomic_store(&migration->page_io, engine);
    }
}

int gw_page_io_queue_new(struct gw_migration *migration, unsigned int n_workers,
                         struct gw_queue **ret_queue, struct gw_error **errp)
{
    uint64_t depth = gw_min_u64(DEPTH, DEPTH_OF_ALL / n_workers);
    int r = gw_queue_new(migration->channel, (unsigned int)gw_max_u64(depth, 2),
                         ret_queue, errp);

    if (r == 0) {
        note_engine(migration, gw_queue_engine(*ret_queue));
    }
    return r;
}
