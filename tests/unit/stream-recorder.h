/*
 * For tests of the walk over a stream: a handler that writes down what it
 * sees, and streams to show it.
 */
#ifndef GW_TESTS_STREAM_RECORDER_H
#define GW_TESTS_STREAM_RECORDER_H

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "stream-builder.h"
#include "stream/reader.h"

/* A handler that writes down what it sees, a line each. */
struct recorder {
    struct gw_buffer log;
    bool read_bitmaps; /* of mapped blocks */
};

static int record_config(void *opaque, const struct gw_stream_config *config,
                         struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    gw_buffer_printf(&rec->log, "config %d '%s'%s%s%s\n", config->present,
                     config->machine_name,
                     config->mapped_ram ? " mapped-ram" : "",
                     config->ignore_shared ? " ignore-shared" : "",
                     config->has_uuid ? " uuid" : "");
    return 0;
}

static int record_begin(void *opaque, const struct gw_stream_section *section,
                        struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    gw_buffer_printf(&rec->log, "begin %d %u '%s' %u v%u at %" PRIu64 "\n",
                     section->kind, section->section_id, section->idstr,
                     section->instance_id, section->version, section->offset);
    return 0;
}

/* A device has as many bytes as its name's last character says. */
static int record_device(void *opaque, const struct gw_stream_section *section,
                         struct gw_input *input, struct gw_error **errp)
{
    struct recorder *rec = opaque;
    char digit = section->idstr[strlen(section->idstr) - 1];

    gw_buffer_printf(&rec->log, "device '%s'\n", section->idstr);
    return gw_input_skip(input, (uint64_t)(digit - '0'), errp);
}

static int record_end(void *opaque, const struct gw_stream_section *section,
                      struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    gw_buffer_printf(&rec->log, "end %" PRIu64 "\n",
                     section->data_end - section->data_offset);
    return 0;
}

static int record_block(void *opaque, const struct gw_stream_block *block,
                        struct gw_input *input, struct gw_error **errp)
{
    struct recorder *rec = opaque;
    GW_AUTO_FREE uint8_t *bitmap = NULL;

    gw_buffer_printf(&rec->log, "block %zu '%s' 0x%" PRIx64, block->index,
                     block->idstr, block->used_length);
    if (block->address) {
        gw_buffer_printf(&rec->log, " at 0x%" PRIx64, block->address);
    }
    if (block->mapped) {
        gw_buffer_printf(
            &rec->log,
            " bitmap %" PRIu64 " at 0x%" PRIx64 " pages at 0x%" PRIx64,
            block->bitmap_size, block->bitmap_offset, block->pages_offset);
    }
    gw_buffer_printf(&rec->log, "\n");
    if (rec->read_bitmaps) {
        return gw_stream_read_bitmap(input, block, &bitmap, errp);
    }
    return 0;
}

static int record_table_end(void *opaque, struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    gw_buffer_printf(&rec->log, "table end\n");
    return 0;
}

static int record_page(void *opaque, const struct gw_stream_block *block,
                       uint64_t offset, struct gw_input *input,
                       struct gw_error **errp)
{
    struct recorder *rec = opaque;
    uint8_t page[SB_PAGE];
    int rc = gw_input_read(input, page, sizeof(page), errp);

    if (rc == 0) {
        gw_buffer_printf(&rec->log, "page '%s' 0x%" PRIx64 " = %02x\n",
                         block->idstr, offset, page[0]);
    }
    return rc;
}

static int record_zero(void *opaque, const struct gw_stream_block *block,
                       uint64_t offset, struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    gw_buffer_printf(&rec->log, "zero '%s' 0x%" PRIx64 "\n", block->idstr,
                     offset);
    return 0;
}

static int record_command(void *opaque, uint16_t command, const uint8_t *data,
                          uint16_t size, uint64_t offset,
                          struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)data;
    (void)offset;
    (void)errp;
    gw_buffer_printf(&rec->log, "command %u (%u)\n", command, size);
    return 0;
}

static int record_eof(void *opaque, uint64_t offset, struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    (void)offset;
    gw_buffer_printf(&rec->log, "eof\n");
    return 0;
}

static int record_description(void *opaque, const char *json, uint32_t len,
                              uint64_t offset, struct gw_error **errp)
{
    struct recorder *rec = opaque;

    (void)errp;
    (void)offset;
    gw_buffer_printf(&rec->log, "description %u %s\n", len, json);
    return 0;
}

static const struct gw_stream_ops recorder_ops = {
    .config = record_config,
    .section_begin = record_begin,
    .device = record_device,
    .section_end = record_end,
    .ram_block = record_block,
    .ram_table_end = record_table_end,
    .ram_page = record_page,
    .ram_zero = record_zero,
    .command = record_command,
    .eof = record_eof,
    .description = record_description,
};

static inline int run_recorder(struct recorder *rec, const void *data,
                               size_t size, uint64_t *ret_trailing,
                               struct gw_error **errp)
{
    struct gw_stream_reader reader = {.ops = &recorder_ops, .opaque = rec};
    struct gw_input *input = gw_input_new_memory(data, size, errp);
    int rc = gw_stream_read(&reader, input, ret_trailing, errp);

    gw_input_free(input);
    return rc;
}

/* Header, configuration, START of ram with blocks "a" (3 pages), "b" (1). */
static inline void put_start(struct gw_buffer *b)
{
    sb_header(b);
    sb_config(b, "m");
    sb_named(b, SB_START, 1, "ram", 0, 4);
    sb_word(b, 0x4000 | 0x04);
    sb_block(b, "a", 0x3000);
    sb_block(b, "b", 0x1000);
    sb_word(b, 0x10);
    sb_footer(b, 1);
}

static inline void put_tail(struct gw_buffer *b)
{
    sb_empty(b, SB_END, 1);
    sb_eof(b);
}

/*
 * mapped-ram: block "a" of 3 pages, "b" of 1, areas aligned to a page only
 * so that the stream stays small.
 */
struct mapped_case {
    uint32_t version;
    uint64_t page_size;
    int64_t bitmap_shift; /* added to what is right */
    int64_t pages_shift;
    uint8_t bits;      /* of the bitmap of "a" */
    size_t cut;        /* bytes cut off the end */
    uint64_t set_page; /* not 0: an absolute pages offset */
};

static const struct mapped_case mapped_good = {
    .version = 1, .page_size = SB_PAGE, .bits = 0x07};

static inline void put_mapped_block(struct gw_buffer *b, const char *name,
                                    uint64_t length,
                                    const struct mapped_case *c)
{
    uint64_t pos;
    uint64_t pages;
    uint64_t at;

    sb_block(b, name, length);
    pos = b->size + 28;
    pages = gw_align_up(pos + 8, SB_PAGE);
    at = c->set_page ? c->set_page : pages + (uint64_t)c->pages_shift;
    sb_mapped(b, c->version, c->page_size, pos + (uint64_t)c->bitmap_shift, at);
    gw_buffer_put_u8(b, c->bits);
    gw_buffer_put_zeros(b, 7);
    gw_buffer_put_zeros(b, pages - b->size);
    sb_fill(b, 0x55, length);
}

static inline void put_mapped(struct gw_buffer *b, const struct mapped_case *c)
{
    struct mapped_case second = mapped_good;

    second.bits = 0x01;
    sb_header(b);
    sb_config(b, "m");
    sb_capability(b, "mapped-ram");
    sb_named(b, SB_START, 1, "ram", 0, 4);
    sb_word(b, 0x4000 | 0x04);
    put_mapped_block(b, "a", 0x3000, c);
    put_mapped_block(b, "b", 0x1000, &second);
    sb_word(b, 0x10);
    sb_footer(b, 1);
    sb_empty(b, SB_PART, 1);
    put_tail(b);
    b->size -= c->cut;
}

#endif
