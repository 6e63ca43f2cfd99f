/*
 * Builds small whole images: a machine "m" with two RAM blocks and a device,
 * plain and with mapped-ram.
 */
#ifndef GW_TESTS_IMAGE_BUILDER_H
#define GW_TESTS_IMAGE_BUILDER_H

#include "base/util.h"
#include "stream-builder.h"

/* A device of 5 bytes: u32 "counter" = 0x01020304, bool "on" = true. */
#define DEVICE_JSON                                                         \
    "{\"page_size\": 4096, \"devices\": [{\"name\": \"dev\", "              \
    "\"instance_id\": 0, \"vmsd_name\": \"dev\", \"version\": 3, "          \
    "\"fields\": [{\"name\": \"counter\", \"type\": \"uint32\", \"size\": " \
    "4}, {\"name\": \"on\", \"type\": \"bool\", \"size\": 1}]}]}"

/* Pages of block "a"; block "b/x" has one. */
#define A_PAGES 8u

/* SWITCHOVER_START, END of ram, the device, end mark, description. */
static inline void put_image_tail(struct gw_buffer *b)
{
    sb_command(b, 11, 0);
    sb_empty(b, SB_END, 1);
    sb_named(b, SB_FULL, 0, "dev", 0, 3);
    gw_buffer_put_be32(b, 0x01020304);
    gw_buffer_put_u8(b, 1);
    sb_footer(b, 0);
    sb_eof(b);
    sb_description(b, DEVICE_JSON);
}

static inline void put_image_start(struct gw_buffer *b)
{
    sb_named(b, SB_START, 1, "ram", 0, 4);
    sb_word(b, (A_PAGES + 1) * SB_PAGE | 0x04);
}

/*
 * Block "a": page 0 = 0x10, 1 = zero, 2 = 0x12 and again 0x22, 3 = 0x13 and
 * then zero, 4 = a PAGE of zeros, 5 and 6 absent, 7 = 0x17. Block "b/x":
 * page 0 = 0xbb.
 */
static inline void put_plain_image(struct gw_buffer *b)
{
    sb_header(b);
    sb_config(b, "m");
    put_image_start(b);
    sb_block(b, "a", A_PAGES * SB_PAGE);
    sb_block(b, "b/x", SB_PAGE);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    sb_more(b, SB_PART, 1);
    sb_page(b, "a", 0, 0x10);
    sb_zero_page(b, "a", 1 * SB_PAGE);
    sb_page(b, "a", 2 * SB_PAGE, 0x12);
    sb_page(b, "a", 3 * SB_PAGE, 0x13);
    sb_page(b, "b/x", 0, 0xbb);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    sb_more(b, SB_PART, 1);
    sb_page(b, "a", 4 * SB_PAGE, 0x00);
    sb_page(b, "a", 7 * SB_PAGE, 0x17);
    sb_page(b, "a", 2 * SB_PAGE, 0x22);
    sb_zero_page(b, "a", 3 * SB_PAGE);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    put_image_tail(b);
}

/* The contents of block "a" of all images here. */
static const uint8_t a_bytes[A_PAGES] = {0x10, 0, 0x22, 0, 0, 0, 0, 0x17};

static inline void put_mapped_area(struct gw_buffer *b, const char *name,
                                   uint32_t n_pages, uint8_t bits,
                                   const uint8_t *bytes)
{
    uint64_t pos;
    uint32_t i;

    sb_block(b, name, (uint64_t)n_pages * SB_PAGE);
    pos = b->size + 28;
    sb_mapped(b, 1, SB_PAGE, pos, gw_align_up(pos + 8, SB_PAGE));
    gw_buffer_put_u8(b, bits);
    gw_buffer_put_zeros(b, 7);
    gw_buffer_put_zeros(b, gw_align_up(b->size, SB_PAGE) - b->size);
    for (i = 0; i < n_pages; i++) {
        sb_fill(b, bytes[i], SB_PAGE);
    }
}

/*
 * The same machine with mapped-ram; pages 3 and 5 of "a" have a clear bit
 * and older bytes, page 4 a bit and zeros. `leading` bytes are before it.
 */
static inline void put_mapped_image(struct gw_buffer *b, size_t leading)
{
    const uint8_t bytes[A_PAGES] = {0x10, 0, 0x22, 0x33, 0, 0x55, 0, 0x17};
    const uint8_t bb = 0xbb;

    sb_fill(b, 0xee, leading);
    sb_header(b);
    sb_config(b, "m");
    sb_capability(b, "mapped-ram");
    put_image_start(b);
    put_mapped_area(b, "a", A_PAGES, 0x95, bytes);
    put_mapped_area(b, "b/x", 1, 0x01, &bb);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    sb_empty(b, SB_PART, 1);
    put_image_tail(b);
}

#endif
