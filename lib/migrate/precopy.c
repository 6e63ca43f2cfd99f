/*
 * The plain method: pages are records of the stream, one after the other.
 */
#include <string.h>

#include "channel/output.h"
#include "migrate/migration.h"
#include "migrate/outgoing.h"
#include "ram/block.h"
#include "stream/writer.h"

static int setup(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    return gw_outgoing_put_table(outgoing, false, errp);
}

/* The word of a page record; the block's name only when it changes. */
static int put_page(struct gw_outgoing *outgoing,
                    const struct gw_ram_block *block,
                    enum gw_ram_record_kind kind, uint64_t page,
                    struct gw_error **errp)
{
    struct gw_ram_record record;

    record.kind = kind;
    record.same_block = outgoing->last_block == block;
    record.offset = page * GW_TARGET_PAGE_SIZE;
    record.idstr[0] = '\0';
    if (!record.same_block) {
        strncpy(record.idstr, block->idstr, sizeof(record.idstr) - 1);
        record.idstr[sizeof(record.idstr) - 1] = '\0';
        outgoing->last_block = block;
    }
    return gw_stream_put_ram_record(outgoing->output, &record, errp);
}

static int put_normal(void *opaque, struct gw_ram_block *block, uint64_t first,
                      uint64_t n_pages, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;
    uint64_t page;
    int r = gw_migration_check_cancel(outgoing->migration, errp);

    for (page = first; r == 0 && page < first + n_pages; page++) {
        r = put_page(outgoing, block, GW_RAM_RECORD_PAGE, page, errp);
        if (r == 0) {
            r = gw_output_write(outgoing->output,
                                block->host + page * GW_TARGET_PAGE_SIZE,
                                GW_TARGET_PAGE_SIZE, errp);
        }
    }
    if (r == 0) {
        gw_outgoing_count(outgoing, n_pages, 0);
    }
    return r;
}

static int put_zero(void *opaque, struct gw_ram_block *block, uint64_t first,
                    uint64_t n_pages, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;
    uint64_t page;
    int r = gw_migration_check_cancel(outgoing->migration, errp);

    for (page = first; r == 0 && page < first + n_pages; page++) {
        r = put_page(outgoing, block, GW_RAM_RECORD_ZERO, page, errp);
    }
    if (r == 0) {
        gw_outgoing_count(outgoing, 0, n_pages);
    }
    return r;
}

static int complete(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    (void)outgoing;
    (void)errp;
    return 0;
}

const struct gw_ram_method gw_method_precopy = {
    .setup = setup,
    .sink = {.normal = put_normal, .zero = put_zero},
    .complete = complete,
};
