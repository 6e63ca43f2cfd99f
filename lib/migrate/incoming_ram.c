/*
 * RAM of an incoming migration.
 *
 * All of a block is made to read as zero before its first page arrives, by
 * giving the memory back where that can be done; from then on zero pages cost
 * nothing, and memory that stays zero is never touched.
 */
#include "migrate/incoming_ram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/input.h"
#include "machine/machine.h"
#include "migrate/incoming_mapped.h"
#include "migrate/migration.h"
#include "ram/block.h"
#include "wire/ram.h"

void gw_incoming_ram_init(struct gw_incoming_ram *ram,
                          struct gw_migration *migration)
{
    memset(ram, 0, sizeof(*ram));
    ram->migration = migration;
}

void gw_incoming_ram_deinit(struct gw_incoming_ram *ram)
{
    size_t i;

    for (i = 0; i < ram->n_blocks; i++) {
        gw_bitmap_deinit(&ram->blocks[i].received);
    }
    free(ram->blocks);
}

static int check_length(const struct gw_ram_block *block,
                        const struct gw_stream_block *entry,
                        struct gw_error **errp)
{
    if (entry->used_length == block->used_length) {
        return 0;
    }
    if (!(block->flags & GW_RAM_RESIZEABLE)) {
        return gw_error_set(errp, -EPROTO, "Size mismatch: %s: %#llx != %#llx",
                            block->idstr,
                            (unsigned long long)entry->used_length,
                            (unsigned long long)block->used_length);
    }
    if (entry->used_length == 0 || entry->used_length > block->max_length) {
        return gw_error_set(errp, -EPROTO, "Size too large: %s: %#llx > %#llx",
                            block->idstr,
                            (unsigned long long)entry->used_length,
                            (unsigned long long)block->max_length);
    }
    return 0;
}

int gw_incoming_ram_add(struct gw_incoming_ram *ram,
                        const struct gw_stream_block *entry,
                        struct gw_error **errp)
{
    struct gw_machine *machine = ram->migration->machine;
    struct gw_ram_block *block = gw_ram_block_find(machine, entry->idstr);
    struct gw_incoming_block *blocks, *b;
    int r;

    if (!block) {
        return gw_error_set(errp, -EPROTO,
                            "Unknown ramblock \"%s\", cannot accept migration",
                            entry->idstr);
    }
    r = check_length(block, entry, errp);
    if (r < 0) {
        return r;
    }
    blocks = reallocarray(ram->blocks, ram->n_blocks + 1, sizeof(*blocks));
    if (!blocks) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    ram->blocks = blocks;
    b = &blocks[ram->n_blocks];
    memset(b, 0, sizeof(*b));
    b->entry = *entry;
    b->block = block;
    if (gw_bitmap_init(&b->received, entry->used_length / GW_TARGET_PAGE_SIZE) <
        0) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    ram->n_blocks++;
    return 0;
}

static int check_complete(const struct gw_incoming_ram *ram,
                          struct gw_error **errp)
{
    struct gw_machine *machine = ram->migration->machine;
    struct gw_ram_block *block;
    size_t i;

    for (block = gw_ram_block_next(machine, NULL); block;
         block = gw_ram_block_next(machine, block)) {
        for (i = 0; i < ram->n_blocks && ram->blocks[i].block != block;) {
            i++;
        }
        if (i == ram->n_blocks) {
            return gw_error_set(errp, -EPROTO,
                                "RAM block '%s' is missing in the stream",
                                block->idstr);
        }
    }
    return 0;
}

static int prepare_block(struct gw_incoming_block *b, struct gw_error **errp)
{
    struct gw_ram_block *block = b->block;
    int r;

    if (b->entry.used_length != block->used_length) {
        r = gw_ram_block_resize(block, b->entry.used_length, errp);
        if (r == 0 && block->resized) {
            r = block->resized(block->opaque, block, block->used_length, errp);
            gw_error_prefix(errp, r, "RAM block '%s'", block->idstr);
        }
        if (r < 0) {
            return r;
        }
    }
    gw_ram_block_clear(block);
    return 0;
}

static void count(struct gw_incoming_ram *ram, uint64_t normal, uint64_t zero)
{
    struct gw_migration *m = ram->migration;

    atomic_fetch_add(&m->normal_pages, normal);
    atomic_fetch_add(&m->duplicate_pages, zero);
    atomic_fetch_add(&m->transferred_bytes, normal * GW_TARGET_PAGE_SIZE);
}

/* Which pages of a mapped block the file holds. */
static int read_bitmap(struct gw_incoming_ram *ram, struct gw_incoming_block *b,
                       struct gw_input *input, struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *bytes = NULL;
    uint64_t n_set;
    int r = gw_stream_read_bitmap(input, &b->entry, &bytes, errp);

    if (r < 0) {
        return r;
    }
    if (!gw_bitmap_get_le(&b->received, bytes)) {
        return gw_error_set(errp, -EBADMSG,
                            "RAM block '%s': bitmap has bits beyond the block",
                            b->block->idstr);
    }
    n_set = gw_bitmap_count(&b->received);
    count(ram, 0, b->received.n_bits - n_set);
    ram->has_mapped = true;
    b->block->is_pristine = b->block->is_pristine && n_set == 0;
    return 0;
}

static int begin_block(struct gw_incoming_ram *ram, struct gw_incoming_block *b,
                       struct gw_input *input, struct gw_error **errp)
{
    int r = prepare_block(b, errp);

    return r == 0 && b->entry.mapped ? read_bitmap(ram, b, input, errp) : r;
}

int gw_incoming_ram_begin(struct gw_incoming_ram *ram, struct gw_input *input,
                          struct gw_error **errp)
{
    uint64_t total = 0;
    size_t i;
    int r = check_complete(ram, errp);

    for (i = 0; i < ram->n_blocks; i++) {
        total += ram->blocks[i].entry.used_length;
    }
    atomic_store(&ram->migration->total_bytes, total);
    if (r == 0) {
        gw_machine_taint(ram->migration->machine);
        ram->is_begun = true;
    }
    for (i = 0; r == 0 && i < ram->n_blocks; i++) {
        r = begin_block(ram, &ram->blocks[i], input, errp);
    }
    if (r == 0 && ram->has_mapped) {
        r = gw_incoming_mapped_load(ram->migration, ram->blocks, ram->n_blocks,
                                    errp);
    }
    return r;
}

/*
 * How many pages, from this one on, come one after the other: those that were
 * read ahead. They are made to exist, but for where others came before.
 */
static uint64_t populate_ahead(struct gw_incoming_block *b, uint64_t offset,
                               const struct gw_input *input)
{
    uint64_t left = (b->entry.used_length - offset) / GW_TARGET_PAGE_SIZE;
    const uint8_t *data;
    struct gw_reader r;
    size_t size;
    uint64_t n_pages;

    gw_input_get_buffered(input, &data, &size);
    r = gw_reader_of(data, size);
    n_pages = gw_min_u64(gw_ram_count_run(&r, offset), left);
    if (n_pages > 1 &&
        !gw_bitmap_test(&b->received, offset / GW_TARGET_PAGE_SIZE)) {
        gw_ram_block_populate(b->block, offset, n_pages * GW_TARGET_PAGE_SIZE);
    }
    return n_pages;
}

int gw_incoming_ram_page(struct gw_incoming_ram *ram, size_t index,
                         uint64_t offset, struct gw_input *input,
                         struct gw_error **errp)
{
    struct gw_incoming_block *b = &ram->blocks[index];

    b->block->is_pristine = false;
    if (ram->n_ahead == 0) {
        ram->n_ahead = populate_ahead(b, offset, input);
    }
    ram->n_ahead--;
    gw_bitmap_set(&b->received, offset / GW_TARGET_PAGE_SIZE);
    count(ram, 1, 0);
    return gw_input_read(input, b->block->host + offset, GW_TARGET_PAGE_SIZE,
                         errp);
}

void gw_incoming_ram_zero(struct gw_incoming_ram *ram, size_t index,
                          uint64_t offset)
{
    struct gw_incoming_block *b = &ram->blocks[index];
    uint64_t page = offset / GW_TARGET_PAGE_SIZE;

    if (gw_bitmap_test(&b->received, page)) {
        memset(b->block->host + offset, 0, GW_TARGET_PAGE_SIZE);
        gw_bitmap_clear(&b->received, page);
    }
    count(ram, 0, 1);
}
