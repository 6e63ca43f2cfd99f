/*
 * Zero pages with AVX2: 32 bytes at a time.
 */
#include "ram/zero.h"

#ifdef __x86_64__
#include <immintrin.h>

#include "ram/zero-scan.h"

#define TARGET __attribute__((target("avx2")))

static bool supported(void)
{
    return __builtin_cpu_supports("avx2");
}

TARGET static inline __m256i load(const uint8_t *at, size_t index)
{
    return _mm256_load_si256((const __m256i *)at + index);
}

TARGET static inline bool is_zero(__m256i value)
{
    return _mm256_testz_si256(value, value);
}

TARGET static inline bool end_is_zero(const uint8_t *at)
{
    return is_zero(load(at, 0));
}

TARGET static inline bool step_is_zero(const uint8_t *at)
{
    __m256i a = _mm256_or_si256(load(at, 0), load(at, 1));
    __m256i b = _mm256_or_si256(load(at, 2), load(at, 3));
    __m256i c = _mm256_or_si256(load(at, 4), load(at, 5));
    __m256i d = _mm256_or_si256(load(at, 6), load(at, 7));

    return is_zero(
        _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d)));
}

TARGET static bool page_is_zero(const void *page)
{
    return gw_zero_page_with(end_is_zero, sizeof(__m256i), step_is_zero, page);
}

TARGET static void scan(const void *pages, size_t n_pages,
                        unsigned long *ret_zero)
{
    gw_zero_scan_with(page_is_zero, pages, n_pages, ret_zero);
}

const struct gw_zero_variant gw_zero_avx2 = {
    .name = "avx2",
    .supported = supported,
    .preferred = supported,
    .page_is_zero = page_is_zero,
    .scan = scan,
};
#endif
