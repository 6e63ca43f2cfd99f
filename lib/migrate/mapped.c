/*
 * mapped-ram, outgoing: every page has a fixed offset in the file, and a
 * bitmap says which are there. The file holds zeros where nothing was
 * written, so zero pages cost nothing.
 *
 * Small writes cost more than the bytes that they save: a write runs across a
 * few zero pages to the next data (they are zero in memory, and may be zero in
 * the file). Never across pages that were not looked at, which reading could
 * fill.
 *
 * Live, a page may become zero after it was written: its bytes are then
 * punched out of the file, so that all that lies behind a clear bit is zero.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/channel.h"
#include "channel/output.h"
#include "channel/queue.h"
#include "migrate/migration.h"
#include "migrate/outgoing.h"
#include "migrate/page_io.h"
#include "ram/block.h"

/* A worker: its queue, and the write that it gathers. */
struct worker {
    struct gw_queue *queue;
    struct gw_outgoing_block *block; /* of the write; NULL: none */
    uint64_t first, end;             /* its pages */
    uint64_t readable_end;           /* zero pages up to here may join */
};

struct gw_mapped_workers {
    unsigned int n;
    struct worker workers[];
};

static unsigned int n_threads(const struct gw_outgoing *outgoing)
{
    return gw_page_io_threads(outgoing->migration);
}

static int open_workers(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    unsigned int n = gw_pipeline_n_workers(outgoing->pipeline);
    struct gw_mapped_workers *mapped =
        calloc(1, sizeof(*mapped) + n * sizeof(mapped->workers[0]));
    int r = 0;

    if (!mapped) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    outgoing->mapped = mapped;
    while (r == 0 && mapped->n < n) {
        r = gw_page_io_queue_new(outgoing->migration, n,
                                 &mapped->workers[mapped->n].queue, errp);
        mapped->n += r == 0;
    }
    return r;
}

static void close_workers(struct gw_outgoing *outgoing)
{
    struct gw_mapped_workers *mapped = gw_take(&outgoing->mapped);
    unsigned int i;

    for (i = 0; mapped && i < mapped->n; i++) {
        gw_queue_free(mapped->workers[i].queue);
    }
    free(mapped);
}

static int setup(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_outgoing_block *b;
    size_t i;
    int r = 0;

    for (i = 0; r == 0 && i < outgoing->n_blocks; i++) {
        b = &outgoing->blocks[i];
        r = gw_bitmap_init(&b->present, b->dirty.n_bits);
        if (r == 0 && outgoing->is_live) {
            r = gw_bitmap_init(&b->written, b->dirty.n_bits);
        }
    }
    if (r < 0) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = gw_outgoing_put_table(outgoing, true, errp);
    return r < 0 ? r
                 : gw_channel_extend(outgoing->migration->channel,
                                     gw_output_offset(outgoing->output), errp);
}

/* Begins the write that was gathered. */
static int submit(struct gw_outgoing *outgoing, struct worker *w,
                  struct gw_error **errp)
{
    uint64_t offset = w->first * GW_TARGET_PAGE_SIZE;
    struct gw_outgoing_block *b = gw_take(&w->block);
    struct iovec iov;

    if (!b) {
        return 0;
    }
    iov.iov_base = b->block->host + offset;
    iov.iov_len = (w->end - w->first) * GW_TARGET_PAGE_SIZE;
    atomic_fetch_add(&outgoing->migration->page_bytes, iov.iov_len);
    return gw_queue_write(w->queue, &iov, 1, b->layout.pages_offset + offset,
                          errp);
}

static bool joins(const struct worker *w, const struct gw_outgoing_block *b,
                  const struct gw_extent *extent)
{
    return w->block == b && w->readable_end == extent->first &&
           extent->first - w->end <= GW_PAGE_IO_GAP &&
           extent->first + extent->n_pages - w->first <= GW_PAGE_IO_PAGES;
}

static int put_data(struct gw_outgoing *outgoing, struct worker *w,
                    struct gw_outgoing_block *b, const struct gw_extent *extent,
                    struct gw_error **errp)
{
    uint64_t end = extent->first + extent->n_pages;
    uint64_t written = extent->first;
    int r = 0;

    if (joins(w, b, extent)) {
        written = w->end;
    } else {
        r = submit(outgoing, w, errp);
        w->block = b;
        w->first = extent->first;
    }
    w->end = w->readable_end = end;
    gw_bitmap_set_range(&b->present, extent->first, end);
    if (outgoing->is_live) {
        /* The guest may write to a zero page before the write reads it. */
        gw_bitmap_set_range(&b->written, written, end);
    }
    return r;
}

/* What an earlier round wrote there is no longer true. */
static int punch(struct gw_outgoing *outgoing, struct gw_outgoing_block *b,
                 uint64_t first, uint64_t end, struct gw_error **errp)
{
    uint64_t start, stop = first;
    int r = 0;

    while (r == 0 &&
           gw_bitmap_next_run_in(&b->written, stop, end, &start, &stop)) {
        r = gw_channel_punch(outgoing->migration->channel,
                             b->layout.pages_offset +
                                 start * GW_TARGET_PAGE_SIZE,
                             (stop - start) * GW_TARGET_PAGE_SIZE, errp);
    }
    gw_bitmap_clear_range(&b->written, first, end);
    return r;
}

static int put_zero(struct gw_outgoing *outgoing, struct worker *w,
                    struct gw_outgoing_block *b, const struct gw_extent *extent,
                    struct gw_error **errp)
{
    uint64_t end = extent->first + extent->n_pages;

    if (w->block == b && w->readable_end == extent->first &&
        extent->kind == GW_PAGES_ZERO) {
        w->readable_end = end;
    }
    gw_bitmap_clear_range(&b->present, extent->first, end);
    return outgoing->is_live ? punch(outgoing, b, extent->first, end, errp) : 0;
}

static int put(struct gw_outgoing *outgoing, unsigned int worker,
               const struct gw_extent *extent, struct gw_error **errp)
{
    struct gw_outgoing_block *b = &outgoing->blocks[extent->set];
    struct worker *w = &outgoing->mapped->workers[worker];

    return extent->kind == GW_PAGES_DATA
               ? put_data(outgoing, w, b, extent, errp)
               : put_zero(outgoing, w, b, extent, errp);
}

static int flush(struct gw_outgoing *outgoing, unsigned int worker,
                 struct gw_error **errp)
{
    struct worker *w = &outgoing->mapped->workers[worker];
    int submitted = submit(outgoing, w, errp);
    int drained = gw_queue_drain(w->queue, submitted < 0 ? NULL : errp);

    return submitted < 0 ? submitted : drained;
}

/* All pages are in their places: now the bitmaps may say so. */
static int put_bitmap(struct gw_outgoing *outgoing,
                      const struct gw_outgoing_block *b, struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *bytes = malloc(b->layout.bitmap_size);

    if (!bytes) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    gw_bitmap_put_le(&b->present, bytes);
    return gw_output_pwrite(outgoing->output, bytes, b->layout.bitmap_size,
                            b->layout.bitmap_offset, errp);
}

static int complete(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    size_t i;
    int r = 0;

    for (i = 0; r == 0 && i < outgoing->n_blocks; i++) {
        r = put_bitmap(outgoing, &outgoing->blocks[i], errp);
    }
    return r;
}

const struct gw_ram_method gw_method_mapped = {
    .n_threads = n_threads,
    .open = open_workers,
    .setup = setup,
    .put = put,
    .flush = flush,
    .complete = complete,
    .close = close_workers,
};
