/*
 * The machine's tracker and the marks of reported writes.
 */
#include "machine/tracker.h"

#include <assert.h>
#include <errno.h>

#include "base/util.h"
#include "machine/machine.h"
#include "ram/block.h"

/* What a call needs; the machine is acquired, so it stays what it is. */
struct tracker {
    const struct gw_tracker_ops *ops;
    void *opaque;
};

static struct tracker get_tracker(struct gw_machine *machine)
{
    struct tracker tracker;

    pthread_mutex_lock(&machine->lock);
    tracker = (struct tracker){machine->tracker, machine->tracker_opaque};
    pthread_mutex_unlock(&machine->lock);
    return tracker;
}

int gw_machine_tracker_replace(struct gw_machine *machine,
                               const struct gw_tracker_ops *ops, void *opaque,
                               void (*free_opaque)(void *opaque))
{
    void (*free_old)(void *opaque) = NULL;
    void *old = NULL;
    int r = -EBUSY;

    pthread_mutex_lock(&machine->lock);
    if (!machine->is_migrating) {
        old = machine->tracker_opaque;
        free_old = machine->tracker_free;
        machine->tracker = ops;
        machine->tracker_opaque = opaque;
        machine->tracker_free = free_opaque;
        r = 0;
    }
    pthread_mutex_unlock(&machine->lock);
    if (free_old) {
        free_old(old);
    }
    return r;
}

void gw_machine_set_tracker(struct gw_machine *machine,
                            const struct gw_tracker_ops *ops, void *opaque)
{
    int r;

    assert(!ops ||
           (ops->name && ops->start && ops->stop && ops->sync && ops->arm));
    r = gw_machine_tracker_replace(machine, ops, opaque, NULL);
    assert(r == 0);
    (void)r;
}

void gw_machine_tracker_drop(struct gw_machine *machine)
{
    gw_machine_tracker_replace(machine, NULL, NULL, NULL);
}

bool gw_machine_has_tracker(struct gw_machine *machine)
{
    return get_tracker(machine).ops != NULL;
}

const char *gw_machine_tracker_name(struct gw_machine *machine)
{
    const struct gw_tracker_ops *ops = get_tracker(machine).ops;

    return ops ? ops->name : NULL;
}

static void stop_marks(struct gw_machine *machine)
{
    struct gw_ram_block *block = NULL;

    while ((block = gw_ram_block_next(machine, block))) {
        gw_written_stop(&block->written);
    }
}

static int start_marks(struct gw_machine *machine, struct gw_error **errp)
{
    struct gw_ram_block *block = NULL;

    while ((block = gw_ram_block_next(machine, block))) {
        if (gw_written_start(&block->written) < 0) {
            stop_marks(machine);
            return gw_error_set(errp, -ENOMEM, "out of memory");
        }
    }
    return 0;
}

int gw_machine_tracker_start(struct gw_machine *machine, struct gw_error **errp)
{
    struct tracker tracker = get_tracker(machine);
    int r;

    if (!tracker.ops) {
        return gw_error_set(errp, -EINVAL, "the machine has no dirty tracker");
    }
    r = start_marks(machine, errp);
    if (r < 0) {
        return r;
    }
    r = tracker.ops->start(tracker.opaque, errp);
    if (r < 0) {
        stop_marks(machine);
    }
    return gw_error_prefix(errp, r, "dirty tracker %s", tracker.ops->name);
}

void gw_machine_tracker_stop(struct gw_machine *machine)
{
    struct tracker tracker = get_tracker(machine);

    tracker.ops->stop(tracker.opaque);
    stop_marks(machine);
}

/* The padding of a bitmap is 0, whatever the embedder put there. */
static void clear_padding(struct gw_bitmap *dirty)
{
    uint64_t n_words = gw_bitmap_n_words(dirty);

    if (n_words > 0) {
        dirty->words[n_words - 1] &=
            gw_bitmap_range_mask(n_words - 1, 0, dirty->n_bits);
    }
}

int gw_machine_tracker_sync(struct gw_machine *machine,
                            struct gw_ram_block *block, struct gw_bitmap *dirty,
                            struct gw_error **errp)
{
    struct tracker tracker = get_tracker(machine);
    int r;

    assert(dirty->n_bits <= block->max_length / GW_TARGET_PAGE_SIZE);
    r = tracker.ops->sync(tracker.opaque, block, dirty->words, dirty->n_bits,
                          errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "dirty tracker %s, RAM block '%s'",
                               tracker.ops->name, block->idstr);
    }
    gw_written_take(&block->written, dirty->words, gw_bitmap_n_words(dirty));
    clear_padding(dirty);
    return 0;
}

int gw_machine_tracker_arm(struct gw_machine *machine,
                           struct gw_ram_block *block, uint64_t first,
                           uint64_t n_pages, struct gw_error **errp)
{
    struct tracker tracker = get_tracker(machine);
    int r;

    assert(first % GW_BITMAP_WORD_BITS == 0);
    r = tracker.ops->arm(tracker.opaque, block, first, n_pages, errp);
    return gw_error_prefix(errp, r, "dirty tracker %s, RAM block '%s'",
                           tracker.ops->name, block->idstr);
}

void gw_ram_block_wrote(struct gw_ram_block *block, uint64_t offset,
                        uint64_t size)
{
    uint64_t end;

    if (offset >= block->max_length) {
        return;
    }
    end = offset + gw_min_u64(size, block->max_length - offset);
    gw_written_mark(&block->written, offset / GW_TARGET_PAGE_SIZE,
                    gw_align_up(end, GW_TARGET_PAGE_SIZE) /
                        GW_TARGET_PAGE_SIZE);
}
