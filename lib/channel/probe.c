/*
 * Could an address be opened for writing?
 */
#include "channel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "channel/direct.h"
#include "channel/fd.h"
#include "channel/fdset.h"
#include "channel/file.h"

static uint64_t free_of_file_system(int fd)
{
    struct statvfs vfs;

    if (fstatvfs(fd, &vfs) < 0) {
        return UINT64_MAX;
    }
    return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

static int check_direct(int fd, struct gw_error **errp)
{
    int direct = gw_direct_reopen(fd, true, errp);

    if (direct < 0) {
        return direct;
    }
    close(direct);
    return 0;
}

/*
 * Space of a file that is written where it is, from `start` on. What it has
 * already is written over.
 */
static int probe_open_file(int fd, uint64_t start, struct gw_probe *probe,
                           struct gw_error **errp)
{
    struct stat st;
    uint64_t space;

    if (fstat(fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot look at the file");
    }
    probe->is_seekable = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    probe->is_fixed = S_ISBLK(st.st_mode);
    if (probe->is_fixed) {
        /* Seeking to the end would move a position that others share. */
        if (ioctl(fd, BLKGETSIZE64, &space) == 0) {
            probe->free_bytes = space <= start ? 0 : space - start;
        }
    } else if (S_ISREG(st.st_mode)) {
        space = free_of_file_system(fd);
        if (!__builtin_add_overflow(space, (uint64_t)st.st_blocks * 512,
                                    &space)) {
            probe->free_bytes = space;
        }
    }
    return 0;
}

/*
 * A device or pipe: an open could have an effect on who is at its other end,
 * so that only the permission is looked at.
 */
static int probe_special(const char *path, bool direct, struct gw_error **errp)
{
    if (direct) {
        return gw_error_set(errp, -EINVAL,
                            "Could not open '%s': neither a regular file nor "
                            "a block device: direct I/O is not possible",
                            path);
    }
    return access(path, W_OK) < 0 ? gw_file_cannot_create(path, -errno, errp)
                                  : 0;
}

static int probe_in_place(const char *path, uint64_t offset, bool direct,
                          struct gw_probe *probe, struct gw_error **errp)
{
    GW_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    int r;

    if (fd < 0) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    r = direct ? check_direct(fd, errp) : 0;
    if (r < 0) {
        return gw_error_prefix(errp, r, "Could not open '%s'", path);
    }
    return probe_open_file(fd, offset, probe, errp);
}

/*
 * Whether files of this directory can do direct I/O is seen from one without
 * a name, of which nothing stays. Where there are none, it is not known, and
 * not said to be impossible.
 */
static int probe_direct_in(int dir_fd, const char *path, struct gw_error **errp)
{
    GW_AUTO_FD int fd =
        openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    int r;

    if (fd < 0) {
        return 0;
    }
    r = check_direct(fd, errp);
    return r < 0 ? gw_error_prefix(errp, r, "Could not open '%s'", path) : 0;
}

/* A new file beside the target, which stays until it is replaced. */
static int probe_beside(const char *path, bool direct, struct gw_probe *probe,
                        struct gw_error **errp)
{
    GW_AUTO_FREE char *copy = strdup(path);
    GW_AUTO_FD int fd = -1;

    if (!copy) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    probe->is_seekable = true;
    probe->free_bytes = free_of_file_system(fd);
    return direct ? probe_direct_in(fd, path, errp) : 0;
}

static int probe_file(const char *path, uint64_t offset, bool direct,
                      struct gw_probe *probe, struct gw_error **errp)
{
    GW_AUTO_FREE char *real = NULL;
    struct stat st;

    if (stat(path, &st) < 0) {
        return errno == ENOENT ? probe_beside(path, direct, probe, errp)
                               : gw_file_cannot_create(path, -errno, errp);
    }
    if (S_ISDIR(st.st_mode)) {
        return gw_file_cannot_create(path, -EISDIR, errp);
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return probe_special(path, direct, errp);
    }
    if (!S_ISREG(st.st_mode) || offset > 0) {
        return probe_in_place(path, offset, direct, probe, errp);
    }
    if (access(path, W_OK) < 0) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    real = realpath(path, NULL);
    return probe_beside(real ? real : path, direct, probe, errp);
}

static int probe_set(const struct gw_address *address, struct gw_fdsets *fdsets,
                     bool direct, struct gw_probe *probe,
                     struct gw_error **errp)
{
    struct gw_fdset_use use;
    int r = gw_fdset_use_begin(fdsets, address->path, address->offset, true,
                               direct, &use, errp);

    if (r == 0) {
        r = probe_open_file(use.fd, address->offset, probe, errp);
        gw_fdset_use_end(&use);
    }
    return r;
}

static int probe_fd(int fd, bool direct, struct gw_probe *probe,
                    struct gw_error **errp)
{
    int r = gw_fd_check_mode(fd, true, errp);

    if (r == 0) {
        r = probe_open_file(fd, 0, probe, errp);
    }
    if (r < 0) {
        return r;
    }
    if (direct && !probe->is_seekable) {
        return gw_fd_not_direct(fd, errp);
    }
    r = probe->is_seekable ? gw_fd_check_append(fd, errp) : 0;
    if (r < 0) {
        return r;
    }
    return direct ? check_direct(fd, errp) : 0;
}

int gw_channel_probe(const struct gw_address *address, struct gw_fdsets *fdsets,
                     int fd, bool direct, struct gw_probe *ret_probe,
                     struct gw_error **errp)
{
    *ret_probe = (struct gw_probe){.free_bytes = UINT64_MAX};
    switch (address->transport) {
    case GW_TRANSPORT_FILE:
        if (address->offset > INT64_MAX) {
            return gw_error_set(errp, -EINVAL,
                                "failed to truncate migration file to offset "
                                "%llx: Invalid argument",
                                (unsigned long long)address->offset);
        }
        return gw_fdset_is_path(address->path)
                   ? probe_set(address, fdsets, direct, ret_probe, errp)
                   : probe_file(address->path, address->offset, direct,
                                ret_probe, errp);
    case GW_TRANSPORT_FD:
        return probe_fd(fd, direct, ret_probe, errp);
    default:
        return gw_channel_not_supported(address, errp);
    }
}
