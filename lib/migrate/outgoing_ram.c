/*
 * The RAM section of an outgoing migration: setup and the last round.
 */
#include <stdatomic.h>

#include <godwit/ram.h>

#include "channel/output.h"
#include "migrate/migration.h"
#include "migrate/outgoing.h"
#include "migrate/sections.h"
#include "ram/block.h"
#include "stream/writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct gw_outgoing_block *gw_outgoing_find(struct gw_outgoing *outgoing,
                                           const struct gw_ram_block *block)
{
    size_t i;

    for (i = 0; i < outgoing->n_blocks; i++) {
        if (outgoing->blocks[i].block == block) {
            return &outgoing->blocks[i];
        }
    }
    assert(!"the pipeline got a block that is not part of the migration");
    return NULL;
}

void gw_outgoing_count(struct gw_outgoing *outgoing, uint64_t normal_pages,
                       uint64_t zero_pages)
{
    struct gw_migration *m = outgoing->migration;
    uint64_t bytes = (normal_pages + zero_pages) * GW_TARGET_PAGE_SIZE;

    atomic_fetch_add(&m->normal_pages, normal_pages);
    atomic_fetch_add(&m->duplicate_pages, zero_pages);
    atomic_fetch_sub(&m->remaining_bytes, bytes);
    atomic_store(&m->transferred_bytes, gw_output_total(outgoing->output));
}

static int put_record(struct gw_outgoing *outgoing,
                      enum gw_ram_record_kind kind, uint64_t offset,
                      struct gw_error **errp)
{
    struct gw_ram_record record = {.kind = kind, .offset = offset};

    return gw_stream_put_ram_record(outgoing->output, &record, errp);
}

int gw_outgoing_put_table(struct gw_outgoing *outgoing, bool mapped,
                          struct gw_error **errp)
{
    struct gw_ram_block_entry entry = {0};
    struct gw_outgoing_block *b;
    uint64_t total = 0;
    size_t i;
    int r;

    for (i = 0; i < outgoing->n_blocks; i++) {
        total += outgoing->blocks[i].used_length;
    }
    r = put_record(outgoing, GW_RAM_RECORD_MEM_SIZE, total, errp);
    for (i = 0; r == 0 && i < outgoing->n_blocks; i++) {
        b = &outgoing->blocks[i];
        strncpy(entry.idstr, b->block->idstr, sizeof(entry.idstr) - 1);
        entry.idstr[sizeof(entry.idstr) - 1] = '\0';
        entry.used_length = b->used_length;
        r = gw_stream_put_ram_block(outgoing->output, &entry,
                                    mapped ? &b->layout : NULL, errp);
    }
    return r;
}

static int begin(struct gw_outgoing *outgoing, enum gw_section_kind kind,
                 struct gw_error **errp)
{
    struct gw_section_header header = {
        .kind = kind,
        .section_id = GW_SECTION_ID_RAM,
        .idstr = GW_RAM_IDSTR,
        .version = GW_RAM_VERSION,
    };

    return gw_stream_put_section(outgoing->output, &header, errp);
}

static int end(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    int r = put_record(outgoing, GW_RAM_RECORD_EOS, 0, errp);

    return r < 0 ? r
                 : gw_stream_put_footer(outgoing->output, GW_SECTION_ID_RAM,
                                        errp);
}

int gw_outgoing_ram_setup(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    int r = begin(outgoing, GW_SECTION_START, errp);

    if (r == 0) {
        r = outgoing->method->setup(outgoing, errp);
    }
    return r < 0 ? r : end(outgoing, errp);
}

int gw_outgoing_ram_complete(struct gw_outgoing *outgoing,
                             struct gw_error **errp)
{
    struct gw_outgoing_block *b;
    size_t i;
    int r = begin(outgoing, GW_SECTION_END, errp);

    for (i = 0; r == 0 && i < outgoing->n_blocks; i++) {
        b = &outgoing->blocks[i];
        r = gw_pipeline_run(b->block, &b->dirty, &outgoing->method->sink,
                            outgoing, errp);
        if (r < 0) {
            gw_error_prefix(errp, r, "RAM block '%s'", b->block->idstr);
        }
    }
    if (r == 0) {
        r = outgoing->method->complete(outgoing, errp);
    }
    return r < 0 ? r : end(outgoing, errp);
}
