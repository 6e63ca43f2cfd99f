/*
 * Layout of a saved file, found with the library's stream reader.
 */
#include "kit-layout.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel/channel.h"
#include "channel/file.h"
#include "channel/input.h"
#include "kit.h"
#include "stream/reader.h"

/* Footer: 0x7e and the section id. */
#define FOOTER_SIZE 5u

static void mark(struct kit_layout *layout, uint64_t start, uint64_t end,
                 enum kit_byte kind)
{
    KIT_CHECK(start <= end && end <= layout->size, "a part beyond the file");
    memset(layout->bytes + start, (int)kind, end - start);
}

static int on_config(void *opaque, const struct gw_stream_config *config,
                     struct gw_error **errp)
{
    return 0;
}

static int on_section_begin(void *opaque,
                            const struct gw_stream_section *section,
                            struct gw_error **errp)
{
    struct kit_layout *layout = opaque;
    struct kit_section *s = &layout->sections[layout->n_sections];

    KIT_CHECK(layout->n_sections < KIT_MAX_SECTIONS, "too many sections");
    snprintf(s->idstr, sizeof(s->idstr), "%s", section->idstr);
    s->start = section->offset;
    s->data_start = section->data_offset;
    s->type = layout->data[section->offset];
    return 0;
}

static int on_section_end(void *opaque, const struct gw_stream_section *section,
                          struct gw_error **errp)
{
    struct kit_layout *layout = opaque;
    struct kit_section *s = &layout->sections[layout->n_sections++];

    s->data_end = section->data_end;
    s->end = s->data_end + FOOTER_SIZE;
    return 0;
}

/* A device's data ends at the first thing that looks like its footer. */
static int on_device(void *opaque, const struct gw_stream_section *section,
                     struct gw_input *input, struct gw_error **errp)
{
    struct kit_layout *layout = opaque;
    uint64_t start = gw_input_offset(input);
    const uint8_t footer[FOOTER_SIZE] = {
        0x7e, (uint8_t)(section->section_id >> 24),
        (uint8_t)(section->section_id >> 16),
        (uint8_t)(section->section_id >> 8), (uint8_t)section->section_id};
    const uint8_t *end =
        memmem(layout->data + start, layout->size - start, footer, FOOTER_SIZE);

    KIT_CHECK(end, "section '%s' has no footer", section->idstr);
    mark(layout, start, (uint64_t)(end - layout->data), KIT_BYTE_DEVICE);
    return gw_input_skip(input, (uint64_t)(end - layout->data) - start, errp);
}

static int on_ram_block(void *opaque, const struct gw_stream_block *block,
                        struct gw_input *input, struct gw_error **errp)
{
    struct kit_layout *layout = opaque;

    if (block->mapped) {
        uint64_t bitmap_end = block->bitmap_offset + block->bitmap_size;

        /* Both offsets end the header, and the bitmap is behind it. */
        mark(layout, block->bitmap_offset - 16, block->bitmap_offset,
             KIT_BYTE_OFFSETS);
        mark(layout, block->bitmap_offset, bitmap_end, KIT_BYTE_BITMAP);
        mark(layout, bitmap_end, block->pages_offset, KIT_BYTE_PADDING);
        mark(layout, block->pages_offset,
             block->pages_offset + block->used_length, KIT_BYTE_PAGE);
    }
    return 0;
}

static int on_ram_table_end(void *opaque, struct gw_error **errp)
{
    return 0;
}

static int on_ram_page(void *opaque, const struct gw_stream_block *block,
                       uint64_t offset, struct gw_input *input,
                       struct gw_error **errp)
{
    uint64_t at = gw_input_offset(input);

    mark(opaque, at, at + KIT_PAGE, KIT_BYTE_PAGE);
    return gw_input_skip(input, KIT_PAGE, errp);
}

static int on_ram_zero(void *opaque, const struct gw_stream_block *block,
                       uint64_t offset, struct gw_error **errp)
{
    return 0;
}

static int on_command(void *opaque, uint16_t command, const uint8_t *data,
                      uint16_t size, uint64_t offset, struct gw_error **errp)
{
    return 0;
}

static int on_eof(void *opaque, uint64_t offset, struct gw_error **errp)
{
    struct kit_layout *layout = opaque;

    layout->eof = offset;
    mark(layout, offset, layout->size, KIT_BYTE_DESCRIPTION);
    return 0;
}

static int on_description(void *opaque, const char *json, uint32_t len,
                          uint64_t offset, struct gw_error **errp)
{
    return 0;
}

static const struct gw_stream_ops ops = {
    .config = on_config,
    .section_begin = on_section_begin,
    .device = on_device,
    .section_end = on_section_end,
    .ram_block = on_ram_block,
    .ram_table_end = on_ram_table_end,
    .ram_page = on_ram_page,
    .ram_zero = on_ram_zero,
    .command = on_command,
    .eof = on_eof,
    .description = on_description,
};

static void read_all(struct kit_layout *layout, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    KIT_CHECK(fd >= 0 && fstat(fd, &st) == 0, "cannot open %s", path);
    layout->size = (size_t)st.st_size;
    layout->data = malloc(layout->size);
    layout->bytes = calloc(layout->size, 1);
    KIT_CHECK(layout->data && layout->bytes, "out of memory");
    KIT_CHECK(read(fd, layout->data, layout->size) == st.st_size,
              "cannot read %s", path);
    close(fd);
}

/*
 * The RAM section's words outside of the block table: records, and the end
 * mark of each pass. Its first pass is the table, with an end mark.
 */
static void mark_records(struct kit_layout *layout)
{
    size_t i;
    uint64_t at;

    for (i = 0; i < layout->n_sections; i++) {
        const struct kit_section *s = &layout->sections[i];
        bool table = s->type == 1;

        if (s->type == 4 || layout->bytes[s->data_start] == KIT_BYTE_DEVICE) {
            continue;
        }
        for (at = table ? s->data_end - 8 : s->data_start; at < s->data_end;
             at++) {
            if (layout->bytes[at] == KIT_BYTE_FRAME) {
                layout->bytes[at] = KIT_BYTE_RECORD;
            }
        }
    }
}

void kit_layout_init(struct kit_layout *layout, const char *path)
{
    struct gw_stream_reader reader = {.ops = &ops, .opaque = layout};
    struct gw_channel *channel = NULL;
    struct gw_input *input;
    struct gw_error *error = NULL;
    uint64_t trailing;

    memset(layout, 0, sizeof(*layout));
    read_all(layout, path);
    KIT_CHECK(gw_file_open_incoming(path, 0, false, &channel, &error) == 0,
              "%s", gw_error_text(error));
    input = gw_input_new(channel, &error);
    KIT_CHECK(input, "%s", gw_error_text(error));
    KIT_CHECK(gw_stream_read(&reader, input, &trailing, &error) == 0, "%s",
              gw_error_text(error));
    gw_input_free(input);
    gw_channel_free(channel);
    mark_records(layout);
}

void kit_layout_deinit(struct kit_layout *layout)
{
    free(layout->bytes);
    free(layout->data);
}

/* A few pages of data, so that loading it thousands of times is quick. */
static void fill_pages(struct kit_saved *s, struct kit_rng *rng)
{
    static const unsigned int pages[][2] = {{0, 3},  {0, 4}, {0, 20},
                                            {0, 66}, {1, 1}, {2, 0}};
    size_t i;

    for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        uint8_t *host = gw_ram_block_host(s->from.blocks[pages[i][0]].block);

        kit_random_bytes(rng, host + pages[i][1] * KIT_PAGE, KIT_PAGE);
    }
}

void kit_saved_init(struct kit_saved *s, struct kit_rng *rng, bool mapped)
{
    struct gw_error *error = NULL;

    s->mapped = mapped;
    kit_directory_make(s->directory);
    snprintf(s->path, sizeof(s->path), "%s/machine", s->directory);
    snprintf(s->uri, sizeof(s->uri), "file:%s", s->path);
    kit_shape_small(&s->shape);
    kit_machine_init(&s->from, &s->shape, false);
    kit_devices_fill(&s->from.devices, rng);
    fill_pages(s, rng);
    KIT_CHECK(kit_save(&s->from, s->uri, mapped, &error) == 0, "save: %s",
              gw_error_text(error));
    kit_layout_init(&s->layout, s->path);
}

void kit_saved_deinit(struct kit_saved *s)
{
    kit_layout_deinit(&s->layout);
    kit_machine_deinit(&s->from);
    kit_directory_remove(s->directory);
}
