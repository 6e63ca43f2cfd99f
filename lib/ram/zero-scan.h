/*
 * The loop over pages that all variants share; each includes it and gives it
 * its own check of one page, which the compiler inlines.
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
