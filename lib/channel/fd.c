/*
 * Channels over a descriptor that was handed over by name or number.
 */
#include "channel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "channel/direct.h"

static int fd_finish(struct gw_channel *channel, struct gw_error **errp)
{
    int r;

    if (!gw_channel_is_seekable(channel)) {
        return 0;
    }
    r = gw_channel_sync(channel, errp);
    return r < 0 ? r : gw_channel_seek_end(channel, errp);
}

static void fd_close(struct gw_channel *channel)
{
    (void)channel;
}

static const struct gw_channel_ops fd_ops = {
    .finish = fd_finish,
    .close = fd_close,
};

int gw_fd_check_mode(int fd, bool outgoing, struct gw_error **errp)
{
    int flags = fcntl(fd, F_GETFL);
    int mode = flags & O_ACCMODE;

    if (flags < 0) {
        return gw_error_set_errno(errp, -errno, "file descriptor %d", fd);
    }
    if (mode == (outgoing ? O_RDONLY : O_WRONLY) || (flags & O_PATH)) {
        return gw_error_set(errp, -EBADF,
                            "file descriptor %d is not open for %s", fd,
                            outgoing ? "writing" : "reading");
    }
    return 0;
}

/*
 * A stream must not block in a write, so that it can be cancelled. The flag
 * belongs to the open file, which the caller may share: sockets need no flag
 * (MSG_DONTWAIT), pipes are opened anew.
 */
static int init_stream(struct gw_channel *channel, const struct stat *st,
                       bool outgoing, struct gw_error **errp)
{
    char proc[64];
    int fd;

    channel->is_socket = S_ISSOCK(st->st_mode);
    if (!S_ISFIFO(st->st_mode)) {
        return 0;
    }
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", channel->fd);
    fd = open(proc, (outgoing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "file descriptor %d",
                                  channel->fd);
    }
    close(channel->fd);
    channel->fd = fd;
    return 0;
}

int gw_fd_check_append(int fd, struct gw_error **errp)
{
    if (fcntl(fd, F_GETFL) & O_APPEND) {
        return gw_error_set(errp, -EINVAL,
                            "file descriptor %d is open with O_APPEND: what "
                            "is written would not go to its place",
                            fd);
    }
    return 0;
}

int gw_fd_not_direct(int fd, struct gw_error **errp)
{
    return gw_error_set(errp, -EINVAL,
                        "file descriptor %d is neither a regular file nor "
                        "a block device: direct I/O is not possible",
                        fd);
}

static int begin_save(struct gw_channel *channel, uint64_t start,
                      struct gw_error **errp)
{
    int r = gw_fd_check_append(channel->fd, errp);

    return r < 0 ? r : gw_channel_begin_in_place(channel, start, errp);
}

/*
 * A file starts where the descriptor stands. Whether it can be opened for
 * direct I/O is seen before it is cut off.
 */
static int init_file(struct gw_channel *channel, bool outgoing, bool direct,
                     struct gw_error **errp)
{
    off_t position = lseek(channel->fd, 0, SEEK_CUR);

    if (position < 0) {
        return gw_error_set_errno(errp, -errno, "cannot tell the position");
    }
    if (direct) {
        int page_fd = gw_direct_reopen(channel->fd, outgoing, errp);

        if (page_fd < 0) {
            return gw_error_prefix(errp, page_fd, "file descriptor %d",
                                   channel->fd);
        }
        channel->page_fd = page_fd;
    }
    if (outgoing) {
        return begin_save(channel, (uint64_t)position, errp);
    }
    channel->features |= GW_CHANNEL_SEEKABLE;
    channel->start = (uint64_t)position;
    return 0;
}

static int init_kind(struct gw_channel *channel, bool outgoing, bool direct,
                     struct gw_error **errp)
{
    struct stat st;

    if (fstat(channel->fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "file descriptor %d",
                                  channel->fd);
    }
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
        return init_file(channel, outgoing, direct, errp);
    }
    if (direct) {
        return gw_fd_not_direct(channel->fd, errp);
    }
    return init_stream(channel, &st, outgoing, errp);
}

int gw_fd_channel_open(int fd, bool outgoing, bool direct,
                       struct gw_channel **ret_channel, struct gw_error **errp)
{
    GW_AUTO_FREE struct gw_channel *channel = NULL;
    int r = gw_fd_check_mode(fd, outgoing, errp);

    if (r < 0) {
        return r;
    }
    channel = calloc(1, sizeof(*channel));
    if (!channel) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = gw_channel_init(channel, &fd_ops, "file descriptor", fd, errp);
    if (r < 0) {
        return r;
    }
    r = init_kind(channel, outgoing, direct, errp);
    if (r < 0) {
        if (channel->page_fd >= 0) {
            close(channel->page_fd);
        }
        close(channel->cancel_fd);
        return r;
    }
    *ret_channel = gw_take(&channel);
    return 0;
}
