/*
 * RAM of an outgoing migration: the blocks, the rounds over their dirty
 * pages, and the sections `ram` around them.
 */
#include <stdatomic.h>

#include <godwit/ram.h>

#include "base/util.h"
#include "channel/output.h"
#include "machine/machine.h"
#include "machine/tracker.h"
#include "migrate/migration.h"
#include "migrate/outgoing.h"
#include "migrate/sections.h"
#include "ram/block.h"
#include "stream/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- The blocks ---- */

static size_t count_blocks(struct gw_machine *machine)
{
    struct gw_ram_block *block = NULL;
    size_t n = 0;

    while ((block = gw_ram_block_next(machine, block))) {
        n++;
    }
    return n;
}

static int add_block(struct gw_outgoing *outgoing, struct gw_ram_block *block)
{
    struct gw_outgoing_block *b = &outgoing->blocks[outgoing->n_blocks];
    int r;

    b->block = block;
    b->used_length = gw_ram_block_used_length(block);
    r = gw_bitmap_init(&b->dirty, b->used_length / GW_TARGET_PAGE_SIZE);
    if (r == 0) {
        gw_bitmap_set_range(&b->dirty, 0, b->dirty.n_bits);
        outgoing->sets[outgoing->n_blocks++] =
            (struct gw_page_set){.block = block, .pages = &b->dirty};
    }
    return r;
}

int gw_outgoing_ram_init(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_migration *m = outgoing->migration;
    size_t n = count_blocks(m->machine);
    struct gw_ram_block *block = NULL;
    uint64_t total = 0;

    outgoing->blocks = calloc(n ? n : 1, sizeof(*outgoing->blocks));
    outgoing->sets = calloc(n ? n : 1, sizeof(*outgoing->sets));
    if (!outgoing->blocks || !outgoing->sets) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    while ((block = gw_ram_block_next(m->machine, block))) {
        if (add_block(outgoing, block) < 0) {
            return gw_error_set(errp, -ENOMEM, "out of memory");
        }
        total += outgoing->blocks[outgoing->n_blocks - 1].used_length;
    }
    atomic_store(&m->total_bytes, total);
    atomic_store(&m->remaining_bytes, total);
    return 0;
}

void gw_outgoing_ram_deinit(struct gw_outgoing *outgoing)
{
    size_t i;

    outgoing->pipeline = gw_pipeline_free(outgoing->pipeline);
    outgoing->method->close(outgoing);
    if (outgoing->is_live) {
        gw_machine_tracker_stop(outgoing->migration->machine);
    }
    for (i = 0; i < outgoing->n_blocks; i++) {
        gw_bitmap_deinit(&outgoing->blocks[i].dirty);
        gw_bitmap_deinit(&outgoing->blocks[i].present);
        gw_bitmap_deinit(&outgoing->blocks[i].written);
    }
    free(outgoing->blocks);
    free(outgoing->sets);
    free(outgoing->unpaid_bytes);
}

/* ---- The pipeline's sink: paying, counting, and the method's own ---- */

static int sink_begin(void *opaque, unsigned int worker,
                      const struct gw_chunk *chunk, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;
    struct gw_migration *m = outgoing->migration;
    uint64_t bytes = outgoing->unpaid_bytes[worker];
    int r;

    outgoing->unpaid_bytes[worker] = 0;
    r = outgoing->is_limited ? gw_rate_pay(&outgoing->rate, bytes, errp)
                             : gw_migration_check_cancel(m, errp);
    if (r == 0 && outgoing->is_live) {
        r = gw_machine_tracker_arm(
            m->machine, outgoing->blocks[chunk->set].block, chunk->first,
            chunk->end - chunk->first, errp);
    }
    return r;
}

static int sink_put(void *opaque, unsigned int worker,
                    const struct gw_extent *extent, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;
    struct gw_migration *m = outgoing->migration;
    uint64_t bytes = extent->n_pages * GW_TARGET_PAGE_SIZE;
    int r = outgoing->method->put(outgoing, worker, extent, errp);

    if (r < 0) {
        return r;
    }
    if (extent->kind == GW_PAGES_DATA) {
        outgoing->unpaid_bytes[worker] += bytes;
        atomic_fetch_add(&m->normal_pages, extent->n_pages);
    } else {
        atomic_fetch_add(&m->duplicate_pages, extent->n_pages);
    }
    atomic_fetch_sub(&m->remaining_bytes, bytes);
    return 0;
}

static int sink_flush(void *opaque, unsigned int worker, struct gw_error **errp)
{
    struct gw_outgoing *outgoing = opaque;

    return outgoing->method->flush(outgoing, worker, errp);
}

static const struct gw_page_sink sink = {
    .begin = sink_begin, .put = sink_put, .flush = sink_flush};

static int start_tracker(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    struct gw_machine *machine = outgoing->migration->machine;
    int r;

    if (!gw_machine_has_tracker(machine)) {
        return 0;
    }
    r = gw_machine_tracker_start(machine, errp);
    outgoing->is_live = r == 0;
    return r;
}

int gw_outgoing_ram_open(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    bool finds_zero =
        outgoing->migration->settings.zero_page_detection != GW_ZERO_PAGE_NONE;
    int r = gw_pipeline_new(outgoing->method->n_threads(outgoing), finds_zero,
                            &sink, outgoing, &outgoing->pipeline, errp);

    if (r < 0) {
        return r;
    }
    outgoing->unpaid_bytes = calloc(gw_pipeline_n_workers(outgoing->pipeline),
                                    sizeof(*outgoing->unpaid_bytes));
    if (!outgoing->unpaid_bytes) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = start_tracker(outgoing, errp);
    return r < 0 ? r : outgoing->method->open(outgoing, errp);
}

/* ---- Sections ---- */

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

    if (r == 0) {
        r = gw_stream_put_footer(outgoing->output, GW_SECTION_ID_RAM, errp);
    }
    atomic_store(&outgoing->migration->transferred_bytes,
                 gw_output_total(outgoing->output));
    return r;
}

int gw_outgoing_ram_setup(struct gw_outgoing *outgoing, struct gw_error **errp)
{
    int r = begin(outgoing, GW_SECTION_START, errp);

    if (r == 0) {
        r = outgoing->method->setup(outgoing, errp);
    }
    return r < 0 ? r : end(outgoing, errp);
}

static int send_dirty(struct gw_outgoing *outgoing, bool guest_runs,
                      struct gw_error **errp)
{
    return gw_pipeline_run(outgoing->pipeline, outgoing->sets,
                           outgoing->n_blocks, guest_runs, errp);
}

int gw_outgoing_ram_iterate(struct gw_outgoing *outgoing,
                            struct gw_error **errp)
{
    int r = begin(outgoing, GW_SECTION_PART, errp);

    if (r == 0) {
        r = send_dirty(outgoing, true, errp);
    }
    return r < 0 ? r : end(outgoing, errp);
}

int gw_outgoing_ram_complete(struct gw_outgoing *outgoing,
                             struct gw_error **errp)
{
    int r = begin(outgoing, GW_SECTION_END, errp);

    if (r == 0) {
        r = send_dirty(outgoing, false, errp);
    }
    if (r == 0) {
        r = outgoing->method->complete(outgoing, errp);
    }
    return r < 0 ? r : end(outgoing, errp);
}

/* ---- What the guest wrote ---- */

static int check_length(const struct gw_outgoing_block *b,
                        struct gw_error **errp)
{
    uint64_t now = gw_ram_block_used_length(b->block);

    if (now == b->used_length) {
        return 0;
    }
    return gw_error_set(errp, -EINVAL,
                        "RAM block '%s' was resized during the migration, "
                        "from %#llx to %#llx",
                        b->block->idstr, (unsigned long long)b->used_length,
                        (unsigned long long)now);
}

int gw_outgoing_ram_sync(struct gw_outgoing *outgoing, uint64_t *ret_bytes,
                         struct gw_error **errp)
{
    struct gw_migration *m = outgoing->migration;
    struct gw_outgoing_block *b;
    uint64_t n_pages = 0;
    size_t i;
    int r = 0;

    for (i = 0; r == 0 && i < outgoing->n_blocks; i++) {
        b = &outgoing->blocks[i];
        r = check_length(b, errp);
        if (r == 0) {
            r = gw_machine_tracker_sync(m->machine, b->block, &b->dirty, errp);
        }
        n_pages += gw_bitmap_count(&b->dirty);
    }
    if (r < 0) {
        return r;
    }
    atomic_store(&m->remaining_bytes, n_pages * GW_TARGET_PAGE_SIZE);
    *ret_bytes = n_pages * GW_TARGET_PAGE_SIZE;
    gw_migration_pass(m);
    return 0;
}
