/*
 * Images: opens a file, reads its stream once, and remembers what is where.
 */
#include "image/index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "channel/channel.h"
#include "channel/file.h"
#include "channel/input.h"
#include "wire/header.h"

static int out_of_memory(struct gw_error **errp)
{
    return gw_error_set(errp, -ENOMEM, "out of memory");
}

uint64_t gw_image_work(const struct gw_image *image)
{
    uint64_t bytes = gw_input_total_size(image->input);
    uint64_t i;

    for (i = 0; i < image->info.n_blocks; i++) {
        bytes += image->blocks[i]->pub.used_length;
    }
    return bytes;
}

/* Plain: the last record of each page counts. */
static void count_plain_pages(struct gw_image_ram_block *block)
{
    uint64_t page;
    uint64_t where;

    for (page = 0; page < block->pages.n_pages; page++) {
        where = gw_page_map_get(&block->pages, page);
        block->pub.zero_pages += where == GW_PAGE_ZERO;
        block->pub.absent_pages += where == GW_PAGE_ABSENT;
    }
    block->pub.normal_pages =
        block->pub.n_pages - block->pub.zero_pages - block->pub.absent_pages;
}

static uint64_t account_sum(const struct gw_image_account *account)
{
    return account->leading_bytes + account->header_bytes +
           account->ram_control_bytes + account->ram_page_bytes +
           account->ram_bitmap_bytes + account->ram_unused_bytes +
           account->device_bytes + account->command_bytes +
           account->description_bytes + account->trailing_bytes;
}

/* The file must be explained to the last byte. */
static int finish_account(struct gw_image *image, struct gw_error **errp)
{
    struct gw_image_account *account = &image->info.account;
    uint64_t size = gw_input_total_size(image->input);
    uint64_t sum = account_sum(account);

    account->file_bytes = sum;
    if (size && size != sum) {
        return gw_error_set(errp, -EIO,
                            "%" PRIu64 " of the file's %" PRIu64
                            " bytes are accounted for; did it change while "
                            "it was read?",
                            sum, size);
    }
    return 0;
}

/* What looked like the description must be the one behind the end mark. */
static int check_layout_is_own(struct gw_image *image, struct gw_error **errp)
{
    if (!image->layout || image->layout_offset == image->description_offset) {
        return 0;
    }
    if (image->has_devices) {
        return gw_error_set(errp, -EBADMSG,
                            "expected the VM description behind the end mark "
                            "at offset 0x%" PRIx64
                            ", found one at offset 0x%" PRIx64,
                            image->eof_offset, image->layout_offset);
    }
    image->layout = gw_layout_free(image->layout);
    return 0;
}

static int read_image(struct gw_image *image,
                      const struct gw_convert_options *options,
                      struct gw_error **errp)
{
    struct gw_indexer indexer = {.image = image, .options = options};
    struct gw_stream_reader reader = {
        .ops = &gw_image_index_ops, .opaque = &indexer, .allow_no_end = true};
    uint64_t i;
    int rc;

    rc = gw_image_find_layout(image->input, image->info.stream_offset,
                              &image->layout, &image->layout_offset, errp);
    if (rc) {
        return rc;
    }
    rc = gw_stream_read(&reader, image->input,
                        &image->info.account.trailing_bytes, errp);
    gw_delimited_list_deinit(&indexer.list);
    if (rc) {
        return rc;
    }
    rc = check_layout_is_own(image, errp);
    if (rc) {
        return rc;
    }
    for (i = 0; i < image->info.n_blocks; i++) {
        if (!image->config.mapped_ram) {
            count_plain_pages(image->blocks[i]);
        }
    }
    return finish_account(image, errp);
}

static int open_image(const char *path, uint64_t offset,
                      const struct gw_convert_options *options,
                      struct gw_image *image, struct gw_error **errp)
{
    int rc = gw_file_open_incoming(path, offset, false, &image->channel, errp);

    if (rc) {
        return rc;
    }
    image->input = gw_input_new(image->channel, errp);
    if (!image->input) {
        return -ENOMEM;
    }
    image->info.stream_offset = offset;
    image->info.stream_version = GW_FILE_VERSION;
    image->info.account.leading_bytes = offset;
    rc = read_image(image, options, errp);
    return rc ? gw_error_prefix(errp, rc, "'%s'", path) : 0;
}

static int load_image(const char *path, uint64_t offset,
                      const struct gw_convert_options *options,
                      struct gw_image **ret_image, struct gw_error **errp)
{
    struct gw_image *image = calloc(1, sizeof(*image));
    int rc;

    if (!image) {
        return out_of_memory(errp);
    }
    rc = open_image(path, offset, options, image, errp);
    if (rc) {
        gw_image_free(image);
        return rc;
    }
    *ret_image = image;
    return 0;
}

int gw_image_load(const char *path, const struct gw_convert_options *options,
                  struct gw_image **ret_image, struct gw_error **errp)
{
    return load_image(path, options->in_offset, options, ret_image, errp);
}

int gw_image_open(const char *path, uint64_t offset,
                  struct gw_image **ret_image, struct gw_error **errp)
{
    return load_image(path, offset, NULL, ret_image, errp);
}

struct gw_image *gw_image_free(struct gw_image *image)
{
    uint64_t i;

    if (!image) {
        return NULL;
    }
    for (i = 0; i < image->info.n_blocks; i++) {
        gw_page_map_deinit(&image->blocks[i]->pages);
        free(image->blocks[i]);
    }
    for (i = 0; i < image->info.n_sections; i++) {
        free(image->entries[i]);
    }
    free(image->blocks);
    free(image->entries);
    gw_layout_free(image->layout);
    gw_input_free(image->input);
    gw_channel_free(image->channel);
    free(image);
    return NULL;
}

const struct gw_image_info *gw_image_info(const struct gw_image *image)
{
    return &image->info;
}

const struct gw_image_block *gw_image_block(const struct gw_image *image,
                                            uint64_t index)
{
    return index < image->info.n_blocks ? &image->blocks[index]->pub : NULL;
}

const struct gw_image_section *gw_image_section(const struct gw_image *image,
                                                uint64_t index)
{
    return index < image->info.n_sections ? &image->entries[index]->pub : NULL;
}

static int read_fields(struct gw_image *image,
                       const struct gw_image_section *section,
                       gw_layout_field_fn fn, void *opaque,
                       struct gw_error **errp)
{
    const struct gw_layout_device *device =
        gw_layout_find(image->layout, section->idstr, section->instance_id);
    GW_AUTO_FREE uint8_t *data = malloc(section->data_size + 1);
    int rc;

    if (!data) {
        return out_of_memory(errp);
    }
    rc = gw_input_pread(image->input, data, section->data_size,
                        section->data_offset, errp);
    if (rc) {
        return rc;
    }
    return gw_layout_walk(device, data, section->data_size,
                          section->data_offset, fn, opaque, errp);
}

int gw_image_fields(struct gw_image *image, uint64_t index,
                    int (*fn)(void *opaque, const struct gw_image_field *field),
                    void *opaque, struct gw_error **errp)
{
    const struct gw_image_section *section = gw_image_section(image, index);
    int rc;

    if (!section) {
        return gw_error_set(errp, -EINVAL, "no section %" PRIu64, index);
    }
    if (section->kind != GW_IMAGE_SECTION_FULL || !image->layout) {
        return 0;
    }
    rc = read_fields(image, section, fn, opaque, errp);
    if (rc < 0) {
        return gw_error_prefix(errp, rc, "section '%s' instance %u",
                               section->idstr, section->instance_id);
    }
    return rc;
}
