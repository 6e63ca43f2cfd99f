/*
 * The outgoing side from the inside: what a RAM method works with.
 */
#ifndef GW_MIGRATE_OUTGOING_H
#define GW_MIGRATE_OUTGOING_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "ram/bitmap.h"
#include "ram/pipeline.h"
#include "wire/mapped.h"

struct gw_migration;
struct gw_output;
struct gw_ram_block;

/* One RAM block as it was when the migration began. */
struct gw_outgoing_block {
    struct gw_ram_block *block;
    uint64_t used_length;
    /* pages that must be sent (again) */
    struct gw_bitmap dirty;
    /* mapped-ram: where it lies in the file, and the pages it holds */
    struct gw_mapped_layout layout;
    struct gw_bitmap present;
};

struct gw_outgoing {
    struct gw_migration *migration;
    struct gw_output *output;
    const struct gw_ram_method *method;
    struct gw_outgoing_block *blocks;
    size_t n_blocks;
    /* plain: the block of the last page record, or NULL */
    const struct gw_ram_block *last_block;
};

/*
 * A way to move RAM. All are called on the migration's thread; the section's
 * header, its EOS record and its footer are written by the caller.
 */
struct gw_ram_method {
    /* The block table of the START section. */
    int (*setup)(struct gw_outgoing *outgoing, struct gw_error **errp);
    /* Where the pipeline's extents go. */
    struct gw_page_sink sink;
    /* The guest is stopped and all pages are sent: the END section. */
    int (*complete)(struct gw_outgoing *outgoing, struct gw_error **errp);
};

/* Pages as records of the stream. */
extern const struct gw_ram_method gw_method_precopy;
/* Pages at fixed offsets of a file. */
extern const struct gw_ram_method gw_method_mapped;

/* The outgoing block of a RAM block. */
struct gw_outgoing_block *gw_outgoing_find(struct gw_outgoing *outgoing,
                                           const struct gw_ram_block *block);

/* Counts pages that were dealt with. */
void gw_outgoing_count(struct gw_outgoing *outgoing, uint64_t normal_pages,
                       uint64_t zero_pages);

/* Writes the block table; with mapped-ram the layouts are filled in. */
int gw_outgoing_put_table(struct gw_outgoing *outgoing, bool mapped,
                          struct gw_error **errp);

/* Writes the section `ram` from its setup to its end. */
int gw_outgoing_ram_setup(struct gw_outgoing *outgoing, struct gw_error **errp);
int gw_outgoing_ram_complete(struct gw_outgoing *outgoing,
                             struct gw_error **errp);

#endif
