/*
 * Opens a hostile file as an image, looks at all that it has, and rewrites
 * it in the other format. The first byte says where the stream starts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <godwit/image.h>

#include "base/cleanup.h"
#include "fuzz.h"

/* RAM beyond this is only slow to rewrite. */
#define RAM_MAX (UINT64_C(16) << 20)

static int on_field(void *opaque, const struct gw_image_field *field)
{
    size_t *n_fields = opaque;

    FUZZ_ASSERT(field->name && field->type);
    return ++*n_fields > 10000;
}

static void look_at_sections(struct gw_image *image)
{
    const struct gw_image_info *info = gw_image_info(image);
    const struct gw_image_section *section;
    size_t n_fields = 0;
    uint64_t end;
    uint64_t i;

    for (i = 0; i < info->n_sections; i++) {
        GW_AUTO_ERROR struct gw_error *error = NULL;

        section = gw_image_section(image, i);
        end = section->data_offset + section->data_size;
        FUZZ_ASSERT(section->offset < section->data_offset);
        FUZZ_ASSERT(end <= info->account.file_bytes);
        gw_image_fields(image, i, on_field, &n_fields, &error);
    }
}

static uint64_t look_at_blocks(const struct gw_image *image)
{
    const struct gw_image_block *block;
    uint64_t bytes = 0;
    uint64_t i;

    for (i = 0; i < gw_image_info(image)->n_blocks; i++) {
        block = gw_image_block(image, i);
        FUZZ_ASSERT(block->normal_pages + block->zero_pages +
                        block->absent_pages ==
                    block->n_pages);
        FUZZ_ASSERT(block->stale_pages <= block->absent_pages);
        bytes += block->used_length;
    }
    return bytes;
}

/* What opens must open again when rewritten. */
static void rewrite(const char *path, uint64_t offset,
                    enum gw_image_format format)
{
    struct gw_convert_options options = {.in_offset = offset};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    char out[] = "/tmp/fuzz-image-XXXXXX";
    GW_AUTO_FD int fd = mkstemp(out);
    struct gw_image *image;

    FUZZ_ASSERT(fd >= 0);
    if (gw_image_convert(path, out, format, &options, &error) == 0) {
        FUZZ_ASSERT(gw_image_open(out, 0, &image, NULL) == 0);
        FUZZ_ASSERT(gw_image_info(image)->format == format);
        gw_image_free(image);
    }
    unlink(out);
}

static void look(const char *path, uint64_t offset)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_image *image = NULL;
    enum gw_image_format other;
    uint64_t ram_bytes;

    if (gw_image_open(path, offset, &image, &error)) {
        FUZZ_ASSERT(error);
        return;
    }
    look_at_sections(image);
    ram_bytes = look_at_blocks(image);
    other = gw_image_info(image)->format == GW_IMAGE_PLAIN ? GW_IMAGE_MAPPED
                                                           : GW_IMAGE_PLAIN;
    gw_image_free(image);
    if (ram_bytes <= RAM_MAX) {
        rewrite(path, offset, other);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GW_AUTO_FD int fd = memfd_create("fuzz-image", MFD_CLOEXEC);
    char path[64];

    FUZZ_ASSERT(fd >= 0);
    if (size == 0) {
        return 0;
    }
    FUZZ_ASSERT(write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    look(path, data[0]);
    return 0;
}
