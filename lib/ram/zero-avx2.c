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

TARGET static inline __m256i load(const void *at, size_t index)
{
    return _mm256_load_si256((const __m256i *)at + index);
}

TARGET static inline bool is_zero(__m256i value)
{
    return _mm256_testz_si256(value, value);
}

/* 256 bytes from `at`, index in units of 32 bytes. */
TARGET static inline __m256i gather(const void *at, size_t index)
{
    __m256i a = _mm256_or_si256(load(at, index), load(at, index + 1));
    __m256i b = _mm256_or_si256(load(at, index + 2), load(at, index + 3));
    __m256i c = _mm256_or_si256(load(at, index + 4), load(at, index + 5));
    __m256i d = _mm256_or_si256(load(at, index + 6), load(at, index + 7));

    return _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
}

TARGET static bool page_is_zero(const void *page)
{
    size_t i;

    /* Most pages with data show it in their first or last bytes. */
    if (!is_zero(load(page, 0)) || !is_zero(load(page, 127))) {
        return false;
    }
    for (i = 0; i < 128; i += 8) {
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 32);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 32 + 64);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 32 + 128);
        gw_zero_prefetch(page, GW_ZERO_PAGE_SIZE + i * 32 + 192);
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

const struct gw_zero_variant gw_zero_avx2 = {
    .name = "avx2",
    .supported = supported,
    .preferred = supported,
    .page_is_zero = page_is_zero,
    .scan = scan,
};
#endif
