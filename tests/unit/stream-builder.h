/*
 * Builds streams byte by byte for tests, from the stream spec and not from
 * the codecs, so that the two check each other.
 */
#ifndef GW_TESTS_STREAM_BUILDER_H
#define GW_TESTS_STREAM_BUILDER_H

#include <string.h>

#include "base/buffer.h"

enum {
    SB_START = 1,
    SB_PART = 2,
    SB_END = 3,
    SB_FULL = 4,
    SB_PAGE = 4096,
};

static inline void sb_name(struct gw_buffer *b, const char *name)
{
    gw_buffer_put_u8(b, (uint8_t)strlen(name));
    gw_buffer_put_bytes(b, name, strlen(name));
}

static inline void sb_header(struct gw_buffer *b)
{
    gw_buffer_put_bytes(b, "QEVM\0\0\0\3", 8);
}

static inline void sb_config(struct gw_buffer *b, const char *machine)
{
    gw_buffer_put_u8(b, 0x07);
    gw_buffer_put_be32(b, (uint32_t)strlen(machine));
    gw_buffer_put_bytes(b, machine, strlen(machine));
}

static inline void sb_subsection(struct gw_buffer *b, const char *name,
                                 uint32_t version)
{
    gw_buffer_put_u8(b, 0x05);
    sb_name(b, name);
    gw_buffer_put_be32(b, version);
}

static inline void sb_capability(struct gw_buffer *b, const char *name)
{
    sb_subsection(b, "configuration/capabilities", 1);
    gw_buffer_put_be32(b, 1);
    sb_name(b, name);
}

/* START and FULL. */
static inline void sb_named(struct gw_buffer *b, uint8_t type, uint32_t id,
                            const char *idstr, uint32_t instance,
                            uint32_t version)
{
    gw_buffer_put_u8(b, type);
    gw_buffer_put_be32(b, id);
    sb_name(b, idstr);
    gw_buffer_put_be32(b, instance);
    gw_buffer_put_be32(b, version);
}

/* PART and END. */
static inline void sb_more(struct gw_buffer *b, uint8_t type, uint32_t id)
{
    gw_buffer_put_u8(b, type);
    gw_buffer_put_be32(b, id);
}

static inline void sb_footer(struct gw_buffer *b, uint32_t id)
{
    gw_buffer_put_u8(b, 0x7e);
    gw_buffer_put_be32(b, id);
}

static inline void sb_word(struct gw_buffer *b, uint64_t word)
{
    gw_buffer_put_be64(b, word);
}

static inline void sb_block(struct gw_buffer *b, const char *name,
                            uint64_t length)
{
    sb_name(b, name);
    gw_buffer_put_be64(b, length);
}

static inline void sb_mapped(struct gw_buffer *b, uint32_t version,
                             uint64_t page_size, uint64_t bitmap_offset,
                             uint64_t pages_offset)
{
    gw_buffer_put_be32(b, version);
    gw_buffer_put_be64(b, page_size);
    gw_buffer_put_be64(b, bitmap_offset);
    gw_buffer_put_be64(b, pages_offset);
}

static inline void sb_fill(struct gw_buffer *b, uint8_t byte, size_t size)
{
    uint8_t *data = gw_buffer_extend(b, size);

    if (data) {
        memset(data, byte, size);
    }
}

/* A page record with its name; the contents are all `byte`. */
static inline void sb_page(struct gw_buffer *b, const char *block,
                           uint64_t offset, uint8_t byte)
{
    sb_word(b, offset | 0x08);
    sb_name(b, block);
    sb_fill(b, byte, SB_PAGE);
}

static inline void sb_zero_page(struct gw_buffer *b, const char *block,
                                uint64_t offset)
{
    sb_word(b, offset | 0x02);
    sb_name(b, block);
    gw_buffer_put_u8(b, 0);
}

/* An empty PART or END. */
static inline void sb_empty(struct gw_buffer *b, uint8_t type, uint32_t id)
{
    sb_more(b, type, id);
    sb_word(b, 0x10);
    sb_footer(b, id);
}

static inline void sb_command(struct gw_buffer *b, uint16_t command,
                              uint16_t size)
{
    gw_buffer_put_u8(b, 0x08);
    gw_buffer_put_be16(b, command);
    gw_buffer_put_be16(b, size);
    gw_buffer_put_zeros(b, size);
}

static inline void sb_eof(struct gw_buffer *b)
{
    gw_buffer_put_u8(b, 0x00);
}

static inline void sb_description(struct gw_buffer *b, const char *json)
{
    gw_buffer_put_u8(b, 0x06);
    gw_buffer_put_be32(b, (uint32_t)strlen(json));
    gw_buffer_put_bytes(b, json, strlen(json));
}

#endif
