/*
 * mapped-ram, outgoing: every page has a fixed offset in the file, and a
 * bitmap says which are there. The file holds zeros where nothing was
 * written, so zero pages cost nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "channel/output.h"
#include "migrate/migration.h"
#include "migrate/outgoing.h"
#include "ram/block.h"

static int setup(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_outgoing_block *b;
    size_t i;

    for (i = 0; i < outgoing->n_blocks; i++) {
        b = &outgoing->blocks[i];
        if (gw_bitmap_init(&b->present, b->used_length / GW_TARGET_PAGE_SIZE) <
            0) {
            return gw_error_set(errp, -ENOMEM, "out of memory");
        }
    }
    return gw_outgoing_put_table(outgoing, true, errp);
}

static int put_normal(void *opaque, struct gw_ram_block *block, uint64_t first,
                      uint64_t n_pages, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;
    struct gw_outgoing_block *b = gw_outgoing_find(outgoing, block);
    uint64_t offset = first * GW_TARGET_PAGE_SIZE;
    int r = gw_migration_check_cancel(outgoing->migration, errp);

    if (r == 0) {
        r = gw_output_pwrite(outgoing->output, block->host + offset,
                             n_pages * GW_TARGET_PAGE_SIZE,
                             b->layout.pages_offset + offset, errp);
    }
    if (r == 0) {
        gw_bitmap_set_range(&b->present, first, first + n_pages);
        gw_outgoing_count(outgoing, n_pages, 0);
    }
    return r;
}

static int put_zero(void *opaque, struct gw_ram_block *block, uint64_t first,
                    uint64_t n_pages, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;
    struct gw_outgoing_block *b = gw_outgoing_find(outgoing, block);

    (void)errp;
    gw_bitmap_clear_range(&b->present, first, first + n_pages);
    gw_outgoing_count(outgoing, 0, n_pages);
    return 0;
}

/* All pages are in their places: now the bitmaps may say so. */
static int put_bitmap(struct gw_outgoing *outgoing,
                      const struct gw_outgoing_block *b, struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *bytes = malloc(b->layout.bitmap_size);

    if (!bytes) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    gw_bitmap_put_le(&b->present, bytes);
    return gw_output_pwrite(outgoing->output, bytes, b->layout.bitmap_size,
                            b->layout.bitmap_offset, errp);
}

static int complete(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    size_t i;
    int r = 0;

    for (i = 0; r == 0 && i < outgoing->n_blocks; i++) {
        r = put_bitmap(outgoing, &outgoing->blocks[i], errp);
    }
    return r;
}

const struct gw_ram_method gw_method_mapped = {
    .setup = setup,
    .sink = {.normal = put_normal, .zero = put_zero},
    .complete = complete,
};
