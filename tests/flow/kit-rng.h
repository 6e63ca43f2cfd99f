/*
 * Random numbers from a seed, the same everywhere (splitmix64).
 */
#ifndef GW_TESTS_FLOW_KIT_RNG_H
#define GW_TESTS_FLOW_KIT_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kit_rng {
    uint64_t state;
};

static inline uint64_t kit_random(struct kit_rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 .. n - 1; the tiny bias does not matter here. */
static inline uint64_t kit_below(struct kit_rng *rng, uint64_t n)
{
    return kit_random(rng) % n;
}

/* True in `percent` of all cases. */
static inline bool kit_chance(struct kit_rng *rng, unsigned int percent)
{
    return kit_below(rng, 100) < percent;
}

static inline void kit_random_bytes(struct kit_rng *rng, void *data,
                                    size_t size)
{
    uint8_t *at = data;

    while (size) {
        uint64_t value = kit_random(rng);
        size_t n = size < sizeof(value) ? size : sizeof(value);

        memcpy(at, &value, n);
        at += n;
        size -= n;
    }
}

#endif
