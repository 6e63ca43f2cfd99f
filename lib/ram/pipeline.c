/*
 * The outgoing page pipeline.
 */
#include "ram/pipeline.h"

#include <stdbool.h>

#include "base/util.h"
#include "ram/block.h"
#include "ram/populated.h"
#include "ram/zero.h"

enum {
    WORD_BITS = 8 * sizeof(unsigned long),
    CHUNK_WORDS = GW_PIPELINE_CHUNK_PAGES / WORD_BITS,
};

static bool test_bit(const unsigned long *words, uint64_t bit)
{
    return words[bit / WORD_BITS] >> (bit % WORD_BITS) & 1;
}

/* Scans the chunk [first, end) and hands over its extents. */
static int run_chunk(struct gw_ram_block *block, uint64_t first, uint64_t end,
                     const struct gw_page_sink *sink, void *opaque,
                     struct gw_error **errp)
{
    unsigned long zero[CHUNK_WORDS];
    uint64_t n_pages = end - first;
    uint64_t from = 0, to;
    bool is_zero;
    int r;

    gw_zero_scan(block->host + first * GW_TARGET_PAGE_SIZE, n_pages, zero);
    while (from < n_pages) {
        is_zero = test_bit(zero, from);
        for (to = from + 1; to < n_pages && test_bit(zero, to) == is_zero;) {
            to++;
        }
        r = (is_zero ? sink->zero : sink->normal)(opaque, block, first + from,
                                                  to - from, errp);
        if (r < 0) {
            return r;
        }
        from = to;
    }
    return 0;
}

/* Pages of [start, end): holes are zero without a look, others are scanned. */
static int run_range(struct gw_ram_block *block, struct gw_populated *populated,
                     uint64_t start, uint64_t end,
                     const struct gw_page_sink *sink, void *opaque,
                     uint64_t *ret_next, struct gw_error **errp)
{
    bool is_hole;
    uint64_t next = gw_populated_run(populated, start, end, &is_hole);

    *ret_next = next;
    if (is_hole) {
        return sink->zero(opaque, block, start, next - start, errp);
    }
    *ret_next = next = gw_min_u64(next, start + GW_PIPELINE_CHUNK_PAGES);
    return run_chunk(block, start, next, sink, opaque, errp);
}

static int run_pending(struct gw_ram_block *block,
                       struct gw_populated *populated,
                       struct gw_bitmap *pending,
                       const struct gw_page_sink *sink, void *opaque,
                       struct gw_error **errp)
{
    uint64_t start, end, next = 0;
    int r;

    while (gw_bitmap_next_run(pending, next, &start, &end)) {
        r = run_range(block, populated, start, end, sink, opaque, &next, errp);
        if (r < 0) {
            return r;
        }
        gw_bitmap_clear_range(pending, start, next);
    }
    return 0;
}

int gw_pipeline_run(struct gw_ram_block *block, struct gw_bitmap *pending,
                    const struct gw_page_sink *sink, void *opaque,
                    struct gw_error **errp)
{
    struct gw_populated populated;
    int r;

    gw_populated_init(&populated, block);
    r = run_pending(block, &populated, pending, sink, opaque, errp);
    gw_populated_deinit(&populated);
    return r;
}
