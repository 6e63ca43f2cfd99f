/*
 * Buffered input with look-ahead over a channel or over memory.
 */
#include "channel/input.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/channel.h"

enum {
    ALIGNMENT = 4096,
    /* Bytes that are read at once; a read of as many needs no buffer. */
    READ_SIZE = 256 * 1024,
    /* What is left of the last read lies before the next. */
    BUFFER_SIZE = READ_SIZE + ALIGNMENT,
};

struct gw_input {
    /* NULL: over memory */
    struct gw_channel *channel;
    /* owned, or the caller's memory */
    uint8_t *buffer;
    /* of the buffer: next byte, and one past the last */
    size_t pos, end;
    /* absolute position of the byte behind the buffer's last */
    uint64_t next_offset;
    /* the channel has no more bytes */
    bool at_end;
    /* first failure; every later read gives it again */
    int failed;
};

static struct gw_input *input_alloc(struct gw_error **errp)
{
    struct gw_input *input = calloc(1, sizeof(*input));

    if (!input) {
        gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return input;
}

struct gw_input *gw_input_new(struct gw_channel *channel,
                              struct gw_error **errp)
{
    struct gw_input *input = input_alloc(errp);

    if (!input) {
        return NULL;
    }
    input->buffer = aligned_alloc(ALIGNMENT, BUFFER_SIZE);
    if (!input->buffer) {
        free(input);
        gw_error_set(errp, -ENOMEM, "out of memory");
        return NULL;
    }
    input->channel = channel;
    input->next_offset = channel->start;
    return input;
}

struct gw_input *gw_input_new_memory(const void *data, size_t size,
                                     struct gw_error **errp)
{
    struct gw_input *input = input_alloc(errp);

    if (input) {
        /* Not NULL even if there is nothing: positions are added to it. */
        input->buffer = (uint8_t *)(uintptr_t)(data ? data : "");
        input->end = size;
        input->next_offset = size;
        input->at_end = true;
    }
    return input;
}

struct gw_input *gw_input_free(struct gw_input *input)
{
    if (input) {
        if (input->channel) {
            free(input->buffer);
        }
        free(input);
    }
    return NULL;
}

static size_t buffered(const struct gw_input *input)
{
    return input->end - input->pos;
}

uint64_t gw_input_offset(const struct gw_input *input)
{
    return input->next_offset - buffered(input);
}

/* Reads from the channel, positional where it can be. */
static ssize_t channel_read(struct gw_input *input, void *data, size_t size)
{
    if (gw_channel_is_seekable(input->channel)) {
        return gw_channel_pread(input->channel, data, size, input->next_offset);
    }
    return gw_channel_read(input->channel, data, size);
}

static int read_failed(struct gw_input *input, int code, struct gw_error **errp)
{
    input->failed = code;
    if (code == -ECANCELED) {
        return gw_error_set(errp, code, "cancelled");
    }
    return gw_error_set_errno(errp, code, "cannot read at offset %#llx",
                              (unsigned long long)input->next_offset);
}

/* Fetches up to `size` bytes into `data`; 0 at the end. */
static ssize_t fetch(struct gw_input *input, void *data, size_t size,
                     struct gw_error **errp)
{
    ssize_t n;

    if (input->failed) {
        return gw_error_set_errno(errp, input->failed, "reading failed before");
    }
    if (input->at_end) {
        return 0;
    }
    n = channel_read(input, data, size);
    if (n < 0) {
        return read_failed(input, (int)n, errp);
    }
    if (n == 0) {
        input->at_end = true;
    }
    input->next_offset += (uint64_t)n;
    return n;
}

/*
 * Moves what is left to the front, so that the next byte of the channel has
 * the place in a page of the buffer that it has in a page of the file: the
 * kernel copies aligned pages then. (Zen 3 needs five times as long for a copy
 * to a place that is a few bytes further in its page.)
 */
static void make_room(struct gw_input *input)
{
    size_t left = buffered(input);
    size_t pos = (input->next_offset - left) % ALIGNMENT;

    memmove(input->buffer + pos, input->buffer + input->pos, left);
    input->pos = pos;
    input->end = pos + left;
}

/* Makes `size` bytes available in the buffer, fewer only at the end. */
static int fill(struct gw_input *input, size_t size, struct gw_error **errp)
{
    ssize_t n;

    if (!input->channel || buffered(input) >= size) {
        return 0;
    }
    make_room(input);
    while (buffered(input) < size && !input->at_end) {
        n = fetch(input, input->buffer + input->end, BUFFER_SIZE - input->end,
                  errp);
        if (n < 0) {
            return (int)n;
        }
        input->end += (size_t)n;
    }
    return 0;
}

int gw_input_peek(struct gw_input *input, size_t size, const uint8_t **ret_data,
                  size_t *ret_size, struct gw_error **errp)
{
    int r;

    assert(size <= GW_INPUT_PEEK_MAX);
    r = fill(input, size, errp);
    if (r < 0) {
        return r;
    }
    /* An empty input over memory may have no buffer: NULL + 0 is undefined. */
    *ret_data = input->buffer ? input->buffer + input->pos : NULL;
    *ret_size = gw_min_u64(size, buffered(input));
    return 0;
}

void gw_input_get_buffered(const struct gw_input *input,
                           const uint8_t **ret_data, size_t *ret_size)
{
    *ret_data = input->buffer + input->pos;
    *ret_size = buffered(input);
}

static int ended(struct gw_input *input, uint64_t missing,
                 struct gw_error **errp)
{
    return gw_error_set(errp, -ENODATA,
                        "the data ends at offset %#llx, %llu more byte%s "
                        "expected",
                        (unsigned long long)gw_input_offset(input),
                        (unsigned long long)missing, missing == 1 ? "" : "s");
}

int gw_input_read(struct gw_input *input, void *data, size_t size,
                  struct gw_error **errp)
{
    uint8_t *to = data;
    size_t n = gw_min_u64(size, buffered(input));
    ssize_t got;

    if (n > 0) {
        memcpy(to, input->buffer + input->pos, n);
    }
    input->pos += n;
    to += n;
    size -= n;
    /* What fills the buffer anyway goes straight to its place. */
    while (size >= READ_SIZE && !input->at_end) {
        got = fetch(input, to, size, errp);
        if (got < 0) {
            return (int)got;
        }
        to += got;
        size -= (size_t)got;
    }
    if (size == 0) {
        return 0;
    }
    got = fill(input, size, errp);
    if (got < 0) {
        return (int)got;
    }
    if (buffered(input) < size) {
        size -= buffered(input);
        input->pos = input->end;
        return ended(input, size, errp);
    }
    memcpy(to, input->buffer + input->pos, size);
    input->pos += size;
    return 0;
}

int gw_input_skip(struct gw_input *input, uint64_t size, struct gw_error **errp)
{
    size_t n;
    int r;

    while (size > 0) {
        if (buffered(input) == 0) {
            r = fill(input, 1, errp);
            if (r < 0) {
                return r;
            }
            if (buffered(input) == 0) {
                return ended(input, size, errp);
            }
        }
        n = gw_min_u64(size, buffered(input));
        input->pos += n;
        size -= n;
    }
    return 0;
}

static int get_be(struct gw_input *input, size_t size, uint64_t *ret,
                  struct gw_error **errp)
{
    uint8_t bytes[8];
    struct gw_reader reader = gw_reader_of(bytes, size);
    int r = gw_input_read(input, bytes, size, errp);

    if (r == 0) {
        gw_reader_get_be(&reader, size, ret);
    }
    return r;
}

int gw_input_get_u8(struct gw_input *input, uint8_t *ret,
                    struct gw_error **errp)
{
    uint64_t value = 0;
    int r = get_be(input, 1, &value, errp);

    if (r == 0) {
        *ret = (uint8_t)value;
    }
    return r;
}

int gw_input_get_be16(struct gw_input *input, uint16_t *ret,
                      struct gw_error **errp)
{
    uint64_t value = 0;
    int r = get_be(input, 2, &value, errp);

    if (r == 0) {
        *ret = (uint16_t)value;
    }
    return r;
}

int gw_input_get_be32(struct gw_input *input, uint32_t *ret,
                      struct gw_error **errp)
{
    uint64_t value = 0;
    int r = get_be(input, 4, &value, errp);

    if (r == 0) {
        *ret = (uint32_t)value;
    }
    return r;
}

int gw_input_get_be64(struct gw_input *input, uint64_t *ret,
                      struct gw_error **errp)
{
    return get_be(input, 8, ret, errp);
}

int gw_input_decode(struct gw_input *input, const char *what,
                    gw_decode_fn decode, void *ret, struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(input);
    struct gw_reader reader;
    const uint8_t *data;
    size_t want = 64, size;
    int r;

    for (;;) {
        r = gw_input_peek(input, want, &data, &size, errp);
        if (r < 0) {
            return gw_error_prefix(errp, r, "%s", what);
        }
        reader = gw_reader_of(data, size);
        r = decode(&reader, ret);
        if (r == 0) {
            input->pos += size - gw_reader_left(&reader);
            return 0;
        }
        if (r < 0) {
            return gw_error_set(errp, r, "malformed %s at offset %#llx", what,
                                (unsigned long long)offset);
        }
        if (size < want || want == GW_INPUT_PEEK_MAX) {
            break;
        }
        want = gw_min_u64(want * 4, GW_INPUT_PEEK_MAX);
    }
    return gw_error_set(
        errp, -ENODATA, "truncated %s at offset %#llx: the data ends at %#llx",
        what, (unsigned long long)offset, (unsigned long long)(offset + size));
}

bool gw_input_is_seekable(const struct gw_input *input)
{
    return input->channel ? gw_channel_is_seekable(input->channel) : true;
}

int gw_input_seek(struct gw_input *input, uint64_t offset,
                  struct gw_error **errp)
{
    if (!input->channel) {
        if (offset > input->end) {
            input->pos = input->end;
            return ended(input, offset - input->end, errp);
        }
        input->pos = offset;
        return 0;
    }
    assert(gw_input_is_seekable(input));
    input->pos = input->end = 0;
    input->next_offset = offset;
    input->at_end = false;
    return 0;
}

static ssize_t memory_pread(struct gw_input *input, void *data, size_t size,
                            uint64_t offset)
{
    if (offset >= input->end) {
        return 0;
    }
    size = gw_min_u64(size, input->end - offset);
    memcpy(data, input->buffer + offset, size);
    return (ssize_t)size;
}

int gw_input_pread(struct gw_input *input, void *data, size_t size,
                   uint64_t offset, struct gw_error **errp)
{
    ssize_t n = input->channel
                    ? gw_channel_pread(input->channel, data, size, offset)
                    : memory_pread(input, data, size, offset);

    if (n < 0) {
        return n == -ECANCELED
                   ? gw_error_set(errp, -ECANCELED, "cancelled")
                   : gw_error_set_errno(errp, (int)n,
                                        "cannot read at offset %#llx",
                                        (unsigned long long)offset);
    }
    if ((size_t)n < size) {
        return gw_error_set(errp, -ENODATA,
                            "the data ends at offset %#llx, expected %zu "
                            "bytes from %#llx",
                            (unsigned long long)(offset + (size_t)n), size,
                            (unsigned long long)offset);
    }
    return 0;
}

uint64_t gw_input_total_size(const struct gw_input *input)
{
    return input->channel ? gw_channel_size(input->channel) : input->end;
}

void gw_input_cancel(struct gw_input *input)
{
    if (input->channel) {
        gw_channel_cancel(input->channel);
    }
}
