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

TARGET static inline __m512i load(const uint8_t *at, size_t index)
{
    return _mm512_load_si512((const __m512i *)at + index);
}

TARGET static inline bool is_zero(__m512i value)
{
    return _mm512_test_epi64_mask(value, value) == 0;
}

TARGET static inline bool end_is_zero(const uint8_t *at)
{
    return is_zero(load(at, 0));
}

TARGET static inline bool step_is_zero(const uint8_t *at)
{
    __m512i a = _mm512_or_si512(load(at, 0), load(at, 1));
    __m512i b = _mm512_or_si512(load(at, 2), load(at, 3));

    return is_zero(_mm512_or_si512(a, b));
}

TARGET static bool page_is_zero(const void *page)
{
    return gw_zero_page_with(end_is_zero, sizeof(__m512i), step_is_zero, page);
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
