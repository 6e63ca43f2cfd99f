/*
 * Bitmaps: one bit per page of a RAM block, or of anything else that has an
 * index.
 *
 * Bits at and above n_bits inside the last word are always 0 (invariant of
 * every function here), so that words can be compared, counted and written
 * out whole. No locking: a bitmap belongs to one thread at a time.
 */
#ifndef GW_RAM_BITMAP_H
#define GW_RAM_BITMAP_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_BITMAP_WORD_BITS ((uint64_t)(CHAR_BIT * sizeof(unsigned long)))

struct gw_bitmap {
    unsigned long *words; /* owned; bit i is bit i % 64 of word i / 64 */
    uint64_t n_bits;      /* indices are 0 .. n_bits - 1 */
};

/* Allocates n_bits clear bits (0 is fine). -ENOMEM. */
int gw_bitmap_init(struct gw_bitmap *bitmap, uint64_t n_bits);

/* Frees the words and leaves a bitmap of no bits; a zeroed struct is fine. */
void gw_bitmap_deinit(struct gw_bitmap *bitmap);

#define GW_AUTO_BITMAP __attribute__((cleanup(gw_bitmap_deinit)))

static inline uint64_t gw_bitmap_n_words(const struct gw_bitmap *bitmap)
{
    return bitmap->n_bits / GW_BITMAP_WORD_BITS +
           (bitmap->n_bits % GW_BITMAP_WORD_BITS != 0);
}

static inline unsigned long gw_bitmap_mask(uint64_t bit)
{
    return 1ul << (bit % GW_BITMAP_WORD_BITS);
}

static inline bool gw_bitmap_test(const struct gw_bitmap *bitmap, uint64_t bit)
{
    assert(bit < bitmap->n_bits);
    return bitmap->words[bit / GW_BITMAP_WORD_BITS] & gw_bitmap_mask(bit);
}

static inline void gw_bitmap_set(struct gw_bitmap *bitmap, uint64_t bit)
{
    assert(bit < bitmap->n_bits);
    bitmap->words[bit / GW_BITMAP_WORD_BITS] |= gw_bitmap_mask(bit);
}

static inline void gw_bitmap_clear(struct gw_bitmap *bitmap, uint64_t bit)
{
    assert(bit < bitmap->n_bits);
    bitmap->words[bit / GW_BITMAP_WORD_BITS] &= ~gw_bitmap_mask(bit);
}

/* The bits of start .. end - 1 (not empty) that lie in the word `index`. */
unsigned long gw_bitmap_range_mask(uint64_t index, uint64_t start,
                                   uint64_t end);

/* Set or clear the bits start .. end - 1; start <= end <= n_bits. */
void gw_bitmap_set_range(struct gw_bitmap *bitmap, uint64_t start,
                         uint64_t end);
void gw_bitmap_clear_range(struct gw_bitmap *bitmap, uint64_t start,
                           uint64_t end);

/* Number of set bits, in all or in start .. end - 1. */
uint64_t gw_bitmap_count(const struct gw_bitmap *bitmap);
uint64_t gw_bitmap_count_range(const struct gw_bitmap *bitmap, uint64_t start,
                               uint64_t end);

/* Index of the first set (clear) bit at or after `from`; n_bits if none. */
uint64_t gw_bitmap_find_next_set(const struct gw_bitmap *bitmap, uint64_t from);
uint64_t gw_bitmap_find_next_clear(const struct gw_bitmap *bitmap,
                                   uint64_t from);

/*
 * The first whole or partial run of set bits at or after `from`: bits
 * *ret_start .. *ret_end - 1 are set. False if no bit is set any more. Loop:
 *
 *     uint64_t start, end = 0;
 *     while (gw_bitmap_next_run(&bitmap, end, &start, &end)) { ... }
 */
bool gw_bitmap_next_run(const struct gw_bitmap *bitmap, uint64_t from,
                        uint64_t *ret_start, uint64_t *ret_end);

/*
 * The same for the bits from .. end - 1 alone: no other word is looked at, so
 * that another thread may have it.
 */
bool gw_bitmap_next_run_in(const struct gw_bitmap *bitmap, uint64_t from,
                           uint64_t end, uint64_t *ret_start,
                           uint64_t *ret_end);

/*
 * Bytes of n_bits in the layouts of the formats: 8 * ceil(n_bits / 64).
 * At most 2^61, which no file has.
 */
static inline uint64_t gw_bitmap_bytes(uint64_t n_bits)
{
    return (n_bits / 64 + (n_bits % 64 != 0)) * 8;
}

/*
 * To and from little-endian bytes: bit i is bit i % 8 of byte i / 8, padded
 * with 0 to a multiple of 8 bytes. This is mapped-ram's layout as written by
 * a little-endian host, and that of the received bitmap on the return path.
 * `bytes` has gw_bitmap_bytes(n_bits) bytes, at any alignment.
 *
 * _get_le replaces all bits. It returns false, with the bitmap filled in all
 * the same, if padding bits at or above n_bits were set.
 */
void gw_bitmap_put_le(const struct gw_bitmap *bitmap, void *bytes);
bool gw_bitmap_get_le(struct gw_bitmap *bitmap, const void *bytes);

#endif
