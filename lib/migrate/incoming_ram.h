/*
 * RAM of an incoming migration: the block table against the machine, pages
 * from records, pages from a mapped file.
 */
#ifndef GW_MIGRATE_INCOMING_RAM_H
#define GW_MIGRATE_INCOMING_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "ram/bitmap.h"
#include "stream/reader.h"

struct gw_input;
struct gw_migration;
struct gw_ram_block;

/* One entry of the stream's table and the block it belongs to. */
struct gw_incoming_block {
    struct gw_stream_block entry;
    struct gw_ram_block *block;
    /* pages that were written: only these can be other than zero */
    struct gw_bitmap received;
};

struct gw_incoming_ram {
    struct gw_migration *migration;
    struct gw_incoming_block *blocks;
    size_t n_blocks;
    /* pages that come next for certain, and exist */
    uint64_t n_ahead;
    bool has_mapped; /* pages are in a file, at offsets of their own */
    bool is_begun;   /* the table was complete and fits the machine */
};

void gw_incoming_ram_init(struct gw_incoming_ram *ram,
                          struct gw_migration *migration);
void gw_incoming_ram_deinit(struct gw_incoming_ram *ram);

/* An entry of the table: is there such a block, of this length? */
int gw_incoming_ram_add(struct gw_incoming_ram *ram,
                        const struct gw_stream_block *entry,
                        struct gw_error **errp);

/*
 * The table is complete: checks that no block is missing, then begins to
 * change the machine: resizes, clears, and loads the pages of mapped blocks.
 */
int gw_incoming_ram_begin(struct gw_incoming_ram *ram, struct gw_input *input,
                          struct gw_error **errp);

/* A page record of entry `index`; reads the page from the input. */
int gw_incoming_ram_page(struct gw_incoming_ram *ram, size_t index,
                         uint64_t offset, struct gw_input *input,
                         struct gw_error **errp);

/* A zero page; writes only where a page with data came before. */
void gw_incoming_ram_zero(struct gw_incoming_ram *ram, size_t index,
                          uint64_t offset);

#endif
