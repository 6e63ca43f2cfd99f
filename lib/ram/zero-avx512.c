/*
 * Zero pages with AVX-512: a cache line at a time. Only AVX-512F is needed.
 */
#include "ram/zero.h"

#ifdef __x86_64__
#include <immintrin.h>

#include "ram/zero-scan.h"

#define TARGET __attribute__((target("avx512f")))

static bool supported(void)
{
    return __builtin_cpu_supports("avx512f");
}

/*
 * The first generations (Skylake, Cascade Lake) lower their clock for wide
 * registers and gain nothing: 12.6 GB/s against 13.1 with AVX2, measured on
 * one. VBMI2 came with the generation that does not.
 */
static bool preferred(void)
{
    return supported() && __builtin_cpu_supports("avx512vbmi2");
}

TARGET static inline __m512i load(const void *at, size_t index)
{
    return _mm512_load_si512((const __m512i *)at + index);
}

TARGET static inline bool is_zero(__m512i value)
{
    return _mm512_test_epi64_mask(value, value) == 0;
}

/* 256 bytes from `at`, index in units of 64 bytes. */
TARGET static inline __m512i gather(const void *at, size_t index)
{
    __m512i a = _mm512_or_si512(load(at, index), load(at, index + 1));
    __m512i b = _mm512_or_si512(load(at, index + 2), load(at, index + 3));

    return _mm512_or_si512(a, b);
}

TARGET static bool page_is_zero(const void *page)
{
    size_t i;

    /* Most pages with data show it in their first or last bytes. */
    if (!is_zero(load(page, 0)) || !is_zero(load(page, 63))) {
        return false;
    }
    for (i = 0; i < 64; i += 4) {
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 64);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 64 + 64);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 64 + 128);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 64 + 192);
        if (!is_zero(gather(page, i))) {
            return false;
        }
    }
    return true;
}

TARGET static void scan(const void *pages, size_t n_pages,
                        unsigned long *ret_zero)
{
    gw_zero_scan_with(page_is_zero, pages, n_pages, ret_zero);
}

const struct gw_zero_variant gw_zero_avx512 = {
    .name = "avx512",
    .supported = supported,
    .preferred = preferred,
    .page_is_zero = page_is_zero,
    .scan = scan,
};
#endif
