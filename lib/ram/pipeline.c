/*
 * The outgoing page pipeline.
 */
#include "ram/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/pool.h"
#include "base/racy.h"
#include "base/util.h"
#include "ram/block.h"
#include "ram/populated.h"
#include "ram/zero.h"

enum {
    WORD_BITS = 8 * sizeof(unsigned long),
    CHUNK_WORDS = GW_CHUNK_PAGES / WORD_BITS,
};

/* What a worker keeps from chunk to chunk of a round. */
struct worker {
    struct gw_populated populated;
    const struct gw_ram_block *block; /* of `populated`; NULL: none yet */
};

struct gw_pipeline {
    struct gw_pool *pool;
    bool finds_zero;
    const struct gw_page_sink *sink;
    void *opaque;
    const struct gw_page_set *sets; /* of the round */
    bool guest_runs;                /* during the round */
    struct worker workers[];
};

static bool test_bit(const unsigned long *words, uint64_t bit)
{
    return words[bit / WORD_BITS] >> (bit % WORD_BITS) & 1;
}

static int put(struct gw_pipeline *pipeline, unsigned int worker,
               const struct gw_chunk *part, enum gw_page_kind kind,
               struct gw_error **errp)
{
    const struct gw_extent extent = {
        .set = part->set,
        .block = pipeline->sets[part->set].block,
        .first = part->first,
        .n_pages = part->end - part->first,
        .kind = kind,
    };

    return pipeline->sink->put(pipeline->opaque, worker, &extent, errp);
}

/* Scans pages that exist and hands over their extents. */
static int put_scanned(struct gw_pipeline *pipeline, unsigned int worker,
                       const struct gw_chunk *part, struct gw_error **errp)
{
    const struct gw_ram_block *block = pipeline->sets[part->set].block;
    unsigned long zero[CHUNK_WORDS];
    uint64_t n_pages = part->end - part->first;
    struct gw_chunk run = {.set = part->set};
    uint64_t from, to;
    bool is_zero;
    int r = 0;

    gw_zero_scan(block->host + part->first * GW_TARGET_PAGE_SIZE, n_pages,
                 zero);
    for (from = 0; r == 0 && from < n_pages; from = to) {
        is_zero = test_bit(zero, from);
        for (to = from + 1; to < n_pages && test_bit(zero, to) == is_zero;) {
            to++;
        }
        run.first = part->first + from;
        run.end = part->first + to;
        r = put(pipeline, worker, &run, is_zero ? GW_PAGES_ZERO : GW_PAGES_DATA,
                errp);
    }
    return r;
}

/* Pages that are to be sent: holes are zero without a look. */
static int put_run(struct gw_pipeline *pipeline, unsigned int worker,
                   const struct gw_chunk *run, struct gw_error **errp)
{
    struct gw_populated *populated = &pipeline->workers[worker].populated;
    struct gw_chunk part = *run;
    bool is_hole;
    int r = 0;

    for (; r == 0 && part.first < run->end; part.first = part.end) {
        part.end = gw_populated_run(populated, part.first, run->end, &is_hole);
        if (is_hole) {
            r = put(pipeline, worker, &part, GW_PAGES_HOLE, errp);
        } else if (pipeline->finds_zero) {
            r = put_scanned(pipeline, worker, &part, errp);
        } else {
            r = put(pipeline, worker, &part, GW_PAGES_DATA, errp);
        }
    }
    return r;
}

static void look_at_block(struct worker *worker,
                          const struct gw_ram_block *block)
{
    if (worker->block == block) {
        return;
    }
    if (worker->block) {
        gw_populated_deinit(&worker->populated);
    }
    worker->block = block;
    if (block) {
        gw_populated_init(&worker->populated, block);
    }
}

/* The runs of the chunk that are to be sent. */
static int put_chunk(struct gw_pipeline *pipeline, unsigned int worker,
                     const struct gw_chunk *chunk, struct gw_error **errp)
{
    const struct gw_bitmap *pages = pipeline->sets[chunk->set].pages;
    struct gw_chunk run = {.set = chunk->set, .end = chunk->first};
    int r = 0;

    while (r == 0 && gw_bitmap_next_run_in(pages, run.end, chunk->end,
                                           &run.first, &run.end)) {
        r = put_run(pipeline, worker, &run, errp);
    }
    return r;
}

static int do_chunk(void *opaque, unsigned int worker,
                    const struct gw_chunk *chunk, struct gw_error **errp)
{
    struct gw_pipeline *pipeline = opaque;
    const struct gw_page_set *set = &pipeline->sets[chunk->set];
    int r = pipeline->sink->begin(pipeline->opaque, worker, chunk, errp);

    look_at_block(&pipeline->workers[worker], set->block);
    if (pipeline->guest_runs) {
        gw_populated_forget_holes(&pipeline->workers[worker].populated);
    }
    if (r == 0) {
        gw_racy_reads_begin();
        r = put_chunk(pipeline, worker, chunk, errp);
        gw_racy_reads_end();
    }
    if (r < 0) {
        return r;
    }
    gw_bitmap_clear_range(set->pages, chunk->first, chunk->end);
    return 0;
}

/* What exists may change until the next round. */
static int flush(void *opaque, unsigned int worker, struct gw_error **errp)
{
    struct gw_pipeline *pipeline = opaque;
    int r;

    look_at_block(&pipeline->workers[worker], NULL);
    gw_racy_reads_begin();
    r = pipeline->sink->flush(pipeline->opaque, worker, errp);
    gw_racy_reads_end();
    return r;
}

int gw_pipeline_new(unsigned int n_threads, bool finds_zero,
                    const struct gw_page_sink *sink, void *opaque,
                    struct gw_pipeline **ret_pipeline, struct gw_error **errp)
{
    size_t n_workers = n_threads ? n_threads : 1;
    GW_AUTO_FREE struct gw_pipeline *pipeline =
        calloc(1, sizeof(*pipeline) + n_workers * sizeof(pipeline->workers[0]));
    int r;

    if (!pipeline) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = gw_pool_new(n_threads, "gw-pages", &pipeline->pool, errp);
    if (r < 0) {
        return r;
    }
    pipeline->finds_zero = finds_zero;
    pipeline->sink = sink;
    pipeline->opaque = opaque;
    *ret_pipeline = gw_take(&pipeline);
    return 0;
}

struct gw_pipeline *gw_pipeline_free(struct gw_pipeline *pipeline)
{
    if (pipeline) {
        gw_pool_free(pipeline->pool);
        free(pipeline);
    }
    return NULL;
}

unsigned int gw_pipeline_n_workers(const struct gw_pipeline *pipeline)
{
    return gw_pool_n_workers(pipeline->pool);
}

int gw_pipeline_run(struct gw_pipeline *pipeline,
                    const struct gw_page_set *sets, size_t n_sets,
                    bool guest_runs, struct gw_error **errp)
{
    static const struct gw_chunk_ops ops = {.chunk = do_chunk, .flush = flush};

    pipeline->sets = sets;
    pipeline->guest_runs = guest_runs;
    return gw_chunks_run(pipeline->pool, sets, n_sets, &ops, pipeline, errp);
}
