/*
 * Writes RAM as plain records.
 */
#include <string.h>

#include "channel/output.h"
#include "image/convert.h"

static int write_record(struct gw_output *output,
                        const struct gw_ram_record *record,
                        struct gw_error **errp)
{
    uint8_t data[GW_RAM_RECORD_MAX];
    struct gw_writer w = gw_writer_of(data, sizeof(data));

    gw_ram_record_encode(&w, record);
    return gw_output_write(output, data, (size_t)(w.pos - data), errp);
}

static int plain_table(struct gw_conversion *conversion, struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    struct gw_ram_block_layout layout = {.address =
                                             image->config.ignore_shared};
    struct gw_ram_record head = {.kind = GW_RAM_RECORD_MEM_SIZE};
    struct gw_ram_block_entry entry = {0};
    uint8_t data[GW_RAM_BLOCK_ENTRY_MAX];
    struct gw_writer w;
    uint64_t i;
    int rc;

    for (i = 0; i < image->info.n_blocks; i++) {
        head.offset += image->blocks[i]->pub.used_length;
    }
    rc = write_record(conversion->output, &head, errp);
    for (i = 0; rc == 0 && i < image->info.n_blocks; i++) {
        memcpy(entry.idstr, image->blocks[i]->stream.idstr,
               sizeof(entry.idstr));
        entry.used_length = image->blocks[i]->pub.used_length;
        entry.address = image->blocks[i]->stream.address;
        w = gw_writer_of(data, sizeof(data));
        gw_ram_block_entry_encode(&w, &layout, &entry);
        rc = gw_output_write(conversion->output, data, (size_t)(w.pos - data),
                             errp);
    }
    return rc;
}

static int write_page(struct gw_conversion *conversion,
                      struct gw_ram_record *record, const uint8_t *page,
                      struct gw_error **errp)
{
    int rc;

    record->kind = page ? GW_RAM_RECORD_PAGE : GW_RAM_RECORD_ZERO;
    rc = write_record(conversion->output, record, errp);
    if (rc == 0 && page) {
        rc = gw_output_write(conversion->output, page, GW_RAM_PAGE_SIZE, errp);
    }
    record->same_block = true;
    return rc;
}

/*
 * What a plain input leaves out stays out. In a mapped one a clear bit means
 * zero as well; QEMU sends a record for each page, and so do we.
 */
static int write_block(struct gw_conversion *conversion,
                       const struct gw_image_ram_block *block,
                       struct gw_error **errp)
{
    bool mapped = conversion->image->config.mapped_ram;
    struct gw_ram_record record = {.same_block = false};
    const uint8_t *data;
    uint64_t page;
    bool absent;
    int rc;

    memcpy(record.idstr, block->stream.idstr, sizeof(record.idstr));
    for (page = 0; page < block->pub.n_pages; page++) {
        rc = gw_conversion_get_page(conversion, block, page, &data, &absent,
                                    errp);
        if (rc) {
            return rc;
        }
        if (absent && !mapped) {
            continue;
        }
        record.offset = page * GW_RAM_PAGE_SIZE;
        rc = write_page(conversion, &record, data, errp);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int plain_pages(struct gw_conversion *conversion, struct gw_error **errp)
{
    const struct gw_image *image = conversion->image;
    uint64_t i;
    int rc = 0;

    for (i = 0; rc == 0 && i < image->info.n_blocks; i++) {
        rc = write_block(conversion, image->blocks[i], errp);
    }
    return rc;
}

const struct gw_convert_target gw_convert_plain = {
    .mapped = false,
    .table = plain_table,
    .pages = plain_pages,
};
