/*
 * The loops that all variants share, over pages and over the parts of one;
 * each includes them and gives them its own checks, which the compiler
 * inlines.
 *
 * Why prefetch: the CPU's own prefetchers stop at the end of a 4 KiB page, so
 * that each page would begin with a full miss. The checks fetch the page
 * after next while they read through a zero page (zero pages come in runs);
 * this loop fetches the heads of pages further ahead, all that is needed of
 * pages that differ from zero at once.
 */
#ifndef GW_RAM_ZERO_SCAN_H
#define GW_RAM_ZERO_SCAN_H

#include <stdint.h>

#include "ram/zero.h"

/* Pages between the one checked and the one whose head is fetched. */
#define GW_ZERO_HEADS_AHEAD 8u

/* Fetches what may lie past the end of the memory: a hint, never a fault. */
static inline void gw_zero_prefetch(const void *at, size_t offset)
{
    __builtin_prefetch((const void *)((uintptr_t)at + offset), 0, 3);
}

/* What is looked at between two branches: four cache lines. */
#define GW_ZERO_STEP 256u

/*
 * The check of one page: `end_is_zero` looks at `end_size` bytes, what one
 * register holds; `step_is_zero` at GW_ZERO_STEP bytes.
 */
__attribute__((always_inline)) static inline bool
gw_zero_page_with(bool (*end_is_zero)(const uint8_t *at), size_t end_size,
                  bool (*step_is_zero)(const uint8_t *at), const uint8_t *page)
{
    size_t i;

    /* Most pages with data show it in their first or last bytes. */
    if (!end_is_zero(page) ||
        !end_is_zero(page + GW_ZERO_PAGE_SIZE - end_size)) {
        return false;
    }
    for (i = 0; i < GW_ZERO_PAGE_SIZE; i += GW_ZERO_STEP) {
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i + 64);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i + 128);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i + 192);
        if (!step_is_zero(page + i)) {
            return false;
        }
    }
    return true;
}

__attribute__((always_inline)) static inline void
gw_zero_scan_with(bool (*page_is_zero)(const void *page), const void *pages,
                  size_t n_pages, unsigned long *ret_zero)
{
    const uint8_t *at = pages;
    size_t done = 0;

    while (done < n_pages) {
        size_t n = n_pages - done < 64 ? n_pages - done : 64;
        unsigned long zero = 0;
        size_t i;

        for (i = 0; i < n; i++, at += GW_ZERO_PAGE_SIZE) {
            gw_zero_prefetch(at, GW_ZERO_HEADS_AHEAD * GW_ZERO_PAGE_SIZE);
            zero |= (unsigned long)page_is_zero(at) << i;
        }
        ret_zero[done / 64] = zero;
        done += n;
    }
}

#endif
