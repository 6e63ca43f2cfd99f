/*
 * Writes the parts of a migration stream.
 */
#include "stream/writer.h"

#include <assert.h>
#include <errno.h>

#include "channel/output.h"
#include "wire/command.h"
#include "wire/description.h"
#include "wire/header.h"

/* Hands over what an encoder wrote into `start`. */
static int put(struct gw_output *output, const struct gw_writer *writer,
               const uint8_t *start, struct gw_error **errp)
{
    /* Every buffer below is as large as its format can become. */
    assert(gw_writer_ok(writer));
    return gw_output_write(output, start, (size_t)(writer->pos - start), errp);
}

int gw_stream_put_header(struct gw_output *output,
                         const struct gw_stream_config *config,
                         struct gw_error **errp)
{
    struct gw_file_header header = {.version = GW_FILE_VERSION};
    uint8_t bytes[GW_FILE_HEADER_SIZE + GW_CONFIG_MAX];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));

    gw_file_header_encode(&writer, &header);
    if (config->present) {
        gw_config_encode(&writer, config);
    }
    return put(output, &writer, bytes, errp);
}

int gw_stream_put_section(struct gw_output *output,
                          const struct gw_section_header *header,
                          struct gw_error **errp)
{
    uint8_t bytes[GW_SECTION_HEADER_MAX];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));

    gw_section_header_encode(&writer, header);
    return put(output, &writer, bytes, errp);
}

int gw_stream_put_footer(struct gw_output *output, uint32_t section_id,
                         struct gw_error **errp)
{
    struct gw_section_footer footer = {.section_id = section_id};
    uint8_t bytes[GW_SECTION_FOOTER_SIZE];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));

    gw_section_footer_encode(&writer, &footer);
    return put(output, &writer, bytes, errp);
}

int gw_stream_put_command(struct gw_output *output, uint16_t command,
                          struct gw_error **errp)
{
    struct gw_command_header header = {.command = command};
    uint8_t bytes[GW_COMMAND_HEADER_SIZE];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));

    gw_command_header_encode(&writer, &header);
    return put(output, &writer, bytes, errp);
}

int gw_stream_put_ram_record(struct gw_output *output,
                             const struct gw_ram_record *record,
                             struct gw_error **errp)
{
    uint8_t bytes[GW_RAM_RECORD_MAX];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));

    gw_ram_record_encode(&writer, record);
    return put(output, &writer, bytes, errp);
}

/* The header of a mapped block, which is where the output stands. */
static int put_mapped(struct gw_output *output, uint64_t used_length,
                      struct gw_mapped_layout *layout, struct gw_error **errp)
{
    struct gw_mapped_header header = {.version = GW_MAPPED_VERSION,
                                      .page_size = GW_RAM_PAGE_SIZE};
    uint8_t bytes[GW_MAPPED_HEADER_SIZE];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));
    uint64_t pos = gw_output_offset(output) + GW_MAPPED_HEADER_SIZE;
    int r = gw_mapped_layout_plan(pos, used_length, GW_MAPPED_PAGES_ALIGNMENT,
                                  layout);

    if (r < 0) {
        return gw_error_set(errp, r,
                            "a block of %#llx bytes at offset %#llx does not "
                            "fit any file",
                            (unsigned long long)used_length,
                            (unsigned long long)pos);
    }
    header.bitmap_offset = layout->bitmap_offset;
    header.pages_offset = layout->pages_offset;
    gw_mapped_header_encode(&writer, &header);
    r = put(output, &writer, bytes, errp);
    return r < 0 ? r : gw_output_seek(output, layout->next, errp);
}

int gw_stream_put_ram_block(struct gw_output *output,
                            const struct gw_ram_block_entry *entry,
                            struct gw_mapped_layout *ret_layout,
                            struct gw_error **errp)
{
    const struct gw_ram_block_layout members = {0};
    uint8_t bytes[GW_RAM_BLOCK_ENTRY_MAX];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));
    int r;

    gw_ram_block_entry_encode(&writer, &members, entry);
    r = put(output, &writer, bytes, errp);
    if (r < 0 || !ret_layout) {
        return r;
    }
    return put_mapped(output, entry->used_length, ret_layout, errp);
}

int gw_stream_put_end(struct gw_output *output, const void *description,
                      uint32_t description_size, struct gw_error **errp)
{
    struct gw_description_header header = {.size = description_size};
    uint8_t bytes[1 + GW_DESCRIPTION_HEADER_SIZE];
    struct gw_writer writer = gw_writer_of(bytes, sizeof(bytes));
    int r;

    gw_writer_put_u8(&writer, GW_STREAM_EOF);
    if (description) {
        gw_description_header_encode(&writer, &header);
    }
    r = put(output, &writer, bytes, errp);
    if (r < 0 || !description) {
        return r;
    }
    return gw_output_write(output, description, description_size, errp);
}
