/*
 * The page bitmap of a mapped-ram file (stream spec 4.3): bit k of byte k/8
 * first, as little-endian hosts lay it out, in whole 64-bit words. Files of
 * big-endian hosts have another order, and nothing in them says so; neither
 * QEMU nor we move them between the two.
 */
#ifndef GW_WIRE_MAPPED_BITMAP_H
#define GW_WIRE_MAPPED_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

static inline bool gw_mapped_bitmap_test(const uint8_t *bitmap, uint64_t bit)
{
    return bitmap[bit / 8] >> (bit % 8) & 1;
}

static inline void gw_mapped_bitmap_set(uint8_t *bitmap, uint64_t bit)
{
    bitmap[bit / 8] |= (uint8_t)(1u << (bit % 8));
}

static inline void gw_mapped_bitmap_clear(uint8_t *bitmap, uint64_t bit)
{
    bitmap[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

/*
 * The first bit at or behind `from` and before `n_bits` that is `value`, or
 * n_bits.
 */
uint64_t gw_mapped_bitmap_find(const uint8_t *bitmap, uint64_t n_bits,
                               uint64_t from, bool value);

/* The number of bits set among the first `n_bits`. */
uint64_t gw_mapped_bitmap_count(const uint8_t *bitmap, uint64_t n_bits);

#endif
