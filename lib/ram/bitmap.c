/*
 * Bitmaps. Everything works a word at a time; the masks of the first and the
 * last word are the only places where single bits matter.
 */
#include "ram/bitmap.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

_Static_assert(sizeof(unsigned long) == 8, "a word has 64 bits");

#define WORD_BITS GW_BITMAP_WORD_BITS

/* Bits from `bit` upwards inside its word. */
static unsigned long mask_from(uint64_t bit)
{
    return ~0ul << (bit % WORD_BITS);
}

/* Bits below `end` inside the word of end - 1; all if end is at a border. */
static unsigned long mask_below(uint64_t end)
{
    return ~0ul >> (-end % WORD_BITS);
}

int gw_bitmap_init(struct gw_bitmap *bitmap, uint64_t n_bits)
{
    struct gw_bitmap fresh = {.n_bits = n_bits};

    fresh.words =
        calloc(gw_max_u64(gw_bitmap_n_words(&fresh), 1), sizeof(*fresh.words));
    if (!fresh.words) {
        return -ENOMEM;
    }
    *bitmap = fresh;
    return 0;
}

void gw_bitmap_deinit(struct gw_bitmap *bitmap)
{
    free(bitmap->words);
    *bitmap = (struct gw_bitmap){0};
}

unsigned long gw_bitmap_range_mask(uint64_t index, uint64_t start, uint64_t end)
{
    unsigned long mask = ~0ul;

    if (index == start / WORD_BITS) {
        mask &= mask_from(start);
    }
    if (index == (end - 1) / WORD_BITS) {
        mask &= mask_below(end);
    }
    return mask;
}

void gw_bitmap_set_range(struct gw_bitmap *bitmap, uint64_t start, uint64_t end)
{
    uint64_t i;

    assert(start <= end && end <= bitmap->n_bits);
    if (start == end) {
        return;
    }
    for (i = start / WORD_BITS; i <= (end - 1) / WORD_BITS; i++) {
        bitmap->words[i] |= gw_bitmap_range_mask(i, start, end);
    }
}

void gw_bitmap_clear_range(struct gw_bitmap *bitmap, uint64_t start,
                           uint64_t end)
{
    uint64_t i;

    assert(start <= end && end <= bitmap->n_bits);
    if (start == end) {
        return;
    }
    for (i = start / WORD_BITS; i <= (end - 1) / WORD_BITS; i++) {
        bitmap->words[i] &= ~gw_bitmap_range_mask(i, start, end);
    }
}

uint64_t gw_bitmap_count_range(const struct gw_bitmap *bitmap, uint64_t start,
                               uint64_t end)
{
    uint64_t n_set = 0;
    uint64_t i;

    assert(start <= end && end <= bitmap->n_bits);
    if (start == end) {
        return 0;
    }
    for (i = start / WORD_BITS; i <= (end - 1) / WORD_BITS; i++) {
        n_set += (uint64_t)__builtin_popcountl(
            bitmap->words[i] & gw_bitmap_range_mask(i, start, end));
    }
    return n_set;
}

uint64_t gw_bitmap_count(const struct gw_bitmap *bitmap)
{
    return gw_bitmap_count_range(bitmap, 0, bitmap->n_bits);
}

/* First bit of from .. end - 1 that is set in words ^ invert, or `end`. */
static uint64_t find_next(const struct gw_bitmap *bitmap, uint64_t from,
                          uint64_t end, unsigned long invert)
{
    uint64_t n_words = end / WORD_BITS + (end % WORD_BITS != 0);
    uint64_t i = from / WORD_BITS;
    unsigned long word;

    assert(end <= bitmap->n_bits);
    if (from >= end) {
        return end;
    }
    word = (bitmap->words[i] ^ invert) & mask_from(from);
    while (!word) {
        if (++i == n_words) {
            return end;
        }
        word = bitmap->words[i] ^ invert;
    }
    /* Inverted padding reads as set: it lies at or above n_bits. */
    return gw_min_u64(i * WORD_BITS + (uint64_t)__builtin_ctzl(word), end);
}

uint64_t gw_bitmap_find_next_set(const struct gw_bitmap *bitmap, uint64_t from)
{
    return find_next(bitmap, from, bitmap->n_bits, 0);
}

uint64_t gw_bitmap_find_next_clear(const struct gw_bitmap *bitmap,
                                   uint64_t from)
{
    return find_next(bitmap, from, bitmap->n_bits, ~0ul);
}

bool gw_bitmap_next_run_in(const struct gw_bitmap *bitmap, uint64_t from,
                           uint64_t end, uint64_t *ret_start, uint64_t *ret_end)
{
    uint64_t start = find_next(bitmap, from, end, 0);

    if (start >= end) {
        return false;
    }
    *ret_start = start;
    *ret_end = find_next(bitmap, start, end, ~0ul);
    return true;
}

bool gw_bitmap_next_run(const struct gw_bitmap *bitmap, uint64_t from,
                        uint64_t *ret_start, uint64_t *ret_end)
{
    return gw_bitmap_next_run_in(bitmap, from, bitmap->n_bits, ret_start,
                                 ret_end);
}

void gw_bitmap_put_le(const struct gw_bitmap *bitmap, void *bytes)
{
    uint8_t *at = bytes;
    uint64_t i;

    for (i = 0; i < gw_bitmap_n_words(bitmap); i++) {
        uint64_t word = htole64(bitmap->words[i]);

        memcpy(at + i * 8, &word, 8);
    }
}

bool gw_bitmap_get_le(struct gw_bitmap *bitmap, const void *bytes)
{
    uint64_t n_words = gw_bitmap_n_words(bitmap);
    const uint8_t *at = bytes;
    unsigned long padding = 0;
    uint64_t i;

    for (i = 0; i < n_words; i++) {
        uint64_t word;

        memcpy(&word, at + i * 8, 8);
        bitmap->words[i] = le64toh(word);
    }
    if (n_words) {
        padding = bitmap->words[n_words - 1] & ~mask_below(bitmap->n_bits);
        bitmap->words[n_words - 1] &= ~padding;
    }
    return padding == 0;
}
