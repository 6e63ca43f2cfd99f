/*
 * Zero pages in plain C, for any CPU: 64-bit words, which the compiler turns
 * into what every machine of the architecture has (SSE2 on x86-64).
 */
#include "ram/zero.h"

#include <stdint.h>

#include "ram/zero-scan.h"

/* Guest memory is of any type. */
typedef uint64_t __attribute__((may_alias)) word;

static bool supported(void)
{
    return true;
}

static bool end_is_zero(const uint8_t *at)
{
    return !*(const word *)at;
}

static bool step_is_zero(const uint8_t *at)
{
    const word *words = (const word *)at;
    word any = 0;
    size_t i;

    for (i = 0; i < GW_ZERO_STEP / sizeof(word); i++) {
        any |= words[i];
    }
    return !any;
}

static bool page_is_zero(const void *page)
{
    return gw_zero_page_with(end_is_zero, sizeof(word), step_is_zero, page);
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
