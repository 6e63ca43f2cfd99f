/*
 * Loading mapped-ram.
 *
 * A read runs across short gaps between pages, into memory that nobody looks
 * at, so that it stays large where pages with data are scattered; the guest's
 * pages in the gap are never touched.
 */
#include "migrate/incoming_mapped.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/pool.h"
#include "base/util.h"
#include "channel/channel.h"
#include "channel/queue.h"
#include "migrate/incoming_ram.h"
#include "migrate/migration.h"
#include "migrate/page_io.h"
#include "ram/block.h"
#include "ram/chunks.h"

/* A worker: its queue, and the read that it gathers. */
struct worker {
    struct gw_queue *queue;
    uint8_t *waste; /* GW_PAGE_IO_GAP pages for what is read and not wanted */
    struct gw_incoming_block *block; /* of the read; NULL: none */
    uint64_t first, end;             /* its pages, gaps included */
    unsigned int n_iov;
    struct iovec iov[GW_QUEUE_IOV_MAX];
};

struct load {
    struct gw_migration *migration;
    struct gw_incoming_block *blocks;
    size_t n_blocks;
    struct gw_page_set *sets;
    struct gw_pool *pool;
    unsigned int n_workers; /* made so far */
    struct worker *workers;
};

static int submit(struct worker *w, struct gw_error **errp)
{
    struct gw_incoming_block *b = gw_take(&w->block);
    unsigned int n_iov = w->n_iov;

    if (!b) {
        return 0;
    }
    w->n_iov = 0;
    return gw_queue_read(w->queue, w->iov, n_iov,
                         b->entry.pages_offset + w->first * GW_TARGET_PAGE_SIZE,
                         errp);
}

static void add_piece(struct worker *w, void *base, uint64_t n_pages)
{
    w->iov[w->n_iov++] = (struct iovec){
        .iov_base = base, .iov_len = n_pages * GW_TARGET_PAGE_SIZE};
    w->end += n_pages;
}

static bool joins(const struct worker *w, const struct gw_incoming_block *b,
                  uint64_t first, uint64_t end)
{
    return w->block == b && first - w->end <= GW_PAGE_IO_GAP &&
           end - w->first <= GW_PAGE_IO_PAGES &&
           w->n_iov + 2 <= GW_QUEUE_IOV_MAX;
}

/* Pages [first, end), all with data. */
static int add_run(struct worker *w, struct gw_incoming_block *b,
                   uint64_t first, uint64_t end, struct gw_error **errp)
{
    int r = 0;

    if (!joins(w, b, first, end)) {
        r = submit(w, errp);
        w->block = b;
        w->first = w->end = first;
    }
    if (w->end < first) {
        add_piece(w, w->waste, first - w->end);
    }
    add_piece(w, b->block->host + first * GW_TARGET_PAGE_SIZE, end - first);
    return r;
}

/*
 * Says which page could not be read: of an operation that began earlier,
 * perhaps in another block.
 */
static int say_where(const struct load *load, const struct worker *w, int r,
                     struct gw_error **errp)
{
    const struct gw_stream_block *entry;
    uint64_t offset;
    size_t i;

    if (!gw_queue_failed_at(w->queue, &offset)) {
        return r;
    }
    for (i = 0; i < load->n_blocks; i++) {
        entry = &load->blocks[i].entry;
        if (entry->mapped && offset >= entry->pages_offset &&
            offset - entry->pages_offset < entry->used_length) {
            offset -= entry->pages_offset;
            offset -= offset % GW_TARGET_PAGE_SIZE;
            return gw_error_prefix(errp, r, "RAM block '%s': page at %#llx",
                                   entry->idstr, (unsigned long long)offset);
        }
    }
    return r;
}

static int load_chunk(void *opaque, unsigned int worker,
                      const struct gw_chunk *chunk, struct gw_error **errp)
{
    struct load *load = opaque;
    struct gw_incoming_block *b = &load->blocks[chunk->set];
    struct gw_migration *m = load->migration;
    uint64_t first, end = chunk->first, n_pages = 0;
    int r = gw_migration_check_cancel(m, errp);

    while (r == 0 &&
           gw_bitmap_next_run_in(&b->received, end, chunk->end, &first, &end)) {
        r = add_run(&load->workers[worker], b, first, end, errp);
        n_pages += end - first;
    }
    if (r < 0) {
        return say_where(load, &load->workers[worker], r, errp);
    }
    atomic_fetch_add(&m->normal_pages, n_pages);
    atomic_fetch_add(&m->page_bytes, n_pages * GW_TARGET_PAGE_SIZE);
    return 0;
}

static int flush(void *opaque, unsigned int worker, struct gw_error **errp)
{
    struct load *load = opaque;
    struct worker *w = &load->workers[worker];
    int submitted = submit(w, errp);
    int drained = gw_queue_drain(w->queue, submitted < 0 ? NULL : errp);
    int r = submitted < 0 ? submitted : drained;

    return r < 0 ? say_where(load, w, r, errp) : 0;
}

static int open_worker(struct load *load, unsigned int n,
                       struct gw_error **errp)
{
    struct worker *w = &load->workers[load->n_workers];

    w->waste = aligned_alloc(GW_TARGET_PAGE_SIZE,
                             GW_PAGE_IO_GAP * (size_t)GW_TARGET_PAGE_SIZE);
    load->n_workers++;
    return w->waste ? gw_page_io_queue_new(load->migration, n, &w->queue, errp)
                    : gw_error_set(errp, -ENOMEM, "out of memory");
}

static int open_workers(struct load *load, struct gw_error **errp)
{
    unsigned int n;
    int r = gw_pool_new(gw_page_io_threads(load->migration), "gw-pages",
                        &load->pool, errp);

    if (r < 0) {
        return r;
    }
    n = gw_pool_n_workers(load->pool);
    load->workers = calloc(n, sizeof(*load->workers));
    if (!load->workers) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    while (r == 0 && load->n_workers < n) {
        r = open_worker(load, n, errp);
    }
    return r;
}

static void close_load(struct load *load)
{
    unsigned int i;

    gw_pool_free(load->pool);
    for (i = 0; i < load->n_workers; i++) {
        gw_queue_free(load->workers[i].queue);
        free(load->workers[i].waste);
    }
    free(load->workers);
    free(load->sets);
}

static int list_sets(struct load *load, struct gw_error **errp)
{
    size_t n_blocks = load->n_blocks;
    size_t i;

    load->sets = calloc(n_blocks ? n_blocks : 1, sizeof(*load->sets));
    if (!load->sets) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    for (i = 0; i < n_blocks; i++) {
        load->sets[i].block = load->blocks[i].block;
        load->sets[i].pages = &load->blocks[i].received;
    }
    return 0;
}

int gw_incoming_mapped_load(struct gw_migration *migration,
                            struct gw_incoming_block *blocks, size_t n_blocks,
                            struct gw_error **errp)
{
    static const struct gw_chunk_ops ops = {.chunk = load_chunk,
                                            .flush = flush};
    struct load load = {
        .migration = migration, .blocks = blocks, .n_blocks = n_blocks};
    int r = list_sets(&load, errp);

    if (r == 0) {
        r = open_workers(&load, errp);
    }
    if (r == 0) {
        r = gw_chunks_run(load.pool, load.sets, n_blocks, &ops, &load, errp);
    }
    close_load(&load);
    return r;
}
