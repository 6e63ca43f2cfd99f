/*
 * Choice of the variant of the zero-page scan.
 *
 * __builtin_cpu_supports reads a constant that the compiler's run-time fills
 * in before main, so that choosing at each call needs no state of ours.
 */
#include "ram/zero.h"

#include "base/util.h"

static const struct gw_zero_variant *const variants[] = {
#ifdef __x86_64__
    &gw_zero_avx512,
    &gw_zero_avx2,
#endif
    &gw_zero_portable,
};

const struct gw_zero_variant *gw_zero_variant_at(size_t index)
{
    return index < GW_ARRAY_SIZE(variants) ? variants[index] : NULL;
}

const struct gw_zero_variant *gw_zero_variant_best(void)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(variants); i++) {
        if (variants[i]->preferred()) {
            return variants[i];
        }
    }
    return &gw_zero_portable;
}

bool gw_page_is_zero(const void *page)
{
    return gw_zero_variant_best()->page_is_zero(page);
}

void gw_zero_scan(const void *pages, size_t n_pages, unsigned long *ret_zero)
{
    gw_zero_variant_best()->scan(pages, n_pages, ret_zero);
}
