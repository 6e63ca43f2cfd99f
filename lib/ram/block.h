/*
 * RAM blocks from the inside.
 */
#ifndef GW_RAM_BLOCK_H
#define GW_RAM_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/ram.h>

#include "ram/written.h"

struct gw_ram_block {
    /* constant after creation */
    struct gw_machine *machine;
    char *idstr;
    uint8_t *host;
    uint64_t max_length;
    uint64_t host_page_size;
    int fd;
    uint64_t fd_offset;
    uint32_t flags;
    uint64_t gpa;
    int (*resized)(void *opaque, struct gw_ram_block *block,
                   uint64_t used_length, struct gw_error **errp);
    void *opaque;
    /* host was mapped by the library */
    bool is_mapped;

    /* atomic: what gw_ram_block_wrote was told */
    struct gw_written written;

    /* guarded by the machine's lock */
    uint64_t used_length;
    /* nobody wrote it: it reads as zero */
    bool is_pristine;
    /* the next block of the machine, in the order of adding */
    struct gw_ram_block *next;
};

/* Makes a block from checked attributes; see gw_ram_block_add. */
int gw_ram_block_new(const struct gw_ram_attr *attr,
                     struct gw_ram_block **ret_block, struct gw_error **errp);

/* Unmaps and frees; NULL is fine; returns NULL. */
struct gw_ram_block *gw_ram_block_free(struct gw_ram_block *block);

/*
 * Makes all of the block read as zero, giving memory back where it can, so
 * that a loader need not touch pages that are zero. No-op if pristine.
 */
void gw_ram_block_clear(struct gw_ram_block *block);

/*
 * Makes pages exist that are about to be written: once for all is cheaper
 * than a fault for each. Only a help; nothing if the host cannot.
 */
void gw_ram_block_populate(struct gw_ram_block *block, uint64_t offset,
                           uint64_t size);

/*
 * Private anonymous memory for certain: no file is behind it, and a page that
 * is neither present nor swapped out was never touched.
 */
static inline bool gw_ram_block_is_anonymous(const struct gw_ram_block *block)
{
    return block->fd < 0 && !(block->flags & GW_RAM_SHARED) &&
           (block->is_mapped || (block->flags & GW_RAM_ANONYMOUS));
}

static inline uint64_t gw_ram_block_pages(const struct gw_ram_block *block)
{
    return block->used_length / GW_TARGET_PAGE_SIZE;
}

#endif
