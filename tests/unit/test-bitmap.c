/*
 * Bitmaps: every range between the word borders, against a plain array of
 * bools that does the same the simple way.
 */
#include "ram/bitmap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MAX_BITS 200

/* Sizes and positions around the borders of words. */
static const uint64_t borders[] = {0,  1,   2,   7,   8,   63,  64,  65,  66,
                                   72, 126, 127, 128, 129, 191, 192, 193, 200};

#define N_BORDERS (sizeof(borders) / sizeof(borders[0]))

static uint64_t model_find(const bool *model, uint64_t n_bits, uint64_t from,
                           bool value)
{
    while (from < n_bits && model[from] != value) {
        from++;
    }
    return from < n_bits ? from : n_bits;
}

/* Compares all that can be asked with the model, and checks the padding. */
static void check_against(const struct gw_bitmap *bitmap, const bool *model)
{
    uint64_t n_bits = bitmap->n_bits;
    uint64_t n_set = 0;
    uint64_t i;

    for (i = 0; i < n_bits; i++) {
        assert_int_equal(gw_bitmap_test(bitmap, i), model[i]);
        assert_int_equal(gw_bitmap_find_next_set(bitmap, i),
                         model_find(model, n_bits, i, true));
        assert_int_equal(gw_bitmap_find_next_clear(bitmap, i),
                         model_find(model, n_bits, i, false));
        assert_int_equal(gw_bitmap_count_range(bitmap, 0, i), n_set);
        n_set += model[i];
    }
    assert_int_equal(gw_bitmap_count(bitmap), n_set);
    assert_int_equal(gw_bitmap_find_next_set(bitmap, n_bits), n_bits);
    assert_int_equal(gw_bitmap_find_next_clear(bitmap, n_bits + 1), n_bits);
    if (n_bits % 64) {
        assert_int_equal(bitmap->words[n_bits / 64] >> (n_bits % 64), 0);
    }
}

static void test_bitmap__starts_clear(void **state)
{
    bool model[MAX_BITS] = {false};
    size_t i;

    (void)state;
    for (i = 0; i < N_BORDERS; i++) {
        struct gw_bitmap bitmap;

        assert_int_equal(gw_bitmap_init(&bitmap, borders[i]), 0);
        check_against(&bitmap, model);
        gw_bitmap_deinit(&bitmap);
        gw_bitmap_deinit(&bitmap);
    }
}

static void test_bitmap__too_large_is_refused(void **state)
{
    struct gw_bitmap bitmap = {0};

    (void)state;
    assert_int_equal(gw_bitmap_init(&bitmap, UINT64_MAX), -ENOMEM);
    assert_null(bitmap.words);
}

static void check_range(uint64_t n_bits, uint64_t start, uint64_t end)
{
    bool model[MAX_BITS] = {false};
    GW_AUTO_BITMAP struct gw_bitmap bitmap = {0};
    uint64_t i;

    assert_int_equal(gw_bitmap_init(&bitmap, n_bits), 0);
    gw_bitmap_set_range(&bitmap, start, end);
    for (i = start; i < end; i++) {
        model[i] = true;
    }
    check_against(&bitmap, model);
    assert_int_equal(gw_bitmap_count_range(&bitmap, start, end), end - start);

    gw_bitmap_set_range(&bitmap, 0, n_bits);
    gw_bitmap_clear_range(&bitmap, start, end);
    for (i = 0; i < n_bits; i++) {
        model[i] = i < start || i >= end;
    }
    check_against(&bitmap, model);
}

static void test_bitmap__ranges_at_word_borders(void **state)
{
    size_t size;
    size_t start;
    size_t end;

    (void)state;
    for (size = 0; size < N_BORDERS; size++) {
        for (end = 0; end <= size; end++) {
            for (start = 0; start <= end; start++) {
                check_range(borders[size], borders[start], borders[end]);
            }
        }
    }
}

static void test_bitmap__single_bits(void **state)
{
    bool model[MAX_BITS] = {false};
    GW_AUTO_BITMAP struct gw_bitmap bitmap = {0};
    uint64_t i;

    (void)state;
    assert_int_equal(gw_bitmap_init(&bitmap, MAX_BITS), 0);
    for (i = 0; i < MAX_BITS; i++) {
        gw_bitmap_set(&bitmap, i);
        model[i] = true;
        check_against(&bitmap, model);
        gw_bitmap_clear(&bitmap, i);
        model[i] = false;
    }
    check_against(&bitmap, model);
}

static void test_bitmap__runs(void **state)
{
    static const uint64_t runs[][2] = {
        {0, 1}, {5, 64}, {65, 128}, {129, 199}, {199, 200}};
    GW_AUTO_BITMAP struct gw_bitmap bitmap = {0};
    uint64_t start = 77;
    uint64_t end = 0;
    size_t i;

    (void)state;
    assert_int_equal(gw_bitmap_init(&bitmap, MAX_BITS), 0);
    assert_false(gw_bitmap_next_run(&bitmap, 0, &start, &end));
    assert_int_equal(start, 77);

    for (i = 0; i < 4; i++) {
        gw_bitmap_set_range(&bitmap, runs[i][0], runs[i][1]);
    }
    for (i = 0; i < 4; i++) {
        assert_true(gw_bitmap_next_run(&bitmap, end, &start, &end));
        assert_int_equal(start, runs[i][0]);
        assert_int_equal(end, runs[i][1]);
    }
    assert_false(gw_bitmap_next_run(&bitmap, end, &start, &end));

    /* From inside a run: its rest. A run that reaches the last bit ends. */
    gw_bitmap_set(&bitmap, 199);
    assert_true(gw_bitmap_next_run(&bitmap, 150, &start, &end));
    assert_int_equal(start, 150);
    assert_int_equal(end, 200);
    assert_false(gw_bitmap_next_run(&bitmap, end, &start, &end));
}

static void test_bitmap__bytes_of_a_size(void **state)
{
    (void)state;
    assert_int_equal(gw_bitmap_bytes(0), 0);
    assert_int_equal(gw_bitmap_bytes(1), 8);
    assert_int_equal(gw_bitmap_bytes(64), 8);
    assert_int_equal(gw_bitmap_bytes(65), 16);
    /* Must not wrap. */
    assert_true(gw_bitmap_bytes(UINT64_MAX) == UINT64_C(1) << 61);
}

static void test_bitmap__little_endian_bytes(void **state)
{
    /* Bits 0, 9, 63, 64, 66 of 67; at an odd address. */
    static const uint8_t expected[17] = {0xff, 0x01, 0x02, 0, 0, 0, 0, 0, 0x80,
                                         0x05, 0,    0,    0, 0, 0, 0, 0};
    uint8_t bytes[17] = {0xff};
    GW_AUTO_BITMAP struct gw_bitmap bitmap = {0};
    GW_AUTO_BITMAP struct gw_bitmap back = {0};

    (void)state;
    assert_int_equal(gw_bitmap_init(&bitmap, 67), 0);
    assert_int_equal(gw_bitmap_init(&back, 67), 0);
    gw_bitmap_set(&bitmap, 0);
    gw_bitmap_set(&bitmap, 9);
    gw_bitmap_set_range(&bitmap, 63, 65);
    gw_bitmap_set(&bitmap, 66);
    gw_bitmap_put_le(&bitmap, bytes + 1);
    assert_memory_equal(bytes, expected, sizeof(expected));

    gw_bitmap_set(&back, 5);
    assert_true(gw_bitmap_get_le(&back, bytes + 1));
    assert_memory_equal(back.words, bitmap.words, 16);
}

static void test_bitmap__padding_bits_are_reported(void **state)
{
    uint8_t bytes[16] = {[8] = 0x0f};
    GW_AUTO_BITMAP struct gw_bitmap bitmap = {0};

    (void)state;
    assert_int_equal(gw_bitmap_init(&bitmap, 68), 0);
    assert_true(gw_bitmap_get_le(&bitmap, bytes));
    assert_int_equal(gw_bitmap_count(&bitmap), 4);
    bytes[8] = 0x10;
    assert_false(gw_bitmap_get_le(&bitmap, bytes));
    assert_int_equal(gw_bitmap_count(&bitmap), 0);
    bytes[8] = 0;
    bytes[15] = 0x80;
    assert_false(gw_bitmap_get_le(&bitmap, bytes));
    assert_int_equal(gw_bitmap_find_next_clear(&bitmap, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitmap__starts_clear),
        cmocka_unit_test(test_bitmap__too_large_is_refused),
        cmocka_unit_test(test_bitmap__ranges_at_word_borders),
        cmocka_unit_test(test_bitmap__single_bits),
        cmocka_unit_test(test_bitmap__runs),
        cmocka_unit_test(test_bitmap__bytes_of_a_size),
        cmocka_unit_test(test_bitmap__little_endian_bytes),
        cmocka_unit_test(test_bitmap__padding_bits_are_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
