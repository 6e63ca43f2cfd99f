/*
 * Walks a hostile stream, with a handler that holds the reader to what it
 * promises its handlers.
 */
#include <godwit/error.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "stream/reader.h"

/* Device sections have so many bytes here. */
#define DEVICE_SIZE 5u

struct handler {
    uint64_t size;    /* of the stream */
    uint64_t n_calls; /* each must have cost at least a byte of it */
    size_t n_blocks;
    bool in_section;
    bool ended;
};

static void note_call(struct handler *handler)
{
    handler->n_calls++;
    FUZZ_ASSERT(handler->n_calls <= handler->size + 8);
}

static int on_config(void *opaque, const struct gw_stream_config *config,
                     struct gw_error **errp)
{
    (void)errp;
    note_call(opaque);
    FUZZ_ASSERT(memchr(config->machine_name, 0, sizeof(config->machine_name)));
    FUZZ_ASSERT(!config->mapped_ram || !config->ignore_shared);
    return 0;
}

static int on_begin(void *opaque, const struct gw_stream_section *section,
                    struct gw_error **errp)
{
    struct handler *handler = opaque;

    (void)errp;
    note_call(handler);
    FUZZ_ASSERT(!handler->in_section && !handler->ended);
    FUZZ_ASSERT(section->idstr[0]);
    FUZZ_ASSERT(section->offset < section->data_offset);
    handler->in_section = true;
    return 0;
}

static int on_device(void *opaque, const struct gw_stream_section *section,
                     struct gw_input *input, struct gw_error **errp)
{
    (void)opaque;
    FUZZ_ASSERT(strcmp(section->idstr, "ram") != 0);
    return gw_input_skip(input, DEVICE_SIZE, errp);
}

static int on_end(void *opaque, const struct gw_stream_section *section,
                  struct gw_error **errp)
{
    struct handler *handler = opaque;

    (void)errp;
    FUZZ_ASSERT(handler->in_section);
    FUZZ_ASSERT(section->data_end >= section->data_offset);
    handler->in_section = false;
    return 0;
}

static int on_block(void *opaque, const struct gw_stream_block *block,
                    struct gw_input *input, struct gw_error **errp)
{
    struct handler *handler = opaque;
    GW_AUTO_FREE uint8_t *bitmap = NULL;

    note_call(handler);
    FUZZ_ASSERT(block->index == handler->n_blocks++);
    FUZZ_ASSERT(block->idstr[0]);
    FUZZ_ASSERT(block->used_length % 4096 == 0);
    if (!block->mapped) {
        return 0;
    }
    FUZZ_ASSERT(block->bitmap_offset + block->bitmap_size <= handler->size);
    FUZZ_ASSERT(block->pages_offset + block->used_length <= handler->size);
    return gw_stream_read_bitmap(input, block, &bitmap, errp);
}

static int on_table_end(void *opaque, struct gw_error **errp)
{
    (void)errp;
    note_call(opaque);
    return 0;
}

static int on_page(void *opaque, const struct gw_stream_block *block,
                   uint64_t offset, struct gw_input *input,
                   struct gw_error **errp)
{
    note_call(opaque);
    FUZZ_ASSERT(offset % 4096 == 0 && offset < block->used_length);
    return gw_input_skip(input, 4096, errp);
}

static int on_zero(void *opaque, const struct gw_stream_block *block,
                   uint64_t offset, struct gw_error **errp)
{
    (void)errp;
    note_call(opaque);
    FUZZ_ASSERT(offset % 4096 == 0 && offset < block->used_length);
    return 0;
}

static int on_command(void *opaque, uint16_t command, const uint8_t *data,
                      uint16_t size, uint64_t offset, struct gw_error **errp)
{
    struct handler *handler = opaque;

    (void)errp;
    note_call(handler);
    FUZZ_ASSERT(command >= 1 && command <= 11);
    FUZZ_ASSERT(offset + 5 + size <= handler->size);
    FUZZ_ASSERT(data);
    return 0;
}

static int on_eof(void *opaque, uint64_t offset, struct gw_error **errp)
{
    struct handler *handler = opaque;

    (void)errp;
    FUZZ_ASSERT(!handler->in_section && !handler->ended);
    FUZZ_ASSERT(offset <= handler->size);
    handler->ended = true;
    return 0;
}

static int on_description(void *opaque, const char *json, uint32_t len,
                          uint64_t offset, struct gw_error **errp)
{
    struct handler *handler = opaque;

    (void)errp;
    FUZZ_ASSERT(handler->ended);
    FUZZ_ASSERT(offset + len <= handler->size);
    FUZZ_ASSERT(json[len] == '\0');
    return 0;
}

static const struct gw_stream_ops ops = {
    .config = on_config,
    .section_begin = on_begin,
    .device = on_device,
    .section_end = on_end,
    .ram_block = on_block,
    .ram_table_end = on_table_end,
    .ram_page = on_page,
    .ram_zero = on_zero,
    .command = on_command,
    .eof = on_eof,
    .description = on_description,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct handler handler = {.size = size};
    struct gw_stream_reader reader = {.ops = &ops, .opaque = &handler};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_input *input = gw_input_new_memory(data, size, NULL);
    uint64_t trailing = 0;
    int rc;

    FUZZ_ASSERT(input);
    rc = gw_stream_read(&reader, input, &trailing, &error);
    FUZZ_ASSERT(rc <= 0 && (rc < 0) == (error != NULL));
    FUZZ_ASSERT(rc < 0 || handler.ended);
    FUZZ_ASSERT(trailing <= size);
    gw_input_free(input);
    return 0;
}
