/*
 * What all channels share: complete transfers, cancelling, the guard.
 */
#include "channel/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/pieces.h"

/* Most that one system call is asked to read; below the kernel's limit. */
#define TRANSFER_MAX (1u << 30)

int gw_channel_init(struct gw_channel *channel,
                    const struct gw_channel_ops *ops, const char *kind, int fd,
                    struct gw_error **errp)
{
    int cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (cancel_fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot make an eventfd");
    }
    channel->ops = ops;
    channel->kind = kind;
    channel->fd = fd;
    channel->page_fd = -1;
    channel->cancel_fd = cancel_fd;
    return 0;
}

/* Waits until the descriptor is ready or the channel is cancelled. */
static int wait_ready(struct gw_channel *channel, short events)
{
    struct pollfd fds[2] = {
        {.fd = channel->fd, .events = events},
        {.fd = channel->cancel_fd, .events = POLLIN},
    };

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return fds[1].revents ? -ECANCELED : 0;
}

ssize_t gw_channel_read(struct gw_channel *channel, void *data, size_t size)
{
    ssize_t n;
    int r;

    for (;;) {
        r = wait_ready(channel, POLLIN);
        if (r < 0) {
            return r;
        }
        n = read(channel->fd, data, gw_min_u64(size, TRANSFER_MAX));
        if (n >= 0) {
            return n;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return -errno;
        }
    }
}

ssize_t gw_channel_pread(struct gw_channel *channel, void *data, size_t size,
                         uint64_t offset)
{
    uint8_t *to = data;
    size_t done = 0;
    ssize_t n;

    assert(gw_channel_is_seekable(channel));
    while (done < size) {
        if (atomic_load(&channel->is_cancelled)) {
            return -ECANCELED;
        }
        n = pread(channel->fd, to + done, gw_min_u64(size - done, TRANSFER_MAX),
                  (off_t)(offset + done));
        if (n == 0) {
            break;
        }
        if (n > 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return (ssize_t)done;
}

int gw_channel_write_failed(const struct gw_channel *channel, int code,
                            struct gw_error **errp)
{
    if (code == -ECANCELED) {
        return gw_error_set(errp, code, "cancelled");
    }
    return gw_error_set_errno(errp, code, "Unable to write to %s",
                              channel->kind);
}

/* Writes what there is room for. */
static ssize_t write_some(struct gw_channel *channel,
                          const struct gw_pieces *pieces)
{
    int n = gw_pieces_per_call(pieces);
    const struct msghdr message = {.msg_iov = pieces->iov,
                                   .msg_iovlen = (size_t)n};

    if (channel->is_socket) {
        return sendmsg(channel->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return writev(channel->fd, pieces->iov, n);
}

int gw_channel_write(struct gw_channel *channel, struct gw_pieces *pieces,
                     struct gw_error **errp)
{
    ssize_t n;
    int r;

    while (pieces->n > 0) {
        r = wait_ready(channel, POLLOUT);
        if (r < 0) {
            return gw_channel_write_failed(channel, r, errp);
        }
        n = write_some(channel, pieces);
        if (n >= 0) {
            gw_pieces_skip(pieces, (size_t)n);
        } else if (errno != EINTR && errno != EAGAIN) {
            return gw_channel_write_failed(channel, -errno, errp);
        }
    }
    return 0;
}

static int pwrite_all(struct gw_channel *channel, struct gw_pieces *pieces,
                      uint64_t offset, struct gw_error **errp)
{
    ssize_t n;

    while (pieces->n > 0) {
        if (atomic_load(&channel->is_cancelled)) {
            return gw_channel_write_failed(channel, -ECANCELED, errp);
        }
        n = pwritev(channel->fd, pieces->iov, gw_pieces_per_call(pieces),
                    (off_t)offset);
        if (n > 0) {
            gw_pieces_skip(pieces, (size_t)n);
            offset += (uint64_t)n;
        } else if (n == 0) {
            return gw_channel_write_failed(channel, -ENOSPC, errp);
        } else if (errno != EINTR) {
            return gw_channel_write_failed(channel, -errno, errp);
        }
    }
    return 0;
}

/* Positional writes may come from several threads, in any order. */
static void note_end(struct gw_channel *channel, uint64_t end)
{
    uint64_t before = atomic_load(&channel->written_end);

    while (before < end &&
           !atomic_compare_exchange_weak(&channel->written_end, &before, end)) {
    }
}

/* Smaller pieces are gathered by the kernel. */
#define WRITEBACK_MIN ((size_t)64 * 1024)

void gw_channel_begin_writeback(const struct gw_channel *channel,
                                uint64_t offset, size_t size)
{
    if (size >= WRITEBACK_MIN) {
        sync_file_range(channel->fd, (off_t)offset, (off_t)size,
                        SYNC_FILE_RANGE_WRITE);
    }
}

/*
 * Holds back what belongs to the guard and is at the front, and puts zeros in
 * its place; returns how many bytes that were, or a negative errno.
 */
static ssize_t hold_back(struct gw_channel *channel, struct gw_pieces *pieces,
                         uint64_t offset, struct gw_error **errp)
{
    static const uint8_t zeros[sizeof(channel->guard)];
    uint64_t guard_end = channel->start + sizeof(channel->guard);
    struct gw_pieces instead;
    struct iovec iov;
    size_t held;
    int r;

    if (!channel->guarded || offset >= guard_end) {
        return 0;
    }
    assert(offset >= channel->start);
    held = gw_min_u64(gw_pieces_size(pieces), guard_end - offset);
    gw_pieces_take(pieces, channel->guard + (offset - channel->start), held);
    instead = gw_pieces_of(&iov, zeros, held);
    r = pwrite_all(channel, &instead, offset, errp);
    return r < 0 ? r : (ssize_t)held;
}

int gw_channel_pwritev(struct gw_channel *channel, struct gw_pieces *pieces,
                       uint64_t offset, struct gw_error **errp)
{
    size_t size = gw_pieces_size(pieces);
    ssize_t held;
    int r;

    assert(gw_channel_is_seekable(channel));
    note_end(channel, offset + size);
    held = hold_back(channel, pieces, offset, errp);
    if (held < 0) {
        return (int)held;
    }
    r = pwrite_all(channel, pieces, offset + (uint64_t)held, errp);
    gw_channel_begin_writeback(channel, offset, size);
    return r;
}

int gw_channel_pwrite(struct gw_channel *channel, const void *data, size_t size,
                      uint64_t offset, struct gw_error **errp)
{
    struct iovec iov;
    struct gw_pieces pieces = gw_pieces_of(&iov, data, size);

    return gw_channel_pwritev(channel, &pieces, offset, errp);
}

static int sync_fd(int fd, struct gw_error **errp)
{
    if (fdatasync(fd) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot flush the file");
    }
    return 0;
}

int gw_channel_flush(struct gw_channel *channel, struct gw_error **errp)
{
    return gw_channel_is_seekable(channel) ? sync_fd(channel->fd, errp) : 0;
}

int gw_channel_sync(struct gw_channel *channel, struct gw_error **errp)
{
    int r = sync_fd(channel->fd, errp);

    if (r < 0 || !channel->guarded) {
        return r;
    }
    channel->guarded = false;
    r = gw_channel_pwrite(channel, channel->guard, sizeof(channel->guard),
                          channel->start, errp);
    return r < 0 ? r : sync_fd(channel->fd, errp);
}

int gw_channel_extend(struct gw_channel *channel, uint64_t size,
                      struct gw_error **errp)
{
    struct stat st;

    assert(gw_channel_is_seekable(channel));
    if (fstat(channel->fd, &st) < 0) {
        return gw_channel_write_failed(channel, -errno, errp);
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size >= size) {
        return 0;
    }
    while (ftruncate(channel->fd, (off_t)size) < 0) {
        if (errno != EINTR) {
            return gw_channel_write_failed(channel, -errno, errp);
        }
    }
    return 0;
}

/* Without holes: zeros are written. */
static int write_zeros(struct gw_channel *channel, uint64_t offset,
                       uint64_t size, struct gw_error **errp)
{
    static const uint8_t zeros[64 * 1024];
    int r = 0;

    while (r == 0 && size > 0) {
        size_t n = gw_min_u64(size, sizeof(zeros));

        r = gw_channel_pwrite(channel, zeros, n, offset, errp);
        offset += n;
        size -= n;
    }
    return r;
}

int gw_channel_punch(struct gw_channel *channel, uint64_t offset, uint64_t size,
                     struct gw_error **errp)
{
    int r;

    do {
        r = fallocate(channel->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t)offset, (off_t)size);
    } while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EOPNOTSUPP) {
        return write_zeros(channel, offset, size, errp);
    }
    return r < 0 ? gw_channel_write_failed(channel, -errno, errp) : 0;
}

int gw_channel_seek_end(struct gw_channel *channel, struct gw_error **errp)
{
    off_t end = (off_t)atomic_load(&channel->written_end);

    if (lseek(channel->fd, end, SEEK_SET) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot seek to the end");
    }
    return 0;
}

int gw_channel_begin_in_place(struct gw_channel *channel, uint64_t start,
                              struct gw_error **errp)
{
    struct stat st;
    int code = 0;

    if (fstat(channel->fd, &st) < 0) {
        code = -errno;
    } else if (S_ISREG(st.st_mode)) {
        code = ftruncate(channel->fd, (off_t)start) < 0 ? -errno : 0;
    } else if (!S_ISBLK(st.st_mode)) {
        code = -EINVAL;
    }
    if (code < 0) {
        return gw_error_set_errno(errp, code,
                                  "failed to truncate migration file to "
                                  "offset %llx",
                                  (unsigned long long)start);
    }
    channel->features |= GW_CHANNEL_SEEKABLE;
    channel->start = start;
    channel->written_end = start;
    channel->guarded = true;
    return 0;
}

uint64_t gw_channel_size(const struct gw_channel *channel)
{
    struct stat st;

    if (fstat(channel->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return 0;
    }
    return (uint64_t)st.st_size;
}

void gw_channel_cancel(struct gw_channel *channel)
{
    uint64_t one = 1;

    atomic_store(&channel->is_cancelled, true);
    /* Cannot fail but when the counter is full, which serves as well. */
    if (write(channel->cancel_fd, &one, sizeof(one)) < 0) {
        return;
    }
}

int gw_channel_finish(struct gw_channel *channel, struct gw_error **errp)
{
    return channel->ops->finish(channel, errp);
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

struct gw_channel *gw_channel_free(struct gw_channel *channel)
{
    if (channel) {
        close_fd(channel->fd);
        close_fd(channel->page_fd);
        close_fd(channel->cancel_fd);
        channel->ops->close(channel);
        free(channel);
    }
    return NULL;
}
