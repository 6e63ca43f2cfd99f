/*
 * The machine's tracker, as a migration uses it: the embedder's table plus
 * what was told with gw_ram_block_wrote.
 *
 * The machine is acquired by the migration (gw_machine_acquire) from before
 * the start until after the stop: its blocks and its tracker do not change.
 */
#ifndef GW_MACHINE_TRACKER_H
#define GW_MACHINE_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/tracker.h>

#include "ram/bitmap.h"

bool gw_machine_has_tracker(struct gw_machine *machine);

/* The tracker's name, or NULL without one. */
const char *gw_machine_tracker_name(struct gw_machine *machine);

/* Begins to remember writes; -EINVAL without a tracker. */
int gw_machine_tracker_start(struct gw_machine *machine,
                             struct gw_error **errp);

/* Ends it; only after a start that succeeded. */
void gw_machine_tracker_stop(struct gw_machine *machine);

/*
 * ORs into `dirty`, which has a bit for each page in question, what was
 * written since the last arm. One thread at a time.
 */
int gw_machine_tracker_sync(struct gw_machine *machine,
                            struct gw_ram_block *block, struct gw_bitmap *dirty,
                            struct gw_error **errp);

/* As the member `arm` of struct gw_tracker_ops. Several threads at once. */
int gw_machine_tracker_arm(struct gw_machine *machine,
                           struct gw_ram_block *block, uint64_t first,
                           uint64_t n_pages, struct gw_error **errp);

/*
 * Puts in a tracker, with what frees its opaque (or NULL), and frees the one
 * before. -EBUSY while a migration runs; then the caller still owns opaque.
 */
int gw_machine_tracker_replace(struct gw_machine *machine,
                               const struct gw_tracker_ops *ops, void *opaque,
                               void (*free_opaque)(void *opaque));

/* Forgets the tracker; the machine is being freed. */
void gw_machine_tracker_drop(struct gw_machine *machine);

#endif
