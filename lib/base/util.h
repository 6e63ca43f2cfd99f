/*
 * Small helpers without a room of their own.
 */
#ifndef GW_BASE_UTIL_H
#define GW_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define GW_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of which `pointer` is the member. */
#define gw_container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline uint64_t gw_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t gw_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounds up to a multiple of a power of two; wraps beyond 2^64. */
static inline uint64_t gw_align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline bool gw_is_aligned(uint64_t value, uint64_t alignment)
{
    return (value & (alignment - 1)) == 0;
}

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline uint64_t gw_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Milliseconds of CLOCK_MONOTONIC. */
static inline uint64_t gw_now_ms(void)
{
    return gw_now_ns() / 1000000u;
}

#endif
