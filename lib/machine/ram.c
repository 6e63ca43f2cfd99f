/*
 * The machine's RAM blocks.
 */
#include <godwit/ram.h>

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "machine/machine.h"
#include "ram/block.h"

static int append_block(struct gw_machine *machine, struct gw_ram_block *block,
                        struct gw_error **errp)
{
    struct gw_ram_block **end;

    if (machine->is_migrating) {
        return gw_error_set(errp, -EBUSY,
                            "RAM block '%s': a migration is in progress",
                            block->idstr);
    }
    for (end = &machine->blocks; *end; end = &(*end)->next) {
        if (strcmp((*end)->idstr, block->idstr) == 0) {
            return gw_error_set(errp, -EEXIST, "RAM block '%s' exists already",
                                block->idstr);
        }
    }
    *end = block;
    return 0;
}

int gw_ram_block_add(struct gw_machine *machine, const struct gw_ram_attr *attr,
                     struct gw_ram_block **ret_block, struct gw_error **errp)
{
    struct gw_ram_block *block = NULL;
    int r = gw_ram_block_new(attr, &block, errp);

    if (r < 0) {
        return r;
    }
    block->machine = machine;
    pthread_mutex_lock(&machine->lock);
    r = append_block(machine, block, errp);
    pthread_mutex_unlock(&machine->lock);
    if (r < 0) {
        gw_ram_block_free(block);
        return r;
    }
    if (ret_block) {
        *ret_block = block;
    }
    return 0;
}

int gw_ram_block_remove(struct gw_ram_block *block, struct gw_error **errp)
{
    struct gw_machine *machine = block->machine;
    struct gw_ram_block **at;

    pthread_mutex_lock(&machine->lock);
    if (machine->is_migrating) {
        pthread_mutex_unlock(&machine->lock);
        return gw_error_set(errp, -EBUSY,
                            "RAM block '%s': a migration is in progress",
                            block->idstr);
    }
    for (at = &machine->blocks; *at != block; at = &(*at)->next) {
        assert(*at);
    }
    *at = block->next;
    pthread_mutex_unlock(&machine->lock);
    gw_ram_block_free(block);
    return 0;
}

int gw_ram_block_resize(struct gw_ram_block *block, uint64_t used_length,
                        struct gw_error **errp)
{
    struct gw_machine *machine = block->machine;

    if (!(block->flags & GW_RAM_RESIZEABLE)) {
        return gw_error_set(errp, -EINVAL, "RAM block '%s' cannot be resized",
                            block->idstr);
    }
    if (used_length == 0 || used_length > block->max_length) {
        return gw_error_set(errp, -EINVAL,
                            "RAM block '%s': length %#llx is not in the range "
                            "from 1 to %#llx",
                            block->idstr, (unsigned long long)used_length,
                            (unsigned long long)block->max_length);
    }
    pthread_mutex_lock(&machine->lock);
    block->used_length = gw_align_up(used_length, GW_TARGET_PAGE_SIZE);
    machine->was_resized = true;
    pthread_mutex_unlock(&machine->lock);
    return 0;
}

struct gw_ram_block *gw_ram_block_find(struct gw_machine *machine,
                                       const char *idstr)
{
    struct gw_ram_block *block;

    pthread_mutex_lock(&machine->lock);
    block = machine->blocks;
    while (block && strcmp(block->idstr, idstr) != 0) {
        block = block->next;
    }
    pthread_mutex_unlock(&machine->lock);
    return block;
}

struct gw_ram_block *gw_ram_block_next(struct gw_machine *machine,
                                       struct gw_ram_block *block)
{
    struct gw_ram_block *next;

    pthread_mutex_lock(&machine->lock);
    next = block ? block->next : machine->blocks;
    pthread_mutex_unlock(&machine->lock);
    return next;
}

const char *gw_ram_block_idstr(const struct gw_ram_block *block)
{
    return block->idstr;
}

void *gw_ram_block_host(const struct gw_ram_block *block)
{
    return block->host;
}

uint64_t gw_ram_block_used_length(const struct gw_ram_block *block)
{
    uint64_t used_length;

    pthread_mutex_lock(&block->machine->lock);
    used_length = block->used_length;
    pthread_mutex_unlock(&block->machine->lock);
    return used_length;
}

uint64_t gw_ram_block_max_length(const struct gw_ram_block *block)
{
    return block->max_length;
}

uint32_t gw_ram_block_flags(const struct gw_ram_block *block)
{
    return block->flags;
}

int gw_ram_block_fd(const struct gw_ram_block *block)
{
    return block->fd;
}
