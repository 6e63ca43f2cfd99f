/*
 * Writes RAM as mapped-ram: pages at fixed offsets.
 *
 * The table says where everything will be. Pages and bitmaps are written
 * later, when the first PART or END comes, with the layout planned again:
 * it depends on nothing but the position of the table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "channel/output.h"
#include "image/convert.h"
#include "wire/mapped.h"
#include "wire/mapped_bitmap.h"

/* A block on its way into the file. */
struct mapped_block {
    struct gw_output *output;
    struct gw_mapped_layout layout;
    uint8_t *bitmap;
};

/* The layout of a block whose table entry begins at `pos`. */
static int plan(const struct gw_image_ram_block *block, uint64_t pos,
                struct gw_mapped_layout *ret, struct gw_error **errp)
{
    uint64_t header_end =
        pos + 1 + strlen(block->pub.idstr) + 8 + GW_MAPPED_HEADER_SIZE;
    int rc = gw_mapped_layout_plan(header_end, block->pub.used_length,
                                   GW_MAPPED_PAGES_ALIGNMENT, ret);

    if (rc) {
        return gw_error_set(errp, rc,
                            "RAM block '%s' goes beyond the largest file",
                            block->pub.idstr);
    }
    return 0;
}

static int write_entry(struct gw_conversion *conversion,
                       const struct gw_image_ram_block *block,
                       struct gw_error **errp)
{
    const struct gw_ram_block_layout plain = {.address = false};
    struct gw_ram_block_entry entry = {.used_length = block->pub.used_length};
    uint8_t data[GW_RAM_BLOCK_ENTRY_MAX + GW_MAPPED_HEADER_SIZE];
    struct gw_writer w = gw_writer_of(data, sizeof(data));
    struct gw_mapped_header header = {.version = GW_MAPPED_VERSION,
                                      .page_size = GW_RAM_PAGE_SIZE};
    struct gw_mapped_layout layout;
    int rc = plan(block, gw_output_offset(conversion->output), &layout, errp);

    if (rc) {
        return rc;
    }
    memcpy(entry.idstr, block->stream.idstr, sizeof(entry.idstr));
    header.bitmap_offset = layout.bitmap_offset;
    header.pages_offset = layout.pages_offset;
    gw_ram_block_entry_encode(&w, &plain, &entry);
    gw_mapped_header_encode(&w, &header);
    rc =
        gw_output_write(conversion->output, data, (size_t)(w.pos - data), errp);
    if (rc) {
        return rc;
    }
    return gw_output_seek(conversion->output, layout.next, errp);
}

static int mapped_table(struct gw_conversion *conversion,
                        struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    struct gw_ram_record head = {.kind = GW_RAM_RECORD_MEM_SIZE};
    uint8_t data[8];
    struct gw_writer w = gw_writer_of(data, sizeof(data));
    uint64_t i;
    int rc;

    for (i = 0; i < image->info.n_blocks; i++) {
        head.offset += image->blocks[i]->pub.used_length;
    }
    gw_ram_record_encode(&w, &head);
    rc = gw_output_write(conversion->output, data, sizeof(data), errp);
    conversion->table_offset = gw_output_offset(conversion->output);
    for (i = 0; rc == 0 && i < image->info.n_blocks; i++) {
        rc = write_entry(conversion, image->blocks[i], errp);
    }
    return rc;
}

static int write_run(void *opaque, const uint8_t *data, size_t size,
                     uint64_t offset, struct gw_error **errp)
{
    struct mapped_block *block = opaque;
    uint64_t first = offset / GW_RAM_PAGE_SIZE;
    uint64_t i;

    for (i = 0; i < size / GW_RAM_PAGE_SIZE; i++) {
        gw_mapped_bitmap_set(block->bitmap, first + i);
    }
    return gw_output_pwrite(block->output, data, size,
                            block->layout.pages_offset + offset, errp);
}

/* The pages, and the bitmap behind them all. */
static int write_block(struct gw_conversion *conversion,
                       const struct gw_image_ram_block *block,
                       const struct gw_mapped_layout *layout,
                       struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *bitmap = calloc(1, layout->bitmap_size + 1);
    struct mapped_block target = {
        .output = conversion->output, .layout = *layout, .bitmap = bitmap};
    int rc;

    if (!bitmap) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    rc = gw_conversion_each_run(conversion, block, write_run, &target, errp);
    if (rc) {
        return rc;
    }
    return gw_output_pwrite(conversion->output, bitmap, layout->bitmap_size,
                            layout->bitmap_offset, errp);
}

static int mapped_pages(struct gw_conversion *conversion,
                        struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    uint64_t pos = conversion->table_offset;
    struct gw_mapped_layout layout;
    uint64_t i;
    int rc;

    for (i = 0; i < image->info.n_blocks; i++) {
        rc = plan(image->blocks[i], pos, &layout, errp);
        if (rc == 0) {
            rc = write_block(conversion, image->blocks[i], &layout, errp);
        }
        if (rc) {
            return rc;
        }
        pos = layout.next;
    }
    return 0;
}

const struct gw_convert_target gw_convert_mapped = {
    .mapped = true,
    .table = mapped_table,
    .pages = mapped_pages,
};
