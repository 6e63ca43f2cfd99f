/*
 * Queued I/O on files: io_uring, and the same without it.
 */
#include "channel/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/channel.h"
#include "channel/direct.h"
#include "channel/pieces.h"

#ifdef GW_HAVE_LIBURING
#include <liburing.h>
#endif

/* An operation: what is left of it. */
struct op {
    struct iovec iov[GW_QUEUE_IOV_MAX];
    struct gw_pieces left;
    uint64_t offset; /* of the first of them in the file */
    bool is_write;
};

struct gw_queue {
    struct gw_channel *channel; /* borrowed */
    int fd;                     /* the channel's, for pages */
    unsigned int depth;
    bool has_ring;
#ifdef GW_HAVE_LIBURING
    struct io_uring ring;
#endif
    /* free operations are idle[0 .. n_idle - 1] */
    unsigned int n_idle;
    unsigned int *idle;
    /* the first failure, and where in the file */
    struct gw_error *error;
    uint64_t failed_offset;
    struct op ops[];
};

static void set_failed(struct gw_queue *queue, const struct op *op, int code)
{
    if (queue->error) {
        return;
    }
    queue->failed_offset = op->offset;
    if (op->is_write) {
        gw_channel_write_failed(queue->channel, code, &queue->error);
    } else if (code == -ENODATA) {
        gw_error_set(&queue->error, code,
                     "the data ends at offset %#llx, %zu more bytes expected",
                     (unsigned long long)op->offset, gw_pieces_size(&op->left));
    } else {
        gw_error_set_errno(&queue->error, code, "cannot read at offset %#llx",
                           (unsigned long long)op->offset);
    }
}

/* A transfer gave `n` (or a negative errno). True: there is more to do. */
static bool take_result(struct gw_queue *queue, struct op *op, ssize_t n)
{
    if (n == -EINTR || n == -EAGAIN) {
        return true;
    }
    if (n <= 0) {
        set_failed(queue, op,
                   n < 0 ? (int)n : (op->is_write ? -ENOSPC : -ENODATA));
        return false;
    }
    gw_pieces_skip(&op->left, (size_t)n);
    op->offset += (uint64_t)n;
    return op->left.n > 0;
}

/* ---- Without a ring: each operation at once ---- */

static void transfer(struct gw_queue *queue, struct op *op)
{
    uint64_t offset = op->offset;
    size_t size = gw_pieces_size(&op->left);
    const struct iovec *iov;
    ssize_t n;
    int n_iov;

    do {
        iov = op->left.iov;
        n_iov = gw_pieces_per_call(&op->left);
        n = op->is_write ? pwritev(queue->fd, iov, n_iov, (off_t)op->offset)
                         : preadv(queue->fd, iov, n_iov, (off_t)op->offset);
    } while (take_result(queue, op, n < 0 ? -errno : n));
    if (op->is_write) {
        gw_channel_begin_writeback(queue->channel, offset, size);
    }
}

/* ---- With a ring ---- */

#ifdef GW_HAVE_LIBURING

static void set_idle(struct gw_queue *queue, struct op *op)
{
    queue->idle[queue->n_idle++] = (unsigned int)(op - queue->ops);
}

/* There is a submission entry for each operation: none can be missing. */
static void submit(struct gw_queue *queue, struct op *op)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&queue->ring);
    const struct iovec *iov = op->left.iov;
    unsigned int n_iov = (unsigned int)op->left.n;
    int r;

    assert(sqe);
    if (op->is_write) {
        io_uring_prep_writev(sqe, queue->fd, iov, n_iov, op->offset);
    } else {
        io_uring_prep_readv(sqe, queue->fd, iov, n_iov, op->offset);
    }
    io_uring_sqe_set_data(sqe, op);
    do {
        r = io_uring_submit(&queue->ring);
    } while (r == -EINTR || r == -EAGAIN || r == -EBUSY);
    if (r < 0) {
        set_failed(queue, op, r);
        set_idle(queue, op);
    }
}

/*
 * An operation came back: submits what is left of it. After a failure nothing
 * is submitted: it may have been of a submission, whose entry is in the ring
 * still and would go with the next one.
 */
static void complete(struct gw_queue *queue, struct op *op, int result)
{
    if (!queue->error && result == -ECANCELED) {
        /*
         * Nobody asks for that, but the kernel (6.18) does it when it cannot
         * start a thread of its own, as under a storm of signals.
         */
        transfer(queue, op);
    } else if (!queue->error && take_result(queue, op, result)) {
        submit(queue, op);
        return;
    }
    set_idle(queue, op);
}

/* Waits for an operation to come back. */
static void reap(struct gw_queue *queue)
{
    struct io_uring_cqe *cqe;
    struct op *op;
    int r;

    do {
        r = io_uring_wait_cqe(&queue->ring, &cqe);
    } while (r == -EINTR || r == -EAGAIN);
    /* Waiting on a ring that works has no other failure. */
    assert(r == 0);
    op = io_uring_cqe_get_data(cqe);
    r = cqe->res;
    io_uring_cqe_seen(&queue->ring, cqe);
    complete(queue, op, r);
}

/*
 * Only for direct I/O: through the page cache an operation is a copy, which
 * io_uring hands to threads of the kernel that wait for each other. Not
 * permitted (EPERM), not there (ENOSYS), no memory may be locked: without.
 */
static void init_ring(struct gw_queue *queue)
{
    queue->has_ring = gw_direct_is_on(queue->fd) &&
                      io_uring_queue_init(queue->depth, &queue->ring, 0) == 0;
}

static void exit_ring(struct gw_queue *queue)
{
    if (queue->has_ring) {
        io_uring_queue_exit(&queue->ring);
    }
}

#else

static void submit(struct gw_queue *queue, struct op *op)
{
    transfer(queue, op);
}

static void reap(struct gw_queue *queue)
{
    (void)queue;
    assert(!"nothing is ever under way");
}

static void init_ring(struct gw_queue *queue)
{
    queue->has_ring = false;
}

static void exit_ring(struct gw_queue *queue)
{
    (void)queue;
}

#endif

int gw_queue_new(struct gw_channel *channel, unsigned int depth,
                 struct gw_queue **ret_queue, struct gw_error **errp)
{
    GW_AUTO_FREE struct gw_queue *queue =
        calloc(1, sizeof(*queue) + depth * sizeof(queue->ops[0]));
    unsigned int i;

    assert(depth > 0 && gw_channel_is_seekable(channel));
    if (!queue || !(queue->idle = calloc(depth, sizeof(*queue->idle)))) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    queue->channel = channel;
    queue->fd = channel->page_fd >= 0 ? channel->page_fd : channel->fd;
    queue->depth = depth;
    queue->n_idle = depth;
    for (i = 0; i < depth; i++) {
        queue->idle[i] = i;
    }
    init_ring(queue);
    *ret_queue = gw_take(&queue);
    return 0;
}

static void wait_all(struct gw_queue *queue)
{
    while (queue->n_idle < queue->depth) {
        reap(queue);
    }
}

struct gw_queue *gw_queue_free(struct gw_queue *queue)
{
    if (queue) {
        wait_all(queue);
        exit_ring(queue);
        gw_error_free(queue->error);
        free(queue->idle);
        free(queue);
    }
    return NULL;
}

/* The failure, if there was one, as often as somebody asks. */
static int result(const struct gw_queue *queue, struct gw_error **errp)
{
    if (!queue->error) {
        return 0;
    }
    return gw_error_set(errp, gw_error_code(queue->error), "%s",
                        gw_error_text(queue->error));
}

static int start(struct gw_queue *queue, const struct iovec *iov,
                 unsigned int n_iov, uint64_t offset, bool is_write,
                 struct gw_error **errp)
{
    struct op *op;

    assert(n_iov > 0 && n_iov <= GW_QUEUE_IOV_MAX);
    if (atomic_load(&queue->channel->is_cancelled)) {
        return gw_error_set(errp, -ECANCELED, "cancelled");
    }
    while (queue->n_idle == 0) {
        reap(queue);
    }
    if (queue->error) {
        return result(queue, errp);
    }
    op = &queue->ops[queue->idle[--queue->n_idle]];
    memcpy(op->iov, iov, n_iov * sizeof(*iov));
    op->left = (struct gw_pieces){.iov = op->iov, .n = n_iov};
    op->offset = offset;
    op->is_write = is_write;
    if (queue->has_ring) {
        submit(queue, op);
        return 0;
    }
    transfer(queue, op);
    queue->n_idle++;
    return result(queue, errp);
}

int gw_queue_write(struct gw_queue *queue, const struct iovec *iov,
                   unsigned int n_iov, uint64_t offset, struct gw_error **errp)
{
    return start(queue, iov, n_iov, offset, true, errp);
}

int gw_queue_read(struct gw_queue *queue, const struct iovec *iov,
                  unsigned int n_iov, uint64_t offset, struct gw_error **errp)
{
    return start(queue, iov, n_iov, offset, false, errp);
}

int gw_queue_drain(struct gw_queue *queue, struct gw_error **errp)
{
    wait_all(queue);
    return result(queue, errp);
}

bool gw_queue_failed_at(const struct gw_queue *queue, uint64_t *ret_offset)
{
    if (!queue->error) {
        return false;
    }
    *ret_offset = queue->failed_offset;
    return true;
}

const char *gw_queue_engine(const struct gw_queue *queue)
{
    return queue->has_ring ? GW_QUEUE_IO_URING : GW_QUEUE_PREADV;
}
