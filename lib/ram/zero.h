/*
 * Zero pages: which pages of a piece of memory hold nothing but zero bytes.
 *
 * Pages are target pages (4096 bytes), page aligned. The work is done by one
 * of several variants, each in a file of its own and compiled for its own
 * instructions; the best one that the CPU has is chosen at each call, which
 * costs a few loads from a constant table. Nothing here keeps state; any
 * thread may call anything at any time.
 *
 * Reading never-populated private memory maps the kernel's zero page and
 * reading a hole of a memfd may allocate it: callers that know of such holes
 * leave them out.
 */
#ifndef GW_RAM_ZERO_H
#define GW_RAM_ZERO_H

#include <stdbool.h>
#include <stddef.h>

#define GW_ZERO_PAGE_SIZE ((size_t)4096)

/* One way to look at pages. */
struct gw_zero_variant {
    /* "avx512", "avx2", "portable". */
    const char *name;
    /* This CPU (and its operating system) can run it. */
    bool (*supported)(void);
    /* It is also the best that this CPU can run. */
    bool (*preferred)(void);
    /* As gw_page_is_zero. */
    bool (*page_is_zero)(const void *page);
    /* As gw_zero_scan. */
    void (*scan)(const void *pages, size_t n_pages, unsigned long *ret_zero);
};

/* True if all bytes of the page at `page` are zero. */
bool gw_page_is_zero(const void *page);

/*
 * Classifies n_pages contiguous pages: bit i of ret_zero (bit i % 64 of word
 * i / 64) is set if page i is zero and cleared if not. All ceil(n_pages / 64)
 * words are written; padding bits are 0.
 */
void gw_zero_scan(const void *pages, size_t n_pages, unsigned long *ret_zero);

/* Variant number `index`, widest first, or NULL past the last. */
const struct gw_zero_variant *gw_zero_variant_at(size_t index);

/* The variant that gw_zero_scan takes on this CPU. */
const struct gw_zero_variant *gw_zero_variant_best(void);

/* The files' tables. Use gw_zero_variant_at. */
extern const struct gw_zero_variant gw_zero_portable;
#ifdef __x86_64__
extern const struct gw_zero_variant gw_zero_avx2;
extern const struct gw_zero_variant gw_zero_avx512;
#endif

#endif
