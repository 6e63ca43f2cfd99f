/*
 * File channels: atomic saves beside the target, saves in place, loads.
 */
#include "channel/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "channel/direct.h"

struct file_channel {
    struct gw_channel base;
    /* directory of the target; -1 when written in place or read */
    int dir_fd;
    /* last component of the target; NULL likewise */
    char *name;
    /* the name the file has until it is finished */
    char *temp_name;
    /* temp_name exists and is ours to remove */
    bool temp_linked;
};

static struct file_channel *to_file(struct gw_channel *channel)
{
    return (struct file_channel *)channel;
}

/*
 * Gives the unnamed file a name beside the target. The name is always the
 * same for a target, so what a killed process left behind is replaced.
 */
static int link_temp(struct file_channel *file, struct gw_error **errp)
{
    char proc[64];

    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", file->base.fd);
    unlinkat(file->dir_fd, file->temp_name, 0);
    if (linkat(AT_FDCWD, proc, file->dir_fd, file->temp_name,
               AT_SYMLINK_FOLLOW) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot name '%s'",
                                  file->temp_name);
    }
    file->temp_linked = true;
    return 0;
}

/* A target that does not exist yet needs no second name on the way. */
static bool link_target(struct file_channel *file)
{
    char proc[64];

    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", file->base.fd);
    return linkat(AT_FDCWD, proc, file->dir_fd, file->name,
                  AT_SYMLINK_FOLLOW) == 0;
}

static int commit_name(struct file_channel *file, struct gw_error **errp)
{
    int r;

    if (!file->temp_linked) {
        if (link_target(file)) {
            return 0;
        }
        r = link_temp(file, errp);
        if (r < 0) {
            return r;
        }
    }
    if (renameat(file->dir_fd, file->temp_name, file->dir_fd, file->name) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot rename to '%s'",
                                  file->name);
    }
    file->temp_linked = false;
    return 0;
}

static int file_finish(struct gw_channel *channel, struct gw_error **errp)
{
    struct file_channel *file = to_file(channel);
    int r = gw_channel_sync(channel, errp);

    if (r < 0 || !file->name) {
        return r;
    }
    r = commit_name(file, errp);
    if (r < 0) {
        return r;
    }
    if (fsync(file->dir_fd) < 0 && errno != EINVAL) {
        return gw_error_set_errno(errp, -errno, "cannot flush the directory");
    }
    return 0;
}

static void file_close(struct gw_channel *channel)
{
    struct file_channel *file = to_file(channel);

    if (file->temp_linked) {
        unlinkat(file->dir_fd, file->temp_name, 0);
    }
    if (file->dir_fd >= 0) {
        close(file->dir_fd);
    }
    free(file->name);
    free(file->temp_name);
}

static const struct gw_channel_ops file_ops = {
    .finish = file_finish,
    .close = file_close,
};

/* Takes fd on success. */
static int file_new(int fd, uint64_t start, struct file_channel **ret_file,
                    struct gw_error **errp)
{
    GW_AUTO_FREE struct file_channel *file = calloc(1, sizeof(*file));
    int r;

    if (!file) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = gw_channel_init(&file->base, &file_ops, "file", fd, errp);
    if (r < 0) {
        return r;
    }
    file->dir_fd = -1;
    file->base.features = GW_CHANNEL_SEEKABLE;
    file->base.start = start;
    *ret_file = gw_take(&file);
    return 0;
}

int gw_file_cannot_create(const char *path, int code, struct gw_error **errp)
{
    return gw_error_set_errno(errp, code, "Could not create '%s'", path);
}

/* Gives the channel a descriptor for pages if they shall move directly. */
static int open_direct(struct file_channel *file, const char *path,
                       bool outgoing, bool direct, struct gw_error **errp)
{
    int fd = direct ? gw_direct_reopen(file->base.fd, outgoing, errp) : -1;

    if (direct && fd < 0) {
        return gw_error_prefix(errp, fd, "Could not open '%s'", path);
    }
    file->base.page_fd = fd;
    return 0;
}

static int not_direct(const char *path, struct gw_error **errp)
{
    return gw_error_set(errp, -EINVAL,
                        "Could not open '%s': neither a regular file nor a "
                        "block device: direct I/O is not possible",
                        path);
}

static bool may_seek(const struct stat *st)
{
    return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode);
}

/* Opens an existing target that is written where it is. */
static int open_in_place(const char *path, uint64_t offset, bool direct,
                         struct gw_channel **ret_channel,
                         struct gw_error **errp)
{
    GW_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    struct file_channel *file;
    struct stat st;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    if (direct && !may_seek(&st)) {
        return not_direct(path, errp);
    }
    r = file_new(fd, offset, &file, errp);
    if (r < 0) {
        return r;
    }
    gw_take_fd(&fd);
    r = open_direct(file, path, true, direct, errp);
    if (r == 0) {
        r = gw_channel_begin_in_place(&file->base, offset, errp);
    }
    if (r < 0) {
        gw_channel_free(&file->base);
        return r;
    }
    *ret_channel = &file->base;
    return 0;
}

static int make_names(struct file_channel *file, const char *path,
                      struct gw_error **errp)
{
    GW_AUTO_FREE char *copy = strdup(path);

    if (copy) {
        file->name = strdup(basename(copy));
    }
    if (!file->name ||
        asprintf(&file->temp_name, ".%s.godwit", file->name) < 0) {
        file->temp_name = NULL;
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return 0;
}

static int open_directory(const char *path)
{
    GW_AUTO_FREE char *copy = strdup(path);
    int fd;

    if (!copy) {
        return -ENOMEM;
    }
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/*
 * An unnamed file in the directory, which vanishes with the process; where
 * the file system has none, one with the temporary name.
 */
static int open_temp(struct file_channel *file, const char *path,
                     struct gw_error **errp)
{
    int fd = openat(file->dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        unlinkat(file->dir_fd, file->temp_name, 0);
        fd = openat(file->dir_fd, file->temp_name,
                    O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        file->temp_linked = fd >= 0;
    }
    if (fd < 0) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    file->base.fd = fd;
    return 0;
}

static int open_beside(const char *path, uint64_t offset, bool direct,
                       struct gw_channel **ret_channel, struct gw_error **errp)
{
    struct file_channel *file;
    int r = file_new(-1, offset, &file, errp);

    if (r < 0) {
        return r;
    }
    file->dir_fd = open_directory(path);
    if (file->dir_fd < 0) {
        r = gw_file_cannot_create(path, file->dir_fd, errp);
        goto undo_file;
    }
    r = make_names(file, path, errp);
    if (r == 0) {
        r = open_temp(file, path, errp);
    }
    if (r == 0) {
        r = open_direct(file, path, true, direct, errp);
    }
    if (r < 0) {
        goto undo_file;
    }
    *ret_channel = &file->base;
    return 0;

undo_file:
    gw_channel_free(&file->base);
    return r;
}

int gw_file_open_outgoing(const char *path, uint64_t offset, bool direct,
                          struct gw_channel **ret_channel,
                          struct gw_error **errp)
{
    GW_AUTO_FREE char *real = NULL;
    struct stat st;

    if (offset > INT64_MAX) {
        return gw_error_set(errp, -EINVAL,
                            "failed to truncate migration file to offset "
                            "%llx: Invalid argument",
                            (unsigned long long)offset);
    }
    if (stat(path, &st) < 0) {
        if (errno != ENOENT) {
            return gw_file_cannot_create(path, -errno, errp);
        }
        return open_beside(path, offset, direct, ret_channel, errp);
    }
    if (S_ISDIR(st.st_mode)) {
        return gw_file_cannot_create(path, -EISDIR, errp);
    }
    if (!S_ISREG(st.st_mode) || offset > 0) {
        return open_in_place(path, offset, direct, ret_channel, errp);
    }
    if (access(path, W_OK) < 0) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    /* Replace what a symbolic link points to, not the link. */
    real = realpath(path, NULL);
    if (!real) {
        return gw_file_cannot_create(path, -errno, errp);
    }
    return open_beside(real, offset, direct, ret_channel, errp);
}

int gw_file_open_incoming(const char *path, uint64_t offset, bool direct,
                          struct gw_channel **ret_channel,
                          struct gw_error **errp)
{
    GW_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct file_channel *file;
    struct stat st;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "Could not open '%s'", path);
    }
    if (!may_seek(&st)) {
        return gw_error_set(errp, -EINVAL,
                            "Could not open '%s': neither a regular file nor "
                            "a block device",
                            path);
    }
    if (offset > INT64_MAX) {
        return gw_error_set(errp, -EINVAL, "offset %llx is beyond any file",
                            (unsigned long long)offset);
    }
    r = file_new(fd, offset, &file, errp);
    if (r < 0) {
        return r;
    }
    gw_take_fd(&fd);
    r = open_direct(file, path, false, direct, errp);
    if (r < 0) {
        gw_channel_free(&file->base);
        return r;
    }
    *ret_channel = &file->base;
    return 0;
}
