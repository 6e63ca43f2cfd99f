/*
 * Which pages of a RAM block exist at all. Pages that nobody has touched are
 * zero without being looked at, and looking at them costs: a read fault on a
 * hole of a memfd allocates a page, one on private memory makes page tables
 * and scans the kernel's zero page.
 *
 * Known for
 * - shared memory of a memfd or tmpfs file, whose holes the kernel reports
 *   exactly (SEEK_DATA and SEEK_HOLE);
 * - private anonymous memory of the library's own, or that the embedder
 *   vouches for with GW_RAM_ANONYMOUS: a page that is neither present nor
 *   swapped out was never touched, and the kernel's own zero page is as good
 *   (PAGEMAP_SCAN, or the entries of /proc/self/pagemap before Linux 6.7).
 * Elsewhere every page may hold data.
 */
#ifndef GW_RAM_POPULATED_H
#define GW_RAM_POPULATED_H

#include <stdbool.h>
#include <stdint.h>

#include "ram/pagemap.h"

struct gw_ram_block;

/* Runs of data that one question to the kernel brings, at most. */
enum {
    GW_POPULATED_REGIONS = 64
};

/* How it is found out. */
enum gw_populated_source {
    GW_POPULATED_UNKNOWN,
    GW_POPULATED_SEEK,    /* fd is the memory's file, opened anew */
    GW_POPULATED_SCAN,    /* fd is /proc/self/pagemap */
    GW_POPULATED_ENTRIES, /* the same, on older kernels */
};

/* A walk over the pages of one block; one thread. */
struct gw_populated {
    enum gw_populated_source source;
    int fd;        /* of our own, with its own position; -1: unknown */
    uint64_t base; /* the block's start: offset in its file, or address */
    /*
     * What was found last, pages [start, end) of one kind. The kernel walks
     * over all pages of a run to find its end, which a caller that takes a
     * long run in small pieces must not make it do for each.
     */
    uint64_t start;
    uint64_t end;
    bool is_hole;
    /* Of a scan: data, as addresses; outside of it in [from, to), holes. */
    uint64_t from;
    uint64_t to;
    unsigned int n_regions;
    struct gw_pagemap_region regions[GW_POPULATED_REGIONS];
};

/* Never fails: what cannot be found out may hold data. */
void gw_populated_init(struct gw_populated *populated,
                       const struct gw_ram_block *block);
void gw_populated_deinit(struct gw_populated *populated);

/*
 * The pages from `first` (below `end`) that are alike, as far as one question
 * to the kernel told: returns the page behind them, at most `end`, and
 * whether they are a hole. The kernel is asked for pages up to `end`, so a
 * large range costs no more questions than a small one.
 *
 * Answers are kept. A page that was a hole when the kernel was asked may be
 * written meanwhile: where that matters, see gw_populated_forget_holes.
 */
uint64_t gw_populated_run(struct gw_populated *populated, uint64_t first,
                          uint64_t end, bool *ret_is_hole);

/*
 * The first page from `first` on that may hold data; `end` if none below it
 * does. Asks anew, and not where data ends, which is what costs.
 */
uint64_t gw_populated_next_data(struct gw_populated *populated, uint64_t first,
                                uint64_t end);

/*
 * From now on no page is called a hole because of an earlier answer; data
 * stays data. For a guest that runs: to be called after a dirty tracker was
 * armed for pages and before they are asked for. A write before the arming
 * is forgotten by it, so the page must be known to be there; one that comes
 * later is the tracker's to report.
 */
void gw_populated_forget_holes(struct gw_populated *populated);

#endif
