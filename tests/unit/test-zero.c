/*
 * Zero-page scan: every variant that this CPU has, on every page that has
 * one byte which is not zero, at the very end of mapped memory.
 */
#include "ram/zero.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAGE GW_ZERO_PAGE_SIZE
#define N_PAGES 193u

/* N_PAGES zero pages that end at an inaccessible one. */
static uint8_t *map_pages(void)
{
    uint8_t *pages = mmap(NULL, (N_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + N_PAGES * PAGE, PAGE, PROT_NONE), 0);
    return pages;
}

static void unmap_pages(uint8_t *pages)
{
    munmap(pages, (N_PAGES + 1) * PAGE);
}

static void each_variant(void (*check)(const struct gw_zero_variant *variant))
{
    const struct gw_zero_variant *variant;
    size_t i;

    for (i = 0; (variant = gw_zero_variant_at(i)); i++) {
        if (variant->supported()) {
            check(variant);
        } else {
            print_message("# this CPU cannot run '%s'\n", variant->name);
        }
    }
}

static void check_single_bytes(const struct gw_zero_variant *variant)
{
    uint8_t *pages = map_pages();
    uint8_t *page = pages + (N_PAGES - 1) * PAGE;
    unsigned long zero = 0;
    size_t i;

    assert_true(variant->page_is_zero(page));
    variant->scan(page, 1, &zero);
    assert_int_equal(zero, 1);
    for (i = 0; i < PAGE; i++) {
        page[i] = (uint8_t)(1u << (i % 8));
        zero = ~0ul;
        variant->scan(page, 1, &zero);
        if (variant->page_is_zero(page) || zero) {
            fail_msg("%s misses byte %zu", variant->name, i);
        }
        page[i] = 0;
    }
    unmap_pages(pages);
}

static void test_zero__each_byte_counts(void **state)
{
    (void)state;
    each_variant(check_single_bytes);
}

static void check_neighbours(const struct gw_zero_variant *variant)
{
    uint8_t *pages = map_pages();

    pages[PAGE - 1] = 1;
    pages[2 * PAGE] = 1;
    assert_true(variant->page_is_zero(pages + PAGE));
    unmap_pages(pages);
}

static void test_zero__neighbours_do_not_count(void **state)
{
    (void)state;
    each_variant(check_neighbours);
}

/* n pages at the end of the mapping, each zero or not as `random` says. */
static void check_pattern(const struct gw_zero_variant *variant, uint8_t *pages,
                          size_t n)
{
    unsigned long zero[N_PAGES / 64 + 2];
    uint8_t *first = pages + (N_PAGES - n) * PAGE;
    size_t n_words = (n + 63) / 64;
    size_t i;

    memset(zero, 0x5a, sizeof(zero));
    memset(pages, 0, N_PAGES * PAGE);
    for (i = 0; i < n; i++) {
        first[i * PAGE + (size_t)random() % PAGE] = random() % 2 ? 0x80 : 0;
    }
    variant->scan(first, n, zero);
    for (i = 0; i < n_words * 64; i++) {
        static const uint8_t nothing[PAGE];
        bool expected =
            i < n && memcmp(first + i * PAGE, nothing, sizeof(nothing)) == 0;

        assert_int_equal(zero[i / 64] >> (i % 64) & 1, expected);
    }
    /* The word behind stays as it was. */
    assert_int_equal(zero[n_words], 0x5a5a5a5a5a5a5a5a);
}

static void check_counts(const struct gw_zero_variant *variant)
{
    static const size_t counts[] = {0,  1,   2,   7,   8,   9,   63, 64,
                                    65, 127, 128, 129, 191, 192, 193};
    uint8_t *pages = map_pages();
    size_t i;

    srandom(1);
    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_pattern(variant, pages, counts[i]);
    }
    unmap_pages(pages);
}

static void test_zero__any_number_of_pages(void **state)
{
    (void)state;
    each_variant(check_counts);
}

static void test_zero__dispatch(void **state)
{
    uint8_t *pages = map_pages();
    unsigned long zero[4];
    size_t i;

    (void)state;
    assert_true(gw_zero_variant_best()->supported());
    for (i = 0; i < N_PAGES; i += 3) {
        pages[i * PAGE + 100] = 1;
    }
    gw_zero_scan(pages, N_PAGES, zero);
    for (i = 0; i < N_PAGES; i++) {
        assert_int_equal(zero[i / 64] >> (i % 64) & 1, i % 3 != 0);
        assert_int_equal(gw_page_is_zero(pages + i * PAGE), i % 3 != 0);
    }
    unmap_pages(pages);
}

/* The plain variant is always there, and last. */
static void test_zero__portable_is_last(void **state)
{
    size_t n = 0;

    (void)state;
    while (gw_zero_variant_at(n)) {
        n++;
    }
    assert_string_equal(gw_zero_variant_at(n - 1)->name, "portable");
    assert_true(gw_zero_variant_at(n - 1)->preferred());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero__each_byte_counts),
        cmocka_unit_test(test_zero__neighbours_do_not_count),
        cmocka_unit_test(test_zero__any_number_of_pages),
        cmocka_unit_test(test_zero__dispatch),
        cmocka_unit_test(test_zero__portable_is_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
