/*
 * Notes the parts of a stream as they come: the handler of the stream's
 * reader that fills an image.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel/input.h"
#include "image/index.h"
#include "wire/command.h"
#include "wire/description.h"
#include "wire/mapped_bitmap.h"

/* Pages between two calls of progress. */
#define PROGRESS_PAGES 1024u

bool gw_image_entry_is_ram(const struct gw_image_entry *entry)
{
    return entry->pub.kind != GW_IMAGE_COMMAND &&
           strcmp(entry->name, GW_RAM_IDSTR) == 0;
}

static int out_of_memory(struct gw_error **errp)
{
    return gw_error_set(errp, -ENOMEM, "out of memory");
}

/* Room for one more pointer behind `n`; arrays double. */
static int grow(void *array, uint64_t n, struct gw_error **errp)
{
    void ***pointers = array;
    void **grown;

    if (n & (n - 1)) {
        return 0;
    }
    grown = reallocarray(*pointers, n ? 2 * n : 1, sizeof(void *));
    if (!grown) {
        return out_of_memory(errp);
    }
    *pointers = grown;
    return 0;
}

static int index_config(void *opaque, const struct gw_stream_config *config,
                        struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image *image = indexer->image;
    size_t n = 0;

    (void)errp;
    image->config = *config;
    image->info.format = config->mapped_ram ? GW_IMAGE_MAPPED : GW_IMAGE_PLAIN;
    image->info.machine_name = image->config.machine_name;
    image->info.has_uuid = config->has_uuid;
    memcpy(image->info.uuid, config->uuid, sizeof(config->uuid));
    if (config->ignore_shared) {
        image->capabilities[n++] = "x-ignore-shared";
    }
    if (config->mapped_ram) {
        image->capabilities[n++] = "mapped-ram";
    }
    image->info.capabilities = image->capabilities;
    image->info.account.header_bytes =
        gw_input_offset(image->input) - image->info.stream_offset;
    return 0;
}

/* Appends an entry; the caller fills in the rest of it. */
static int add_entry(struct gw_image *image, const char *name,
                     struct gw_image_entry **ret_entry, struct gw_error **errp)
{
    size_t size = strlen(name) + 1;
    struct gw_image_entry *entry;
    int rc = grow(&image->entries, image->info.n_sections, errp);

    if (rc) {
        return rc;
    }
    entry = calloc(1, sizeof(*entry) + size);
    if (!entry) {
        return out_of_memory(errp);
    }
    memcpy(entry->name, name, size);
    entry->pub.idstr = entry->name;
    image->entries[image->info.n_sections++] = entry;
    *ret_entry = entry;
    return 0;
}

static int index_section_begin(void *opaque,
                               const struct gw_stream_section *section,
                               struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image_entry *entry = NULL;
    int rc = add_entry(indexer->image, section->idstr, &entry, errp);

    if (rc) {
        return rc;
    }
    entry->pub.kind = (enum gw_image_section_kind)section->kind;
    entry->pub.section_id = section->section_id;
    entry->pub.instance_id = section->instance_id;
    entry->pub.version = section->version;
    entry->pub.offset = section->offset;
    entry->pub.data_offset = section->data_offset;
    indexer->ram_bytes = 0;
    return 0;
}

static int index_section_end(void *opaque,
                             const struct gw_stream_section *section,
                             struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image *image = indexer->image;
    struct gw_image_entry *entry = image->entries[image->info.n_sections - 1];
    uint64_t bytes;

    (void)errp;
    entry->pub.data_size = section->data_end - section->data_offset;
    entry->end = section->data_end + GW_SECTION_FOOTER_SIZE;
    bytes = entry->end - entry->pub.offset;
    if (gw_image_entry_is_ram(entry)) {
        image->info.has_ram_end |= section->kind == GW_SECTION_END;
        image->info.account.ram_control_bytes += bytes - indexer->ram_bytes;
    } else {
        image->info.account.device_bytes += bytes;
    }
    return 0;
}

/* Without a description: what the footers prove. */
static int delimit_by_footers(struct gw_indexer *indexer,
                              const struct gw_stream_section *section,
                              uint64_t *ret_size, struct gw_error **errp)
{
    int rc = 0;

    if (!indexer->tried_footers) {
        indexer->tried_footers = true;
        rc = gw_image_delimit(indexer->image->input, section->offset,
                              &indexer->list, errp);
    }
    if (rc) {
        return rc;
    }
    if (!gw_delimited_find(&indexer->list, section->data_offset, ret_size)) {
        return gw_error_set(errp, -ENOTSUP,
                            "its length is not known: the file has no VM "
                            "description, and footers do not lead to its end");
    }
    return 0;
}

static int delimit_by_layout(struct gw_image *image,
                             const struct gw_stream_section *section,
                             uint64_t *ret_size, struct gw_error **errp)
{
    const struct gw_layout_device *device =
        gw_layout_find(image->layout, section->idstr, section->instance_id);

    if (!device) {
        return gw_error_set(errp, -ENOTSUP,
                            "its length is not known: the VM description does "
                            "not list it");
    }
    image->has_devices = true;
    *ret_size = device->vmstate.size;
    return 0;
}

static int index_device(void *opaque, const struct gw_stream_section *section,
                        struct gw_input *input, struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    uint64_t size = 0;
    int rc;

    if (section->kind != GW_SECTION_FULL) {
        return gw_error_set(errp, -ENOTSUP,
                            "its length is not known: a VM description does "
                            "not cover iterative sections");
    }
    rc = indexer->image->layout
             ? delimit_by_layout(indexer->image, section, &size, errp)
             : delimit_by_footers(indexer, section, &size, errp);
    return rc ? rc : gw_input_skip(input, size, errp);
}

static int add_block(struct gw_image *image,
                     const struct gw_stream_block *stream,
                     struct gw_image_ram_block **ret_block,
                     struct gw_error **errp)
{
    struct gw_image_ram_block *block;
    int rc = grow(&image->blocks, image->info.n_blocks, errp);

    if (rc) {
        return rc;
    }
    block = calloc(1, sizeof(*block));
    if (!block) {
        return out_of_memory(errp);
    }
    block->stream = *stream;
    block->pub.idstr = block->stream.idstr;
    block->pub.used_length = stream->used_length;
    block->pub.n_pages = stream->used_length / GW_RAM_PAGE_SIZE;
    block->pub.bitmap_offset = stream->bitmap_offset;
    block->pub.pages_offset = stream->pages_offset;
    image->blocks[image->info.n_blocks++] = block;
    *ret_block = block;
    return 0;
}

static int index_mapped_pages(struct gw_indexer *indexer,
                              struct gw_image_ram_block *block,
                              struct gw_error **errp)
{
    struct gw_image_account *account = &indexer->image->info.account;
    uint64_t header_end = gw_input_offset(indexer->image->input);
    uint64_t n_pages = block->pub.n_pages;
    uint64_t next = block->pub.pages_offset + block->pub.used_length;
    uint64_t page_bytes;
    uint8_t *bitmap;
    int rc;

    rc = gw_stream_read_bitmap(indexer->image->input, &block->stream, &bitmap,
                               errp);
    if (rc) {
        return rc;
    }
    gw_page_map_init_mapped(&block->pages, n_pages, bitmap,
                            block->pub.pages_offset);
    block->pub.normal_pages = gw_mapped_bitmap_count(bitmap, n_pages);
    block->pub.absent_pages = n_pages - block->pub.normal_pages;
    page_bytes = block->pub.normal_pages * GW_RAM_PAGE_SIZE;
    account->ram_page_bytes += page_bytes;
    account->ram_bitmap_bytes += block->stream.bitmap_size;
    account->ram_unused_bytes +=
        next - header_end - block->stream.bitmap_size - page_bytes;
    indexer->ram_bytes += next - header_end;
    if (indexer->options) {
        return 0;
    }
    return gw_image_count_stale(indexer->image->channel, &block->pages,
                                &block->pub.stale_pages, errp);
}

static int index_ram_block(void *opaque, const struct gw_stream_block *stream,
                           struct gw_input *input, struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image_ram_block *block = NULL;
    int rc = add_block(indexer->image, stream, &block, errp);

    (void)input;
    if (rc) {
        return rc;
    }
    if (stream->mapped) {
        return index_mapped_pages(indexer, block, errp);
    }
    return gw_page_map_init_plain(&block->pages, block->pub.n_pages, errp);
}

static int index_ram_table_end(void *opaque, struct gw_error **errp)
{
    (void)opaque;
    (void)errp;
    return 0;
}

static int report_progress(struct gw_indexer *indexer, struct gw_error **errp)
{
    const struct gw_convert_options *options = indexer->options;

    if (!options || !options->progress || ++indexer->n_pages % PROGRESS_PAGES) {
        return 0;
    }
    if (options->progress(options->opaque,
                          gw_input_offset(indexer->image->input),
                          gw_image_work(indexer->image))) {
        return gw_error_set(errp, -ECANCELED, "cancelled");
    }
    return 0;
}

static int index_ram_page(void *opaque, const struct gw_stream_block *stream,
                          uint64_t offset, struct gw_input *input,
                          struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image_ram_block *block = indexer->image->blocks[stream->index];
    int rc = report_progress(indexer, errp);

    if (rc) {
        return rc;
    }
    gw_page_map_set(&block->pages, offset / GW_RAM_PAGE_SIZE,
                    gw_input_offset(input));
    indexer->ram_bytes += GW_RAM_PAGE_SIZE;
    indexer->image->info.account.ram_page_bytes += GW_RAM_PAGE_SIZE;
    return gw_input_skip(input, GW_RAM_PAGE_SIZE, errp);
}

static int index_ram_zero(void *opaque, const struct gw_stream_block *stream,
                          uint64_t offset, struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image_ram_block *block = indexer->image->blocks[stream->index];

    (void)errp;
    gw_page_map_set(&block->pages, offset / GW_RAM_PAGE_SIZE, GW_PAGE_ZERO);
    return 0;
}

static int index_command(void *opaque, uint16_t command, const uint8_t *data,
                         uint16_t size, uint64_t offset, struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image_entry *entry = NULL;
    int rc = add_entry(indexer->image, gw_command_name(command), &entry, errp);

    (void)data;
    if (rc) {
        return rc;
    }
    entry->pub.kind = GW_IMAGE_COMMAND;
    entry->pub.offset = offset;
    entry->pub.data_offset = offset + GW_COMMAND_HEADER_SIZE;
    entry->pub.data_size = size;
    entry->end = entry->pub.data_offset + size;
    indexer->image->info.account.command_bytes += entry->end - offset;
    return 0;
}

static int index_eof(void *opaque, uint64_t offset, struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;

    (void)errp;
    indexer->image->eof_offset = offset - 1;
    indexer->image->info.account.command_bytes += 1;
    return 0;
}

static int index_description(void *opaque, const char *json, uint32_t len,
                             uint64_t offset, struct gw_error **errp)
{
    struct gw_indexer *indexer = opaque;
    struct gw_image *image = indexer->image;

    (void)json;
    (void)errp;
    image->info.has_description = true;
    image->description_offset = offset - GW_DESCRIPTION_HEADER_SIZE;
    image->description_size = (uint64_t)len + GW_DESCRIPTION_HEADER_SIZE;
    image->info.account.description_bytes = image->description_size;
    return 0;
}

const struct gw_stream_ops gw_image_index_ops = {
    .config = index_config,
    .section_begin = index_section_begin,
    .device = index_device,
    .section_end = index_section_end,
    .ram_block = index_ram_block,
    .ram_table_end = index_ram_table_end,
    .ram_page = index_ram_page,
    .ram_zero = index_ram_zero,
    .command = index_command,
    .eof = index_eof,
    .description = index_description,
};
