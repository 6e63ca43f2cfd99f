/*
 * PAGEMAP_SCAN and userfaultfd.
 */
#include "ram/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The kernel's struct pm_scan_arg. */
struct scan_arg {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t vec;
    uint64_t vec_len;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};

_Static_assert(sizeof(struct scan_arg) == 96, "as the kernel has it");
_Static_assert(sizeof(struct gw_pagemap_region) == 24, "as the kernel has it");

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
/* Protect what matches; fail where memory is not registered for it. */
#define SCAN_PROTECT UINT64_C(1)
#define SCAN_CHECK_ASYNC UINT64_C(2)

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
/* Protection goes off without a handler (and markers are made). */
#define FEATURE_WP_ASYNC (UINT64_C(1) << 15)

int gw_pagemap_open(struct gw_error **errp)
{
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "/proc/self/pagemap");
    }
    return fd;
}

int gw_pagemap_scan(int fd, const struct gw_pagemap_query *query,
                    uint64_t *start, uint64_t end,
                    struct gw_pagemap_region *regions, size_t n_regions)
{
    struct scan_arg arg = {
        .size = sizeof(arg),
        .flags = query->protect ? SCAN_PROTECT | SCAN_CHECK_ASYNC : 0,
        .start = *start,
        .end = end,
        .vec = (uint64_t)(uintptr_t)regions,
        .vec_len = n_regions,
        .category_inverted = query->inverted,
        .category_mask = query->all_of,
        .category_anyof_mask = query->any_of,
        .return_mask = query->returned,
    };
    int n = ioctl(fd, SCAN_IOCTL, &arg);

    if (n < 0) {
        return -errno;
    }
    if (arg.walk_end <= *start) {
        /* Would be asked for ever. */
        return -EIO;
    }
    *start = arg.walk_end;
    return n;
}

/*
 * With UFFD_USER_MODE_ONLY no privilege is needed. It restricts what is
 * handed to a handler; protection that goes off by itself has none, so what
 * the kernel writes for a system call counts, too.
 */
int gw_uffd_open(struct gw_error **errp)
{
    struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_WP_ASYNC};
    GW_AUTO_FD int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK |
                                                          UFFD_USER_MODE_ONLY);

    if (fd < 0) {
        return gw_error_set(errp, -ENOTSUP, "%s",
                            errno == EPERM ? "userfaultfd is not permitted here"
                                           : "the kernel has no userfaultfd");
    }
    if (ioctl(fd, UFFDIO_API, &api) < 0) {
        return gw_error_set(errp, -ENOTSUP,
                            "the kernel's userfaultfd has no asynchronous "
                            "write-protection (Linux 6.7)");
    }
    return gw_take_fd(&fd);
}

int gw_uffd_register(int uffd, const void *host, uint64_t size)
{
    struct uffdio_register arg = {
        .range = {.start = (uint64_t)(uintptr_t)host, .len = size},
        .mode = UFFDIO_REGISTER_MODE_WP,
    };

    return ioctl(uffd, UFFDIO_REGISTER, &arg) < 0 ? -errno : 0;
}

int gw_uffd_protect(int uffd, const void *host, uint64_t size)
{
    struct uffdio_writeprotect arg = {
        .range = {.start = (uint64_t)(uintptr_t)host, .len = size},
        .mode = UFFDIO_WRITEPROTECT_MODE_WP,
    };

    return ioctl(uffd, UFFDIO_WRITEPROTECT, &arg) < 0 ? -errno : 0;
}
