/*
 * Zero pages in plain C, for any CPU: 64-bit words, which the compiler turns
 * into what every machine of the architecture has (SSE2 on x86-64).
 */
#include "ram/zero.h"

#include <stdint.h>

#include "ram/zero-scan.h"

/* Guest memory is of any type. */
typedef uint64_t __attribute__((may_alias)) word;

#define WORDS (GW_ZERO_PAGE_SIZE / sizeof(word))

/* Words per step: two cache lines. */
#define STEP 16u

static bool supported(void)
{
    return true;
}

static bool page_is_zero(const void *page)
{
    const word *words = page;
    size_t i;
    size_t j;

    /* Most pages with data show it in their first or last bytes. */
    if (words[0] | words[WORDS - 1]) {
        return false;
    }
    for (i = 0; i < WORDS; i += STEP) {
        word any = 0;

        gw_zero_prefetch(words + i, GW_ZERO_PAGE_SIZE);
        gw_zero_prefetch(words + i, GW_ZERO_PAGE_SIZE + 64);
        for (j = 0; j < STEP; j++) {
            any |= words[i + j];
        }
        if (any) {
            return false;
        }
    }
    return true;
}

static void scan(const void *pages, size_t n_pages, unsigned long *ret_zero)
{
    gw_zero_scan_with(page_is_zero, pages, n_pages, ret_zero);
}

const struct gw_zero_variant gw_zero_portable = {
    .name = "portable",
    .supported = supported,
    .preferred = supported,
    .page_is_zero = page_is_zero,
    .scan = scan,
};
