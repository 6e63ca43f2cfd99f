/*
 * Direct I/O on files: opening, alignment.
 */
#include "channel/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

/* Offsets, lengths and addresses of pages are multiples of this. */
#define PAGE_BYTES 4096u

bool gw_direct_is_on(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_DIRECT);
}

/* Bytes that direct I/O must be aligned to; 0: not possible; 1: not known. */
static uint32_t alignment_of(int fd)
{
    unsigned int sector = 0;
    struct statx st;

    /* Since Linux 6.1; older ones leave the bit of the mask clear. */
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
        (st.stx_mask & STATX_DIOALIGN)) {
        return (uint32_t)gw_max_u64(st.stx_dio_offset_align,
                                    st.stx_dio_mem_align);
    }
    return ioctl(fd, BLKSSZGET, &sector) == 0 ? sector : 1;
}

int gw_direct_check(int fd, struct gw_error **errp)
{
    uint32_t alignment = alignment_of(fd);

    if (alignment == 0) {
        return gw_error_set(errp, -EINVAL,
                            "the file does not support direct I/O");
    }
    if (PAGE_BYTES % alignment != 0) {
        return gw_error_set(errp, -EINVAL,
                            "direct I/O needs blocks of %u bytes here, pages "
                            "have %u",
                            alignment, PAGE_BYTES);
    }
    return 0;
}

int gw_direct_reopen(int fd, bool outgoing, struct gw_error **errp)
{
    GW_AUTO_FD int direct = -1;
    char proc[64];
    int r;

    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    direct =
        open(proc, (outgoing ? O_WRONLY : O_RDONLY) | O_DIRECT | O_CLOEXEC);
    if (direct < 0) {
        r = -errno;
        if (r == -EINVAL) {
            return gw_error_set(errp, r,
                                "filesystem does not support O_DIRECT");
        }
        return gw_error_set_errno(errp, r,
                                  "cannot open the file for direct I/O");
    }
    r = gw_direct_check(direct, errp);
    return r < 0 ? r : gw_take_fd(&direct);
}
