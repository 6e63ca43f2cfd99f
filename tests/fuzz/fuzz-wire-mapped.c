/*
 * mapped-ram headers, and the layouts that they and hostile sizes give: the
 * position, the block's length and the file's size follow the header.
 */
#include "fuzz-wire.h"
#include "wire/mapped.h"

FUZZ_WIRE_CODEC(mapped_header, struct gw_mapped_header)

/* Parts in order, without overlap, within the range of file offsets. */
static void check_layout(const struct gw_mapped_layout *layout, uint64_t pos,
                         uint64_t length)
{
    FUZZ_ASSERT(layout->bitmap_offset >= pos);
    FUZZ_ASSERT(layout->bitmap_size >= length / 4096 / 8);
    FUZZ_ASSERT(layout->bitmap_offset + layout->bitmap_size <=
                layout->pages_offset);
    FUZZ_ASSERT(layout->pages_offset + length == layout->next);
    FUZZ_ASSERT(layout->next <= INT64_MAX);
}

static void fuzz_layout(const struct gw_mapped_header *header,
                        struct gw_reader *r)
{
    struct gw_mapped_layout layout;
    struct gw_wire_fault fault;
    uint64_t pos, length, file_size;

    if (!gw_reader_get_be64(r, &pos) || !gw_reader_get_be64(r, &length) ||
        !gw_reader_get_be64(r, &file_size)) {
        return;
    }
    length &= ~UINT64_C(4095);
    if (gw_mapped_layout_check(header, pos, length, file_size, &layout,
                               &fault) == 0) {
        check_layout(&layout, pos, length);
        FUZZ_ASSERT(file_size == 0 || layout.next <= file_size);
    }
    if (gw_mapped_layout_plan(pos, length, GW_MAPPED_PAGES_ALIGNMENT,
                              &layout) == 0) {
        check_layout(&layout, pos, length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_reader r = gw_reader_of(data, size);
    struct gw_mapped_header header;

    fuzz_mapped_header(data, size);
    if (gw_mapped_header_decode(&r, &header, NULL) == 0) {
        fuzz_layout(&header, &r);
    }
    return 0;
}
