/*
 * Cursors over memory for the wire codecs: a reader and a writer, big-endian.
 *
 * Getters return false and leave the cursor alone when bytes are missing.
 * Putters remember the first lack of room; check gw_writer_ok once at the end.
 */
#ifndef GW_BASE_BYTES_H
#define GW_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Result of a decoder: the bytes at hand are a prefix of something valid, and
 * more are needed. Positive, so that it never mixes with an errno.
 */
#define GW_SHORT 1

struct gw_reader {
    const uint8_t *pos; /* next byte */
    const uint8_t *end; /* one past the last */
};

struct gw_writer {
    uint8_t *pos; /* next free byte */
    uint8_t *end; /* one past the room */
    bool failed;  /* something did not fit */
};

static inline struct gw_reader gw_reader_of(const void *data, size_t size)
{
    const uint8_t *pos = data;

    return (struct gw_reader){.pos = pos, .end = pos + size};
}

static inline size_t gw_reader_left(const struct gw_reader *r)
{
    return (size_t)(r->end - r->pos);
}

/* Lends the next `size` bytes and moves past them. */
static inline bool gw_reader_get_bytes(struct gw_reader *r, size_t size,
                                       const uint8_t **ret_data)
{
    if (gw_reader_left(r) < size) {
        return false;
    }
    *ret_data = r->pos;
    r->pos += size;
    return true;
}

static inline bool gw_reader_get_be(struct gw_reader *r, size_t size,
                                    uint64_t *ret)
{
    const uint8_t *data;
    uint64_t value = 0;
    size_t i;

    if (!gw_reader_get_bytes(r, size, &data)) {
        return false;
    }
    for (i = 0; i < size; i++) {
        value = value << 8 | data[i];
    }
    *ret = value;
    return true;
}

static inline bool gw_reader_get_u8(struct gw_reader *r, uint8_t *ret)
{
    uint64_t value;

    if (!gw_reader_get_be(r, 1, &value)) {
        return false;
    }
    *ret = (uint8_t)value;
    return true;
}

static inline bool gw_reader_get_be16(struct gw_reader *r, uint16_t *ret)
{
    uint64_t value;

    if (!gw_reader_get_be(r, 2, &value)) {
        return false;
    }
    *ret = (uint16_t)value;
    return true;
}

static inline bool gw_reader_get_be32(struct gw_reader *r, uint32_t *ret)
{
    uint64_t value;

    if (!gw_reader_get_be(r, 4, &value)) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

static inline bool gw_reader_get_be64(struct gw_reader *r, uint64_t *ret)
{
    return gw_reader_get_be(r, 8, ret);
}

static inline struct gw_writer gw_writer_of(void *data, size_t size)
{
    uint8_t *pos = data;

    return (struct gw_writer){.pos = pos, .end = pos + size};
}

static inline bool gw_writer_ok(const struct gw_writer *w)
{
    return !w->failed;
}

static inline void gw_writer_put_bytes(struct gw_writer *w, const void *data,
                                       size_t size)
{
    if (w->failed || (size_t)(w->end - w->pos) < size) {
        w->failed = true;
        return;
    }
    if (size) {
        memcpy(w->pos, data, size);
    }
    w->pos += size;
}

static inline void gw_writer_put_be(struct gw_writer *w, size_t size,
                                    uint64_t value)
{
    uint8_t bytes[8];
    size_t i;

    for (i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    gw_writer_put_bytes(w, bytes, size);
}

static inline void gw_writer_put_u8(struct gw_writer *w, uint8_t value)
{
    gw_writer_put_be(w, 1, value);
}

static inline void gw_writer_put_be16(struct gw_writer *w, uint16_t value)
{
    gw_writer_put_be(w, 2, value);
}

static inline void gw_writer_put_be32(struct gw_writer *w, uint32_t value)
{
    gw_writer_put_be(w, 4, value);
}

static inline void gw_writer_put_be64(struct gw_writer *w, uint64_t value)
{
    gw_writer_put_be(w, 8, value);
}

#endif
