/*
 * Buffered output over a channel.
 */
#include "channel/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/channel.h"
#include "channel/pieces.h"

enum {
    BUFFER_SIZE = 256 * 1024,
    /*
     * As many bytes at once, if every second one is a page. With larger writes
     * the page cache takes larger folios, which a virtual host may have to get
     * from its own host first: up to twice the time.
     */
    N_PIECES = 128,
};

struct gw_output {
    struct gw_channel *channel; /* borrowed */
    uint64_t offset;            /* absolute position of the first piece */
    uint64_t total;             /* bytes handed over */
    /* first failure; every later flush gives it again */
    int failed;
    /* what is to be written, in order: parts of the buffer, and what is lent */
    size_t n_pieces;
    struct iovec pieces[N_PIECES];
    size_t size;   /* bytes of all pieces */
    size_t copied; /* bytes in the buffer */
    uint8_t buffer[BUFFER_SIZE];
};

struct gw_output *gw_output_new(struct gw_channel *channel,
                                struct gw_error **errp)
{
    struct gw_output *output = malloc(sizeof(*output));

    if (!output) {
        gw_error_set(errp, -ENOMEM, "out of memory");
        return NULL;
    }
    output->channel = channel;
    output->offset = channel->start;
    output->total = 0;
    output->failed = 0;
    output->n_pieces = 0;
    output->size = 0;
    output->copied = 0;
    return output;
}

struct gw_output *gw_output_free(struct gw_output *output)
{
    free(output);
    return NULL;
}

uint64_t gw_output_offset(const struct gw_output *output)
{
    return output->offset + output->size;
}

uint64_t gw_output_total(const struct gw_output *output)
{
    return output->total;
}

int gw_output_flush(struct gw_output *output, struct gw_error **errp)
{
    struct gw_pieces pieces = {.iov = output->pieces, .n = output->n_pieces};

    if (output->failed) {
        return gw_error_set_errno(errp, output->failed,
                                  "writing failed before");
    }
    output->failed =
        gw_channel_is_seekable(output->channel)
            ? gw_channel_pwritev(output->channel, &pieces, output->offset, errp)
            : gw_channel_write(output->channel, &pieces, errp);
    output->offset += output->size;
    output->n_pieces = 0;
    output->size = 0;
    output->copied = 0;
    return output->failed;
}

/* Makes room for a piece, with so many bytes of it in the buffer. */
static int make_room(struct gw_output *output, size_t size,
                     struct gw_error **errp)
{
    return output->n_pieces == N_PIECES || size > BUFFER_SIZE - output->copied
               ? gw_output_flush(output, errp)
               : 0;
}

/* The last piece, if `data` is the memory right behind it. */
static struct iovec *find_neighbour(struct gw_output *output,
                                    const uint8_t *data)
{
    struct iovec *last;

    if (output->n_pieces == 0) {
        return NULL;
    }
    last = &output->pieces[output->n_pieces - 1];
    return (uint8_t *)last->iov_base + last->iov_len == data ? last : NULL;
}

/* There is room for a piece. */
static void append(struct gw_output *output, const uint8_t *data, size_t size)
{
    struct iovec *neighbour = find_neighbour(output, data);

    if (neighbour) {
        neighbour->iov_len += size;
    } else if (size > 0) {
        output->pieces[output->n_pieces++] = (struct iovec){
            .iov_base = (void *)(uintptr_t)data, .iov_len = size};
    }
    output->size += size;
    output->total += size;
}

int gw_output_lend(struct gw_output *output, const void *data, size_t size,
                   struct gw_error **errp)
{
    int r = make_room(output, 0, errp);

    if (r == 0) {
        append(output, data, size);
    }
    return r;
}

int gw_output_write(struct gw_output *output, const void *data, size_t size,
                    struct gw_error **errp)
{
    uint8_t *copy;
    int r;

    if (size >= BUFFER_SIZE) {
        r = gw_output_lend(output, data, size, errp);
        return r < 0 ? r : gw_output_flush(output, errp);
    }
    r = make_room(output, size, errp);
    if (r == 0 && size > 0) {
        copy = output->buffer + output->copied;
        memcpy(copy, data, size);
        output->copied += size;
        append(output, copy, size);
    }
    return r;
}

int gw_output_seek(struct gw_output *output, uint64_t offset,
                   struct gw_error **errp)
{
    int r = gw_output_flush(output, errp);

    assert(gw_channel_is_seekable(output->channel));
    if (r == 0) {
        output->offset = offset;
    }
    return r;
}

int gw_output_pwrite(struct gw_output *output, const void *data, size_t size,
                     uint64_t offset, struct gw_error **errp)
{
    output->total += size;
    return gw_channel_pwrite(output->channel, data, size, offset, errp);
}
