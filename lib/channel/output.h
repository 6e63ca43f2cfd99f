/*
 * The outgoing side's view of a channel: a buffered stream with a known
 * position, which on seekable channels can be moved and written around.
 *
 * One thread at a time.
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

/* Appends; large pieces go straight to the channel. */
int gw_output_write(struct gw_output *output, const void *data, size_t size,
                    struct gw_error **errp);

/* Writes what is buffered to the channel. */
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
