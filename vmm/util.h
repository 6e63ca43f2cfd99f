/*
 * Small helpers of the VMM. It uses nothing of the library's inside, so it
 * has its own.
 */
#ifndef VMM_UTIL_H
#define VMM_UTIL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <godwit/error.h>

#define VMM_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static inline void vmm_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void vmm_cleanup_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static inline void vmm_cleanup_error(struct gw_error **error)
{
    gw_error_free(*error);
}

/* Frees malloc'ed memory at the end of the scope. */
#define VMM_AUTO_FREE __attribute__((cleanup(vmm_cleanup_free)))
/* Closes a descriptor (if >= 0) at the end of the scope. */
#define VMM_AUTO_FD __attribute__((cleanup(vmm_cleanup_fd)))
/* Frees an error at the end of the scope. */
#define VMM_AUTO_ERROR __attribute__((cleanup(vmm_cleanup_error)))

/* Hands over a descriptor and leaves -1. */
static inline int vmm_take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline int64_t vmm_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
}

/* Nanoseconds since 1970, UTC. */
static inline int64_t vmm_host_time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
}

/* a * b / c without a loss between; what does not fit is cut off. */
static inline int64_t vmm_scale(int64_t a, int64_t b, int64_t c)
{
    return (int64_t)(uint64_t)((__int128)a * b / c);
}

/* Times of a hostile stream may lie anywhere: these wrap. */
static inline int64_t vmm_wrapping_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t vmm_wrapping_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* Unaligned little endian access: the guest's and ELF's order. */
static inline uint16_t vmm_get_le16(const void *from)
{
    const uint8_t *bytes = from;

    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t vmm_get_le32(const void *from)
{
    const uint8_t *bytes = from;

    return (uint32_t)vmm_get_le16(bytes) | (uint32_t)vmm_get_le16(bytes + 2)
                                               << 16;
}

static inline uint64_t vmm_get_le64(const void *from)
{
    const uint8_t *bytes = from;

    return (uint64_t)vmm_get_le32(bytes) | (uint64_t)vmm_get_le32(bytes + 4)
                                               << 32;
}

static inline void vmm_put_le16(void *to, uint16_t value)
{
    uint8_t *bytes = to;

    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static inline void vmm_put_le32(void *to, uint32_t value)
{
    uint8_t *bytes = to;

    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void vmm_put_le64(void *to, uint64_t value)
{
    vmm_put_le32(to, (uint32_t)value);
    vmm_put_le32((uint8_t *)to + 4, (uint32_t)(value >> 32));
}

/* Characters into a field of the guest's, which has no room for a NUL. */
static inline void vmm_put_text(uint8_t *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)text[i];
    }
}

#endif
