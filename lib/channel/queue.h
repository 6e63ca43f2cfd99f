/*
 * A queue of positional reads and writes on a file, for pages.
 *
 * Several operations are under way at once, so that a device is kept busy by
 * one thread; they complete in any order. Where io_uring is not permitted or
 * not there the queue does each operation at once with preadv and pwritev,
 * and says so. Short transfers are continued; an operation that cannot be
 * completed is an error, which is told by the next call and by every one
 * after it.
 *
 * One thread. Goes through the channel's descriptor for pages if it has one
 * (direct I/O: everything must be page aligned then).
 */
#ifndef GW_CHANNEL_QUEUE_H
#define GW_CHANNEL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/error.h>

struct gw_channel;
struct gw_queue;

enum {
    /* Pieces of memory that one operation may have. */
    GW_QUEUE_IOV_MAX = 128
};

/*
 * A new queue of `depth` operations on a seekable channel, which it borrows.
 * -ENOMEM.
 */
int gw_queue_new(struct gw_channel *channel, unsigned int depth,
                 struct gw_queue **ret_queue, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * Waits for what is under way, which may still read from or write to the
 * memory that was given; frees. NULL is fine; returns NULL.
 */
struct gw_queue *gw_queue_free(struct gw_queue *queue);

/*
 * Begins to write or read all of the pieces (at most GW_QUEUE_IOV_MAX, copied)
 * at an offset of the file; may wait for room. The memory stays in use until
 * gw_queue_drain. -ECANCELED after gw_channel_cancel.
 */
int gw_queue_write(struct gw_queue *queue, const struct iovec *iov,
                   unsigned int n_iov, uint64_t offset, struct gw_error **errp);
int gw_queue_read(struct gw_queue *queue, const struct iovec *iov,
                  unsigned int n_iov, uint64_t offset, struct gw_error **errp);

/* Waits until nothing is under way. */
int gw_queue_drain(struct gw_queue *queue, struct gw_error **errp);

/*
 * Whether an operation failed, and where in the file: which one it was the
 * call that returns the error cannot know.
 */
bool gw_queue_failed_at(const struct gw_queue *queue, uint64_t *ret_offset);

/* What moves the bytes. */
#define GW_QUEUE_IO_URING "io_uring"
#define GW_QUEUE_PREADV "preadv"

/* One of the two. */
const char *gw_queue_engine(const struct gw_queue *queue);

#endif
