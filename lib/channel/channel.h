/*
 * A channel: a byte transport with features.
 *
 * Seekable channels (files) are read and written at explicit offsets only, so
 * that nobody depends on a descriptor's shared position; others are streams.
 * Reads and writes are complete: they handle short transfers and EINTR, and
 * an incomplete one is an error.
 *
 * One thread at a time, except gw_channel_cancel, and positional I/O, which
 * any number of threads may do at once.
 */
#ifndef GW_CHANNEL_CHANNEL_H
#define GW_CHANNEL_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <godwit/address.h>
#include <godwit/error.h>
#include <godwit/migration.h>

enum gw_channel_features {
    /* gw_channel_pread and gw_channel_pwritev work. */
    GW_CHANNEL_SEEKABLE = 1u << 0,
};

struct gw_channel;
struct gw_pieces;

struct gw_channel_ops {
    /*
     * Everything was written: makes it durable and visible under its name.
     * Called once, by the owner.
     */
    int (*finish)(struct gw_channel *channel, struct gw_error **errp);
    /*
     * The descriptors were closed: frees the rest. Without a finish before,
     * undoes what can be undone.
     */
    void (*close)(struct gw_channel *channel);
};

/* Common part of all channels; owned by whoever opened it. */
struct gw_channel {
    const struct gw_channel_ops *ops;
    /* "file", "fd": for texts of errors */
    const char *kind;
    /* owned */
    int fd;
    /*
     * owned; a second descriptor of the same file with O_DIRECT for pages;
     * -1: pages go through fd
     */
    int page_fd;
    /* set by gw_channel_cancel, seen between system calls ... */
    _Atomic bool is_cancelled;
    /* ... and an eventfd that ends waits; owned */
    int cancel_fd;
    /* enum gw_channel_features */
    uint32_t features;
    /* written by send(), which needs no flag to not block */
    bool is_socket;
    /* seekable: where the stream starts, bytes */
    uint64_t start;
    /* seekable: end of what gw_channel_pwritev has written, bytes */
    _Atomic uint64_t written_end;
    /*
     * Seekable and written in place: the bytes at `start` that make the
     * stream valid are held back until everything else is durable.
     */
    bool guarded;
    uint8_t guard[8];
};

/* Fills in the common part; takes fd on success. */
int gw_channel_init(struct gw_channel *channel,
                    const struct gw_channel_ops *ops, const char *kind, int fd,
                    struct gw_error **errp);

/*
 * Opens the target of an outgoing migration. The address is borrowed.
 * `direct`: pages shall go through O_DIRECT, on page_fd. What cannot do that
 * is refused, and left exactly as it was.
 */
int gw_channel_open_outgoing(const struct gw_address *address,
                             const struct gw_migration_options *options,
                             bool direct, struct gw_channel **ret_channel,
                             struct gw_error **errp);

/* Opens the source of an incoming migration; `direct` as above. */
int gw_channel_open_incoming(const struct gw_address *address,
                             const struct gw_migration_options *options,
                             bool direct, struct gw_channel **ret_channel,
                             struct gw_error **errp);

/* The error of an address whose transport is not built yet: -ENOTSUP. */
int gw_channel_not_supported(const struct gw_address *address,
                             struct gw_error **errp);

/*
 * Reads up to `size` bytes of a stream: the number, 0 at the end, or a
 * negative errno (-ECANCELED after gw_channel_cancel).
 */
ssize_t gw_channel_read(struct gw_channel *channel, void *data, size_t size);

/* Reads up to `size` bytes at an offset, fewer only at the end. */
ssize_t gw_channel_pread(struct gw_channel *channel, void *data, size_t size,
                         uint64_t offset);

/* Writes all of the pieces to a stream; none are left then. */
int gw_channel_write(struct gw_channel *channel, struct gw_pieces *pieces,
                     struct gw_error **errp);

/* Writes all of the pieces at an offset; none are left then. */
int gw_channel_pwritev(struct gw_channel *channel, struct gw_pieces *pieces,
                       uint64_t offset, struct gw_error **errp);

/* The same for memory in one place. */
int gw_channel_pwrite(struct gw_channel *channel, const void *data, size_t size,
                      uint64_t offset, struct gw_error **errp);

/*
 * Makes a seekable channel's data durable, and after it the bytes that were
 * held back. A help for implementations of `finish`.
 */
int gw_channel_sync(struct gw_channel *channel, struct gw_error **errp);

/*
 * Makes what was written so far durable, so that less is left for the end;
 * nothing to do for streams.
 */
int gw_channel_flush(struct gw_channel *channel, struct gw_error **errp);

/* The error of a write that failed with `code`; returns it. */
int gw_channel_write_failed(const struct gw_channel *channel, int code,
                            struct gw_error **errp);

/*
 * Lets the device begin with what was just written into the page cache:
 * otherwise it stands still until the flush at the end. Only a hint, for large
 * pieces: what fails to be written is found by that flush. Any thread.
 */
void gw_channel_begin_writeback(const struct gw_channel *channel,
                                uint64_t offset, size_t size);

/*
 * Makes a regular file so long that writes below `size` do not extend it:
 * file systems do extending writes one after the other. No promise of room.
 */
int gw_channel_extend(struct gw_channel *channel, uint64_t size,
                      struct gw_error **errp);

/*
 * Makes a range of a file read as zero, by giving its room back where the
 * file system can; any thread.
 */
int gw_channel_punch(struct gw_channel *channel, uint64_t offset, uint64_t size,
                     struct gw_error **errp);
/*
 * Sets the position of a seekable channel's descriptor, which somebody else
 * may share, to the end of what was written, as plain writes would leave it.
 */
int gw_channel_seek_end(struct gw_channel *channel, struct gw_error **errp);

/*
 * The last step of opening a target that is written where it is: makes it
 * seekable from `start` on and guarded, and cuts a regular file off there.
 * Changes nothing if it fails.
 */
int gw_channel_begin_in_place(struct gw_channel *channel, uint64_t start,
                              struct gw_error **errp);

/* Bytes of a regular file; 0 if unknown. */
uint64_t gw_channel_size(const struct gw_channel *channel);

/* Ends waits, now and later, with -ECANCELED. Any thread. */
void gw_channel_cancel(struct gw_channel *channel);

/* See the ops. */
int gw_channel_finish(struct gw_channel *channel, struct gw_error **errp);

/* Closes and frees; NULL is fine; returns NULL. */
struct gw_channel *gw_channel_free(struct gw_channel *channel);

static inline void gw_cleanup_channel(struct gw_channel **channel)
{
    gw_channel_free(*channel);
}
#define GW_AUTO_CHANNEL __attribute__((cleanup(gw_cleanup_channel)))

static inline bool gw_channel_is_seekable(const struct gw_channel *channel)
{
    return channel->features & GW_CHANNEL_SEEKABLE;
}

#endif
