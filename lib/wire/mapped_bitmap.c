/*
 * The page bitmap of a mapped-ram file.
 */
#include "wire/mapped_bitmap.h"

uint64_t gw_mapped_bitmap_find(const uint8_t *bitmap, uint64_t n_bits,
                               uint64_t from, bool value)
{
    uint8_t skip = value ? 0x00 : 0xff;
    uint64_t bit = from;

    while (bit < n_bits) {
        if (bit % 8 == 0 && bitmap[bit / 8] == skip) {
            bit += 8;
            continue;
        }
        if (gw_mapped_bitmap_test(bitmap, bit) == value) {
            return bit;
        }
        bit++;
    }
    return n_bits;
}

uint64_t gw_mapped_bitmap_count(const uint8_t *bitmap, uint64_t n_bits)
{
    uint64_t count = 0;
    uint64_t bit;
    uint64_t i;

    for (i = 0; i < n_bits / 8; i++) {
        count += (uint64_t)__builtin_popcount(bitmap[i]);
    }
    for (bit = n_bits / 8 * 8; bit < n_bits; bit++) {
        count += gw_mapped_bitmap_test(bitmap, bit);
    }
    return count;
}
