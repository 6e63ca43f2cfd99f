/*
 * Scope-bound ownership: locals that release what they own.
 */
#ifndef GW_BASE_CLEANUP_H
#define GW_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#include <godwit/error.h>

#define GW_CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void gw_cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void gw_cleanup_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static inline void gw_cleanup_error(struct gw_error **error)
{
    gw_error_free(*error);
}

/* Frees malloc'ed memory at the end of the scope. */
#define GW_AUTO_FREE GW_CLEANUP(gw_cleanup_free)
/* Closes a descriptor (if >= 0) at the end of the scope. */
#define GW_AUTO_FD GW_CLEANUP(gw_cleanup_fd)
/* Frees an error at the end of the scope. */
#define GW_AUTO_ERROR GW_CLEANUP(gw_cleanup_error)

/* Hands over a descriptor and leaves -1. */
static inline int gw_take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Hands over a pointer and leaves NULL: `*ret = gw_take(&local);` */
#define gw_take(pointer)                               \
    ({                                                 \
        __typeof__(*(pointer)) gw_taken_ = *(pointer); \
        *(pointer) = NULL;                             \
        gw_taken_;                                     \
    })

#endif
