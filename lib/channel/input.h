/*
 * The incoming side's view of a channel: a buffered stream with look-ahead
 * and a known position.
 *
 * Errors name the absolute position in the channel. Once reading failed the
 * input stays failed. One thread at a time.
 */
#ifndef GW_CHANNEL_INPUT_H
#define GW_CHANNEL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/bytes.h"

struct gw_channel;
struct gw_input;

/* Look-ahead that gw_input_peek can give, bytes. */
#define GW_INPUT_PEEK_MAX 4096u

/* A new input that starts at the channel's position; borrows the channel. */
struct gw_input *gw_input_new(struct gw_channel *channel,
                              struct gw_error **errp);

/* An input over memory that outlives it; for tests and for nested data. */
struct gw_input *gw_input_new_memory(const void *data, size_t size,
                                     struct gw_error **errp);

/* Frees the input, not the channel; NULL is fine; returns NULL. */
struct gw_input *gw_input_free(struct gw_input *input);

/* Position of the next byte: absolute in a file, else bytes since start. */
uint64_t gw_input_offset(const struct gw_input *input);

/*
 * Lends up to `size` (at most GW_INPUT_PEEK_MAX) bytes without consuming
 * them; *ret_size is less than `size` only at the end of the data. Valid
 * until the next call on the input.
 */
int gw_input_peek(struct gw_input *input, size_t size, const uint8_t **ret_data,
                  size_t *ret_size, struct gw_error **errp);

/*
 * Lends what was read ahead already, however much that is: for guesses at
 * what comes. Valid until the next call on the input.
 */
void gw_input_get_buffered(const struct gw_input *input,
                           const uint8_t **ret_data, size_t *ret_size);

/* Reads exactly `size` bytes; -ENODATA if the data ends before. */
int gw_input_read(struct gw_input *input, void *data, size_t size,
                  struct gw_error **errp);

/* Skips exactly `size` bytes. */
int gw_input_skip(struct gw_input *input, uint64_t size,
                  struct gw_error **errp);

/* Big-endian integers. */
int gw_input_get_u8(struct gw_input *input, uint8_t *ret,
                    struct gw_error **errp);
int gw_input_get_be16(struct gw_input *input, uint16_t *ret,
                      struct gw_error **errp);
int gw_input_get_be32(struct gw_input *input, uint32_t *ret,
                      struct gw_error **errp);
int gw_input_get_be64(struct gw_input *input, uint64_t *ret,
                      struct gw_error **errp);

/*
 * A decoder of lib/wire in the form that gw_input_decode can run: returns 0,
 * GW_SHORT, or a negative errno, and moves the reader on success only.
 */
typedef int (*gw_decode_fn)(struct gw_reader *reader, void *ret);

/*
 * Runs a decoder on the bytes at hand, giving it more (up to
 * GW_INPUT_PEEK_MAX) while it says GW_SHORT, and consumes what it took.
 * `what` names the thing in errors: "file header", "section header".
 */
int gw_input_decode(struct gw_input *input, const char *what,
                    gw_decode_fn decode, void *ret, struct gw_error **errp);

/* The channel can be read and repositioned at offsets (files). */
bool gw_input_is_seekable(const struct gw_input *input);

/* Continues at an absolute offset of a seekable channel. */
int gw_input_seek(struct gw_input *input, uint64_t offset,
                  struct gw_error **errp);

/* Reads exactly `size` bytes at an absolute offset; position unchanged. */
int gw_input_pread(struct gw_input *input, void *data, size_t size,
                   uint64_t offset, struct gw_error **errp);

/* Bytes of the whole channel if it is a file of known size, else 0. */
uint64_t gw_input_total_size(const struct gw_input *input);

/*
 * Makes a wait for data end: the next or the current read fails with
 * -ECANCELED. Any thread.
 */
void gw_input_cancel(struct gw_input *input);

#endif
