/*
 * The outgoing side from the inside: what a RAM method works with.
 */
#ifndef GW_MIGRATE_OUTGOING_H
#define GW_MIGRATE_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/migration.h>

#include "migrate/rate.h"
#include "ram/bitmap.h"
#include "ram/pipeline.h"
#include "wire/mapped.h"

struct gw_mapped_workers;
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
    /* the same, live: pages of the file that may hold other bytes than zero */
    struct gw_bitmap written;
};

struct gw_outgoing {
    struct gw_migration *migration;
    struct gw_output *output;
    const struct gw_ram_method *method;
    struct gw_outgoing_block *blocks;
    size_t n_blocks;
    /* of the same order: the dirty pages of each block */
    struct gw_page_set *sets;
    struct gw_pipeline *pipeline;
    /* the machine's tracker runs: the guest may, while pages are sent */
    bool is_live;
    /* max-bandwidth holds now */
    bool is_limited;
    struct gw_rate rate;
    /* bytes that each worker has to pay for */
    uint64_t *unpaid_bytes;
    /* plain: the block of the last page record, or NULL */
    const struct gw_ram_block *last_block;
    /* mapped-ram */
    struct gw_mapped_workers *mapped;
};

/*
 * A way to move RAM. All are called on the migration's thread but `put` and
 * `flush`, which the pipeline's workers call; the section's header, its EOS
 * record and its footer are written by the caller.
 */
struct gw_ram_method {
    /* Threads that move pages; 0: the migration's own. */
    unsigned int (*n_threads)(const struct gw_outgoing *outgoing);
    /* Before anything is written: what may fail for want of resources. */
    int (*open)(struct gw_outgoing *outgoing, struct gw_error **errp);
    /* The block table of the START section. */
    int (*setup)(struct gw_outgoing *outgoing, struct gw_error **errp);
    /* Where the pipeline's extents go; as in struct gw_page_sink. */
    int (*put)(struct gw_outgoing *outgoing, unsigned int worker,
               const struct gw_extent *extent, struct gw_error **errp);
    int (*flush)(struct gw_outgoing *outgoing, unsigned int worker,
                 struct gw_error **errp);
    /* The guest is stopped and all pages are sent: the END section. */
    int (*complete)(struct gw_outgoing *outgoing, struct gw_error **errp);
    /* Undoes `open`, also after it failed. */
    void (*close)(struct gw_outgoing *outgoing);
};

/* Pages as records of the stream. */
extern const struct gw_ram_method gw_method_precopy;
/* Pages at fixed offsets of a file. */
extern const struct gw_ram_method gw_method_mapped;

/* Writes the block table; with mapped-ram the layouts are filled in. */
int gw_outgoing_put_table(struct gw_outgoing *outgoing, bool mapped,
                          struct gw_error **errp);

/* What can be said about the address before anything is opened. */
int gw_outgoing_check_address(const struct gw_address *address,
                              const struct gw_settings *settings,
                              struct gw_error **errp);

/* Whether a guest in this run state can be saved. */
int gw_outgoing_check_run_state(struct gw_machine *machine,
                                struct gw_error **errp);

/* ---- outgoing_ram.c ---- */

/* Takes stock of the machine's blocks; all their pages are dirty. */
int gw_outgoing_ram_init(struct gw_outgoing *outgoing, struct gw_error **errp);
void gw_outgoing_ram_deinit(struct gw_outgoing *outgoing);

/* Starts workers and tracker; nothing was written yet. */
int gw_outgoing_ram_open(struct gw_outgoing *outgoing, struct gw_error **errp);

/* Writes a section `ram`: START, PART with the dirty pages, END with them. */
int gw_outgoing_ram_setup(struct gw_outgoing *outgoing, struct gw_error **errp);
int gw_outgoing_ram_iterate(struct gw_outgoing *outgoing,
                            struct gw_error **errp);
int gw_outgoing_ram_complete(struct gw_outgoing *outgoing,
                             struct gw_error **errp);

/*
 * Live: adds what the guest wrote meanwhile to the dirty pages, which are
 * then counted: *ret_bytes. A pass. -EINVAL if a block was resized.
 */
int gw_outgoing_ram_sync(struct gw_outgoing *outgoing, uint64_t *ret_bytes,
                         struct gw_error **errp);

/* ---- iterate.c ---- */

/*
 * Live: sends what is dirty, again and again, until the rest fits into the
 * downtime limit.
 */
int gw_outgoing_iterate(struct gw_outgoing *outgoing, struct gw_error **errp);

#endif
