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

static int put_data(struct gw_outgoing *outgoing,
                    const struct gw_extent *extent, struct gw_error **errp)
{
    const uint8_t *host = extent->block->host;
    uint64_t page = extent->first;
    uint64_t end = page + extent->n_pages;
    int r = 0;

    for (; r == 0 && page < end; page++) {
        r = put_page(outgoing, extent->block, GW_RAM_RECORD_PAGE, page, errp);
        if (r == 0) {
            r = gw_output_lend(outgoing->output,
                               host + page * GW_TARGET_PAGE_SIZE,
                               GW_TARGET_PAGE_SIZE, errp);
        }
    }
    return r;
}

static int put(struct gw_outgoing *outgoing, unsigned int worker,
               const struct gw_extent *extent, struct gw_error **errp)
{
    uint64_t page = extent->first;
    uint64_t end = page + extent->n_pages;
    int r = 0;

    (void)worker;
    if (extent->kind == GW_PAGES_DATA) {
        r = put_data(outgoing, extent, errp);
    } else {
        for (; r == 0 && page < end; page++) {
            r = put_page(outgoing, extent->block, GW_RAM_RECORD_ZERO, page,
                         errp);
        }
    }
    atomic_store(&outgoing->migration->transferred_bytes,
                 gw_output_total(outgoing->output));
    return r;
}

/* Pages are lent for a round. */
static int flush(struct gw_outgoing *outgoing, unsigned int worker,
                 struct gw_error **errp)
{
    (void)worker;
    return gw_output_flush(outgoing->output, errp);
}

/* Records have an order: one thread writes them. */
static unsigned int n_threads(const struct gw_outgoing *outgoing)
{
    (void)outgoing;
    return 0;
}

static int nothing(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    (void)outgoing;
    (void)errp;
    return 0;
}

static void close_nothing(struct gw_outgoing *outgoing)
{
    (void)outgoing;
}

const struct gw_ram_method gw_method_precopy = {
    .n_threads = n_threads,
    .open = nothing,
    .setup = setup,
    .put = put,
    .flush = flush,
    .complete = nothing,
    .close = close_nothing,
};
