/*
 * Reads the data of RAM sections: the block table, page records, and where
 * mapped-ram has put things.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "stream/walk.h"
#include "wire/mapped.h"
#include "wire/mapped_bitmap.h"
#include "wire/ram.h"

/* Largest bitmap that we read, bytes: that of a block of 32 TiB. */
#define BITMAP_MAX (1024u * 1024 * 1024)

/* An entry, and how to read it. */
struct entry_request {
    struct gw_ram_block_layout layout;
    struct gw_ram_block_entry entry;
};

static int decode_record(struct gw_reader *r, void *ret,
                         struct gw_wire_fault *fault)
{
    return gw_ram_record_decode(r, ret, fault);
}

static int decode_entry(struct gw_reader *r, void *ret,
                        struct gw_wire_fault *fault)
{
    struct entry_request *request = ret;

    return gw_ram_block_entry_decode(r, &request->layout, &request->entry,
                                     fault);
}

static int decode_mapped(struct gw_reader *r, void *ret,
                         struct gw_wire_fault *fault)
{
    return gw_mapped_header_decode(r, ret, fault);
}

static const struct gw_stream_block *
find_block(const struct gw_stream_walk *walk, const char *idstr)
{
    size_t i;

    for (i = 0; i < walk->n_blocks; i++) {
        if (strcmp(walk->blocks[i].idstr, idstr) == 0) {
            return &walk->blocks[i];
        }
    }
    return NULL;
}

static int read_mapped_header(struct gw_stream_walk *walk,
                              struct gw_stream_block *block, uint64_t *ret_next,
                              struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(walk->input);
    struct gw_mapped_layout layout;
    struct gw_mapped_header header;
    struct gw_wire_fault fault;
    int rc;

    rc = gw_stream_decode(walk->input, "mapped-ram header",
                          GW_MAPPED_HEADER_SIZE, decode_mapped, &header, errp);
    if (rc) {
        return rc;
    }
    rc = gw_mapped_layout_check(
        &header, offset + GW_MAPPED_HEADER_SIZE, block->used_length,
        gw_input_total_size(walk->input), &layout, &fault);
    if (rc) {
        return gw_error_set(errp, rc,
                            "mapped-ram header at offset 0x%" PRIx64 ": %s",
                            offset, fault.text);
    }
    block->mapped = true;
    block->bitmap_offset = layout.bitmap_offset;
    block->bitmap_size = layout.bitmap_size;
    block->pages_offset = layout.pages_offset;
    *ret_next = layout.next;
    return 0;
}

static int check_new_block(const struct gw_stream_walk *walk, const char *idstr,
                           struct gw_error **errp)
{
    if (find_block(walk, idstr)) {
        return gw_error_set(errp, -EPROTO, "the block is listed twice");
    }
    if (walk->n_blocks == GW_STREAM_BLOCKS_MAX) {
        return gw_error_set(errp, -EOVERFLOW, "more than %u RAM blocks",
                            GW_STREAM_BLOCKS_MAX);
    }
    return 0;
}

/* *ret_block is lent until the next is added. */
static int add_block(struct gw_stream_walk *walk,
                     const struct gw_ram_block_entry *entry,
                     struct gw_stream_block **ret_block, struct gw_error **errp)
{
    struct gw_stream_block *blocks;
    struct gw_stream_block *block;
    int rc = check_new_block(walk, entry->idstr, errp);

    if (rc) {
        return rc;
    }
    blocks =
        reallocarray(walk->blocks, walk->n_blocks + 1, sizeof(*walk->blocks));
    if (!blocks) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    walk->blocks = blocks;
    block = &blocks[walk->n_blocks];
    *block = (struct gw_stream_block){.index = walk->n_blocks,
                                      .used_length = entry->used_length,
                                      .address = entry->address};
    memcpy(block->idstr, entry->idstr, sizeof(block->idstr));
    walk->n_blocks++;
    *ret_block = block;
    return 0;
}

/* Notes one entry, reads its mapped header, and tells the handler. */
static int take_entry(struct gw_stream_walk *walk,
                      const struct gw_ram_block_entry *entry,
                      struct gw_error **errp)
{
    struct gw_stream_block *block = NULL;
    uint64_t next = 0;
    int rc = add_block(walk, entry, &block, errp);

    if (rc) {
        return rc;
    }
    if (walk->mapped) {
        rc = read_mapped_header(walk, block, &next, errp);
        if (rc) {
            return rc;
        }
    }
    rc = walk->ops->ram_block(walk->opaque, block, walk->input, errp);
    if (rc || !walk->mapped) {
        return rc;
    }
    return gw_input_seek(walk->input, next, errp);
}

static int read_entry(struct gw_stream_walk *walk, uint64_t left,
                      uint64_t *ret_length, struct gw_error **errp)
{
    struct entry_request request = {.layout.address = walk->ignore_shared};
    uint64_t offset = gw_input_offset(walk->input);
    int rc;

    rc = gw_stream_decode(walk->input, "RAM block table entry", 1, decode_entry,
                          &request, errp);
    if (rc) {
        return gw_error_prefix(errp, rc,
                               "%" PRIu64
                               " bytes of the RAM table's total are still to "
                               "be listed",
                               left);
    }
    if (request.entry.used_length > left) {
        rc = gw_error_set(errp, -EBADMSG,
                          "length %" PRIu64 " is beyond the RAM table's "
                          "total, of which %" PRIu64 " is left",
                          request.entry.used_length, left);
    } else {
        rc = take_entry(walk, &request.entry, errp);
    }
    if (rc) {
        return gw_error_prefix(errp, rc, "RAM block '%s' at offset 0x%" PRIx64,
                               request.entry.idstr, offset);
    }
    *ret_length = request.entry.used_length;
    return 0;
}

static int read_table(struct gw_stream_walk *walk, uint64_t total,
                      struct gw_error **errp)
{
    uint64_t length = 0;
    uint64_t left;
    int rc;

    if (walk->has_table) {
        return gw_error_set(errp, -EPROTO, "a second RAM block table");
    }
    walk->has_table = true;
    for (left = total; left; left -= length) {
        rc = read_entry(walk, left, &length, errp);
        if (rc) {
            return rc;
        }
    }
    return walk->ops->ram_table_end(walk->opaque, errp);
}

/* The block that a page record belongs to. */
static int find_page_block(struct gw_stream_walk *walk,
                           const struct gw_ram_record *record,
                           struct gw_error **errp)
{
    const struct gw_stream_block *block = walk->block;

    if (walk->mapped) {
        return gw_error_set(errp, -EPROTO,
                            "a page record in a mapped-ram stream");
    }
    if (!walk->has_table) {
        return gw_error_set(errp, -EPROTO, "a page before the RAM block table");
    }
    if (!record->same_block) {
        block = find_block(walk, record->idstr);
        if (!block) {
            return gw_error_set(errp, -EPROTO,
                                "a page of RAM block '%s', which the table "
                                "does not list",
                                record->idstr);
        }
    }
    if (!block) {
        return gw_error_set(errp, -EPROTO,
                            "a page that continues a block, but none was "
                            "named before");
    }
    if (record->offset >= block->used_length) {
        return gw_error_set(errp, -EBADMSG,
                            "a page at offset 0x%" PRIx64 " of RAM block '%s', "
                            "which has 0x%" PRIx64 " bytes",
                            record->offset, block->idstr, block->used_length);
    }
    walk->block = block;
    return 0;
}

static int read_page(struct gw_stream_walk *walk,
                     const struct gw_ram_record *record, struct gw_error **errp)
{
    uint64_t begin;
    int rc = find_page_block(walk, record, errp);

    if (rc) {
        return rc;
    }
    if (record->kind == GW_RAM_RECORD_ZERO) {
        return walk->ops->ram_zero(walk->opaque, walk->block, record->offset,
                                   errp);
    }
    begin = gw_input_offset(walk->input);
    rc = walk->ops->ram_page(walk->opaque, walk->block, record->offset,
                             walk->input, errp);
    if (rc) {
        return gw_error_prefix(errp, rc,
                               "page at offset 0x%" PRIx64 " of RAM block '%s'",
                               record->offset, walk->block->idstr);
    }
    assert(gw_input_offset(walk->input) == begin + GW_RAM_PAGE_SIZE);
    return 0;
}

static int take_record(struct gw_stream_walk *walk,
                       const struct gw_ram_record *record,
                       struct gw_error **errp)
{
    switch (record->kind) {
    case GW_RAM_RECORD_ZERO:
    case GW_RAM_RECORD_PAGE:
        return read_page(walk, record, errp);
    case GW_RAM_RECORD_MEM_SIZE:
        return read_table(walk, record->offset, errp);
    case GW_RAM_RECORD_MULTIFD_FLUSH:
        if (walk->mapped) {
            return gw_error_set(errp, -EPROTO,
                                "a multifd flush in a mapped-ram stream");
        }
        return 0;
    case GW_RAM_RECORD_EOS:
        return 0;
    }
    return gw_error_set(errp, -EBADMSG, "unknown RAM record");
}

int gw_stream_read_ram(struct gw_stream_walk *walk,
                       const struct gw_stream_section *section,
                       struct gw_error **errp)
{
    struct gw_ram_record record;
    uint64_t offset;
    int rc;

    do {
        offset = gw_input_offset(walk->input);
        rc = gw_stream_decode(walk->input, "RAM record", 8, decode_record,
                              &record, errp);
        if (rc) {
            return rc;
        }
        rc = take_record(walk, &record, errp);
        if (rc) {
            return gw_error_prefix(errp, rc, "RAM record at offset 0x%" PRIx64,
                                   offset);
        }
    } while (record.kind != GW_RAM_RECORD_EOS);
    if (section->kind == GW_SECTION_START && !walk->has_table) {
        return gw_error_set(errp, -EPROTO,
                            "the RAM start section has no block table");
    }
    return 0;
}

static int check_bits(const struct gw_stream_block *block,
                      const uint8_t *bitmap, struct gw_error **errp)
{
    uint64_t n_pages = block->used_length / GW_RAM_PAGE_SIZE;
    uint64_t n_bits = block->bitmap_size * 8;
    uint64_t bit = gw_mapped_bitmap_find(bitmap, n_bits, n_pages, true);

    if (bit < n_bits) {
        return gw_error_set(errp, -EBADMSG,
                            "RAM block '%s': bit %" PRIu64
                            " of its bitmap is beyond its %" PRIu64 " pages",
                            block->idstr, bit, n_pages);
    }
    return 0;
}

int gw_stream_read_bitmap(struct gw_input *input,
                          const struct gw_stream_block *block,
                          uint8_t **ret_bitmap, struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *bitmap = NULL;
    int rc;

    if (block->bitmap_size > BITMAP_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "RAM block '%s': bitmap of %" PRIu64
                            " bytes, expected at most %u",
                            block->idstr, block->bitmap_size, BITMAP_MAX);
    }
    bitmap = malloc(block->bitmap_size + 1);
    if (!bitmap) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    rc = gw_input_pread(input, bitmap, block->bitmap_size, block->bitmap_offset,
                        errp);
    if (rc) {
        return gw_error_prefix(errp, rc, "RAM block '%s': bitmap",
                               block->idstr);
    }
    rc = check_bits(block, bitmap, errp);
    if (rc) {
        return rc;
    }
    *ret_bitmap = gw_take(&bitmap);
    return 0;
}
