/*
 * The mapped-ram header and layout.
 */
#include "wire/mapped.h"

#include <errno.h>
#include <inttypes.h>

#include "base/util.h"
#include "wire/ram.h"

/* Largest file offset: off_t is signed. */
#define OFFSET_MAX ((uint64_t)INT64_MAX)

static int check_header(const struct gw_mapped_header *header,
                        struct gw_wire_fault *fault)
{
    if (header->version != GW_MAPPED_VERSION) {
        return gw_wire_fault_set(fault, -ENOTSUP,
                                 "mapped-ram header version %u, expected %u",
                                 header->version, GW_MAPPED_VERSION);
    }
    if (header->page_size != GW_RAM_PAGE_SIZE) {
        return gw_wire_fault_set(
            fault, -EBADMSG, "mapped-ram page size %" PRIu64 ", expected %u",
            header->page_size, GW_RAM_PAGE_SIZE);
    }
    if (!gw_is_aligned(header->pages_offset, GW_RAM_PAGE_SIZE)) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "mapped-ram pages at 0x%" PRIx64
                                 ", expected a multiple of %u",
                                 header->pages_offset, GW_RAM_PAGE_SIZE);
    }
    return 0;
}

int gw_mapped_header_decode(struct gw_reader *r, struct gw_mapped_header *ret,
                            struct gw_wire_fault *fault)
{
    struct gw_mapped_header header;
    struct gw_reader at = *r;
    int rc;

    if (!gw_reader_get_be32(&at, &header.version) ||
        !gw_reader_get_be64(&at, &header.page_size) ||
        !gw_reader_get_be64(&at, &header.bitmap_offset) ||
        !gw_reader_get_be64(&at, &header.pages_offset)) {
        return GW_SHORT;
    }
    rc = check_header(&header, fault);
    if (rc) {
        return rc;
    }
    *r = at;
    *ret = header;
    return 0;
}

void gw_mapped_header_encode(struct gw_writer *w,
                             const struct gw_mapped_header *header)
{
    gw_writer_put_be32(w, header->version);
    gw_writer_put_be64(w, header->page_size);
    gw_writer_put_be64(w, header->bitmap_offset);
    gw_writer_put_be64(w, header->pages_offset);
}

/* a + b, or OFFSET_MAX + 1 if that is no file offset. */
static uint64_t add_offsets(uint64_t a, uint64_t b)
{
    if (a > OFFSET_MAX || b > OFFSET_MAX - a) {
        return OFFSET_MAX + 1;
    }
    return a + b;
}

int gw_mapped_layout_plan(uint64_t pos, uint64_t used_length,
                          uint64_t alignment, struct gw_mapped_layout *ret)
{
    struct gw_mapped_layout layout = {
        .bitmap_offset = pos,
        .bitmap_size = gw_mapped_bitmap_size(used_length / GW_RAM_PAGE_SIZE),
    };
    uint64_t end = add_offsets(pos, layout.bitmap_size);

    if (add_offsets(end, alignment - 1) > OFFSET_MAX) {
        return -EOVERFLOW;
    }
    layout.pages_offset = gw_align_up(end, alignment);
    layout.next = add_offsets(layout.pages_offset, used_length);
    if (layout.next > OFFSET_MAX) {
        return -EOVERFLOW;
    }
    *ret = layout;
    return 0;
}

int gw_mapped_layout_check(const struct gw_mapped_header *header, uint64_t pos,
                           uint64_t used_length, uint64_t file_size,
                           struct gw_mapped_layout *ret,
                           struct gw_wire_fault *fault)
{
    uint64_t size = gw_mapped_bitmap_size(used_length / GW_RAM_PAGE_SIZE);
    uint64_t bitmap_end = add_offsets(header->bitmap_offset, size);
    uint64_t next = add_offsets(header->pages_offset, used_length);
    uint64_t end = file_size ? gw_min_u64(file_size, OFFSET_MAX) : OFFSET_MAX;

    if (header->bitmap_offset < pos) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "mapped-ram bitmap at 0x%" PRIx64
                                 ", expected behind its header at 0x%" PRIx64,
                                 header->bitmap_offset, pos);
    }
    if (bitmap_end > end) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "mapped-ram bitmap of %" PRIu64
                                 " bytes at 0x%" PRIx64
                                 " is beyond the file's end at 0x%" PRIx64,
                                 size, header->bitmap_offset, end);
    }
    if (header->pages_offset < bitmap_end) {
        return gw_wire_fault_set(
            fault, -EBADMSG,
            "mapped-ram pages at 0x%" PRIx64
            " overlap what is before them, expected 0x%" PRIx64 " or later",
            header->pages_offset, bitmap_end);
    }
    if (next > end) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "mapped-ram pages of %" PRIu64
                                 " bytes at 0x%" PRIx64
                                 " are beyond the file's end at 0x%" PRIx64,
                                 used_length, header->pages_offset, end);
    }
    *ret = (struct gw_mapped_layout){.bitmap_offset = header->bitmap_offset,
                                     .bitmap_size = size,
                                     .pages_offset = header->pages_offset,
                                     .next = next};
    return 0;
}
