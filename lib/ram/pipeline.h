/*
 * The outgoing page pipeline: takes the pages of RAM blocks that are to be
 * sent, looks at them in chunks, tells zero pages from others, and joins
 * neighbours into extents. What a method adds is the sink.
 */
#ifndef GW_RAM_PIPELINE_H
#define GW_RAM_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "ram/chunks.h"

struct gw_pipeline;

enum gw_page_kind {
    GW_PAGES_DATA, /* not zero, or not looked at */
    GW_PAGES_ZERO, /* all zero, seen by reading them */
    GW_PAGES_HOLE, /* never touched: zero, and reading might fill them */
};

/* Neighbours of one kind. */
struct gw_extent {
    size_t set; /* number of the set, and so of the block */
    struct gw_ram_block *block;
    uint64_t first;
    uint64_t n_pages;
    enum gw_page_kind kind;
};

/*
 * Where extents go. Called by the workers, each for chunks of its own, whose
 * extents come in ascending order. A negative result ends the round.
 */
struct gw_page_sink {
    /* Pages [first, end) of a set are about to be looked at. */
    int (*begin)(void *opaque, unsigned int worker,
                 const struct gw_chunk *chunk, struct gw_error **errp);
    int (*put)(void *opaque, unsigned int worker,
               const struct gw_extent *extent, struct gw_error **errp);
    /* As that of struct gw_chunk_ops. */
    int (*flush)(void *opaque, unsigned int worker, struct gw_error **errp);
};

/*
 * A pipeline of n_threads workers (0: one, the caller's thread). Without
 * `finds_zero` every page that was ever touched counts as data.
 */
int gw_pipeline_new(unsigned int n_threads, bool finds_zero,
                    const struct gw_page_sink *sink, void *opaque,
                    struct gw_pipeline **ret_pipeline, struct gw_error **errp)
    GW_MUST_CHECK;

/* NULL is fine; returns NULL. */
struct gw_pipeline *gw_pipeline_free(struct gw_pipeline *pipeline);

unsigned int gw_pipeline_n_workers(const struct gw_pipeline *pipeline);

/*
 * A round: hands all pages whose bit is set to the sink and clears the bits.
 * All is done when it returns. With `guest_runs`, pages may be touched for
 * the first time meanwhile: each chunk is asked for its holes after `begin`,
 * which arms the tracker.
 */
int gw_pipeline_run(struct gw_pipeline *pipeline,
                    const struct gw_page_set *sets, size_t n_sets,
                    bool guest_runs, struct gw_error **errp);

#endif
