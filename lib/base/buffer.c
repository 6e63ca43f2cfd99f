/*
 * Growing byte buffer.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    BUFFER_START = 256
};

void gw_buffer_deinit(struct gw_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct gw_buffer){0};
}

static bool grow(struct gw_buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_START;
    uint8_t *data;

    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2) {
            return false;
        }
        capacity *= 2;
    }
    data = realloc(buffer->data, capacity);
    if (!data) {
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *gw_buffer_extend(struct gw_buffer *buffer, size_t size)
{
    uint8_t *start;

    if (buffer->failed || size > SIZE_MAX - buffer->size) {
        buffer->failed = true;
        return NULL;
    }
    if (buffer->size + size > buffer->capacity || !buffer->data) {
        if (!grow(buffer, buffer->size + size)) {
            buffer->failed = true;
            return NULL;
        }
    }
    start = buffer->data + buffer->size;
    buffer->size += size;
    return start;
}

void gw_buffer_put_bytes(struct gw_buffer *buffer, const void *data,
                         size_t size)
{
    uint8_t *to = gw_buffer_extend(buffer, size);

    if (to && size) {
        memcpy(to, data, size);
    }
}

void gw_buffer_put_zeros(struct gw_buffer *buffer, size_t size)
{
    uint8_t *to = gw_buffer_extend(buffer, size);

    if (to) {
        memset(to, 0, size);
    }
}

static void put_be(struct gw_buffer *buffer, size_t size, uint64_t value)
{
    uint8_t *to = gw_buffer_extend(buffer, size);

    if (to) {
        struct gw_writer writer = gw_writer_of(to, size);

        gw_writer_put_be(&writer, size, value);
    }
}

void gw_buffer_put_u8(struct gw_buffer *buffer, uint8_t value)
{
    put_be(buffer, 1, value);
}

void gw_buffer_put_be16(struct gw_buffer *buffer, uint16_t value)
{
    put_be(buffer, 2, value);
}

void gw_buffer_put_be32(struct gw_buffer *buffer, uint32_t value)
{
    put_be(buffer, 4, value);
}

void gw_buffer_put_be64(struct gw_buffer *buffer, uint64_t value)
{
    put_be(buffer, 8, value);
}

void gw_buffer_printf(struct gw_buffer *buffer, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, fmt);
    len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0) {
        buffer->failed = true;
        return;
    }
    gw_buffer_put_bytes(buffer, text, (size_t)len);
    free(text);
}
