/*
 * Buffered output over a channel.
 */
#include "channel/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/channel.h"

enum {
    OUTPUT_BUFFER_SIZE = 256 * 1024
};

struct gw_output {
    struct gw_channel *channel; /* borrowed */
    size_t size;                /* bytes in the buffer */
    uint64_t offset;            /* absolute position of the buffer's start */
    uint64_t total;             /* bytes handed over */
    uint8_t buffer[OUTPUT_BUFFER_SIZE];
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
    output->size = 0;
    output->offset = channel->start;
    output->total = 0;
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

static int channel_write(struct gw_output *output, const void *data,
                         size_t size, struct gw_error **errp)
{
    int r;

    if (gw_channel_is_seekable(output->channel)) {
        r = gw_channel_pwrite(output->channel, data, size, output->offset,
                              errp);
    } else {
        r = gw_channel_write(output->channel, data, size, errp);
    }
    if (r == 0) {
        output->offset += size;
    }
    return r;
}

int gw_output_flush(struct gw_output *output, struct gw_error **errp)
{
    int r = channel_write(output, output->buffer, output->size, errp);

    if (r == 0) {
        output->size = 0;
    }
    return r;
}

int gw_output_write(struct gw_output *output, const void *data, size_t size,
                    struct gw_error **errp)
{
    int r;

    output->total += size;
    if (size > OUTPUT_BUFFER_SIZE - output->size) {
        r = gw_output_flush(output, errp);
        if (r < 0) {
            return r;
        }
    }
    if (size >= OUTPUT_BUFFER_SIZE) {
        return channel_write(output, data, size, errp);
    }
    if (size > 0) {
        memcpy(output->buffer + output->size, data, size);
    }
    output->size += size;
    return 0;
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
