/*
 * Pages of an incoming mapped-ram file: from their offsets to their places,
 * by the workers.
 */
#ifndef GW_MIGRATE_INCOMING_MAPPED_H
#define GW_MIGRATE_INCOMING_MAPPED_H

#include <stddef.h>

#include <godwit/error.h>

struct gw_incoming_block;
struct gw_migration;

/*
 * Loads the pages whose bit is set in `received` of each block; all blocks
 * read as zero. The bits are as they were afterwards.
 */
int gw_incoming_mapped_load(struct gw_migration *migration,
                            struct gw_incoming_block *blocks, size_t n_blocks,
                            struct gw_error **errp);

#endif
