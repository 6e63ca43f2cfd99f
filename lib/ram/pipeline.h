/*
 * The outgoing page pipeline: takes a RAM block and a bitmap of the pages to
 * be sent, looks at them in chunks, tells zero pages from others, and joins
 * neighbours into extents. What a method adds is the sink.
 */
#ifndef GW_RAM_PIPELINE_H
#define GW_RAM_PIPELINE_H

#include <stdint.h>

#include <godwit/error.h>

#include "ram/bitmap.h"

struct gw_ram_block;

/* Pages that are looked at in one go: 1 MiB, within a core's cache. */
enum {
    GW_PIPELINE_CHUNK_PAGES = 256
};

/*
 * Where extents go: `n_pages` neighbours from page `first` of the block.
 * Called in ascending order. A negative result ends the run.
 */
struct gw_page_sink {
    /* pages with data */
    int (*normal)(void *opaque, struct gw_ram_block *block, uint64_t first,
                  uint64_t n_pages, struct gw_error **errp);
    /* pages that are all zero */
    int (*zero)(void *opaque, struct gw_ram_block *block, uint64_t first,
                uint64_t n_pages, struct gw_error **errp);
};

/*
 * Hands the block's pages whose bit is set in `pending` to the sink and
 * clears their bits. `pending` has a bit for each page of the used length.
 */
int gw_pipeline_run(struct gw_ram_block *block, struct gw_bitmap *pending,
                    const struct gw_page_sink *sink, void *opaque,
                    struct gw_error **errp);

#endif
