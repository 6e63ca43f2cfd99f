/*
 * Writes the seeds of fuzz-incoming: a machine in both formats.
 *
 * Usage: incoming-seeds PLAIN MAPPED
 *
 * The page areas of a mapped-ram file are 1 MiB apart, far too much for a
 * fuzzer; loaders need only page alignment, so the seed has that.
 */
#include <string.h>
#include <unistd.h>

#include "../flow/kit-layout.h"
#include "base/buffer.h"
#include "base/util.h"
#include "incoming.h"

static void save(const char *path, bool mapped)
{
    struct kit_rng rng = {.state = 1};
    struct gw_error *error = NULL;
    char uri[4096];
    struct kit_machine m;
    struct kit_shape shape;

    incoming_shape(&shape);
    kit_machine_init(&m, &shape, false);
    kit_devices_fill(&m.devices, &rng);
    memset(gw_ram_block_host(m.blocks[0].block), 0x55, KIT_PAGE);
    memset(gw_ram_block_host(m.blocks[1].block), 0xaa, KIT_PAGE);
    snprintf(uri, sizeof(uri), "file:%s", path);
    KIT_CHECK(kit_save(&m, uri, mapped, &error) == 0, "%s",
              gw_error_text(error));
    kit_machine_deinit(&m);
}

/* End of the run of bytes of one kind that starts at `at`. */
static size_t run_end(const struct kit_layout *layout, size_t at)
{
    size_t end = at;

    while (end < layout->size && layout->bytes[end] == layout->bytes[at]) {
        end++;
    }
    return end;
}

/* Where a page area goes now: behind its header's offsets and its bitmap. */
static void put_offsets(struct gw_buffer *out, const struct kit_layout *layout,
                        size_t bitmap)
{
    uint64_t bitmap_offset = out->size + 16;
    uint64_t bitmap_size = run_end(layout, bitmap) - bitmap;

    gw_buffer_put_be64(out, bitmap_offset);
    gw_buffer_put_be64(out, gw_align_up(bitmap_offset + bitmap_size, KIT_PAGE));
}

/* The file with as little as possible between bitmaps and pages. */
static void compact(struct gw_buffer *out, const struct kit_layout *layout)
{
    size_t at = 0;

    while (at < layout->size) {
        size_t end = run_end(layout, at);

        if (layout->bytes[at] == KIT_BYTE_OFFSETS) {
            put_offsets(out, layout, end);
        } else if (layout->bytes[at] == KIT_BYTE_PADDING) {
            gw_buffer_put_zeros(out,
                                gw_align_up(out->size, KIT_PAGE) - out->size);
        } else {
            gw_buffer_put_bytes(out, layout->data + at, end - at);
        }
        at = end;
    }
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    KIT_CHECK(file && fwrite(data, 1, size, file) == size && !fclose(file),
              "cannot write %s", path);
}

/* A seed that does not load leads the fuzzer nowhere. */
static void check_loads(const char *path, bool mapped)
{
    struct gw_error *error = NULL;
    char uri[4096];
    struct kit_machine m;
    struct kit_shape shape;

    incoming_shape(&shape);
    kit_machine_init(&m, &shape, true);
    snprintf(uri, sizeof(uri), "file:%s", path);
    KIT_CHECK(kit_load(&m, uri, mapped, &error) == 0, "%s",
              gw_error_text(error));
    kit_machine_deinit(&m);
}

/* Replaces a saved file by a seed made of it. */
static void make_seed(const char *path, bool mapped)
{
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    struct kit_layout layout;

    save(path, mapped);
    kit_layout_init(&layout, path);
    compact(&out, &layout);
    kit_layout_deinit(&layout);
    KIT_CHECK(gw_buffer_ok(&out), "out of memory");
    write_file(path, out.data, out.size);
    check_loads(path, mapped);
    /* Room for the first byte of the input, which is not of the file. */
    gw_buffer_put_u8(&out, 0);
    KIT_CHECK(gw_buffer_ok(&out), "out of memory");
    memmove(out.data + 1, out.data, out.size - 1);
    out.data[0] = mapped ? INCOMING_MAPPED : 0;
    write_file(path, out.data, out.size);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: incoming-seeds PLAIN MAPPED\n");
        return 2;
    }
    make_seed(argv[1], false);
    make_seed(argv[2], true);
    return 0;
}
