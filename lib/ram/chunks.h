/*
 * Work on the pages of RAM blocks, in chunks, by the workers of a pool.
 *
 * Both directions use it: outgoing, each chunk is scanned and sent; incoming,
 * it is filled. A chunk belongs to one worker, and its borders are multiples
 * of GW_CHUNK_PAGES, so that workers never share a word of a bitmap.
 */
#ifndef GW_RAM_CHUNKS_H
#define GW_RAM_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "ram/bitmap.h"

struct gw_pool;
struct gw_ram_block;

/* Pages that are dealt with in one go: 1 MiB, within a core's cache. */
enum {
    GW_CHUNK_PAGES = 256
};

/* Pages of one block: those whose bit is set. */
struct gw_page_set {
    struct gw_ram_block *block;
    struct gw_bitmap *pages; /* a bit for each page of the used length */
};

/* Pages [first, end) of set number `set`; at least one bit is set. */
struct gw_chunk {
    size_t set;
    uint64_t first;
    uint64_t end;
};

/* What a worker does; called on its thread, `worker` counts from 0. */
struct gw_chunk_ops {
    /* One chunk; may clear its bits, and no others. */
    int (*chunk)(void *opaque, unsigned int worker,
                 const struct gw_chunk *chunk, struct gw_error **errp);
    /*
     * The worker's last call, also after failures: nothing that it began may
     * be under way when it returns.
     */
    int (*flush)(void *opaque, unsigned int worker, struct gw_error **errp);
};

/*
 * Hands all chunks of all sets out in ascending order and waits until they
 * are done. The first failure ends it: its error is the result.
 */
int gw_chunks_run(struct gw_pool *pool, const struct gw_page_set *sets,
                  size_t n_sets, const struct gw_chunk_ops *ops, void *opaque,
                  struct gw_error **errp);

#endif
