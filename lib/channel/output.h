/*
 * The outgoing side's view of a channel: a buffered stream with a known
 * position, which on seekable channels can be moved and written around.
 *
 * Small things are copied and gathered. Pages of a guest are lent: they stay
 * where they are, and one system call takes all of both in their order.
 *
 * Once writing failed the output stays failed. One thread at a time.
 */
#ifndef GW_CHANNEL_OUTPUT_H
#define GW_CHANNEL_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_channel;
struct gw_output;

/* A new output at the channel's start; borrows the channel. */
struct gw_output *gw_output_new(struct gw_channel *channel,
                                struct gw_error **errp);

/* Frees without writing what is buffered; NULL is fine; returns NULL. */
struct gw_output *gw_output_free(struct gw_output *output);

/* Position of the next byte: absolute in a file, else bytes since start. */
uint64_t gw_output_offset(const struct gw_output *output);

/* Bytes handed to the output so far, by all ways. */
uint64_t gw_output_total(const struct gw_output *output);

/* Appends a copy; large pieces go straight to the channel. */
int gw_output_write(struct gw_output *output, const void *data, size_t size,
                    struct gw_error **errp);

/*
 * Appends memory that is not copied, but read by any later call up to the next
 * gw_output_flush: it must stay mapped until then, and what it holds by then
 * may be what is written. That is right for guest memory, which is sent again
 * if it changes, and for nothing that is freed or used anew.
 *
 * As reads of guest memory are, the flush is a race on purpose (base/racy.h).
 */
int gw_output_lend(struct gw_output *output, const void *data, size_t size,
                   struct gw_error **errp);

/* Writes what is buffered to the channel; nothing is lent any more. */
int gw_output_flush(struct gw_output *output, struct gw_error **errp);

/* Flushes and continues at an absolute offset (seekable channels). */
int gw_output_seek(struct gw_output *output, uint64_t offset,
                   struct gw_error **errp);

/* Writes at an absolute offset; the position does not change. */
int gw_output_pwrite(struct gw_output *output, const void *data, size_t size,
                     uint64_t offset, struct gw_error **errp);

static inline void gw_cleanup_output(struct gw_output **output)
{
    gw_output_free(*output);
}
#define GW_AUTO_OUTPUT __attribute__((cleanup(gw_cleanup_output)))

#endif
