/*
 * The disk on the wire: section `virtio-blk`, version 2
 * (docs/spec/virtio.md, 2.3).
 */
#include "virtio_blk.h"

#include <errno.h>

#include "util.h"

static const struct gw_field saved_fields[] = {
    GW_FIELD_BUFFER(struct vmm_virtio_blk_saved, element),
    GW_FIELD_END,
};

static const struct gw_vmstate saved_vmstate = {
    .name = "virtio-blk-request",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_blk_saved),
    .fields = saved_fields,
};

static const struct gw_field queue_saved_fields[] = {
    GW_FIELD_U32(struct vmm_virtio_blk_saved, queue),
    GW_FIELD_BUFFER(struct vmm_virtio_blk_saved, element),
    GW_FIELD_END,
};

static const struct gw_vmstate queue_saved_vmstate = {
    .name = "virtio-blk-queue-request",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_blk_saved),
    .fields = queue_saved_fields,
};

static bool has_one_queue(const void *state, uint32_t version)
{
    const struct vmm_virtio_blk *blk = state;

    return blk->device.n_queues == 1;
}

static bool has_queues(const void *state, uint32_t version)
{
    return !has_one_queue(state, version);
}

static const struct gw_field fields[] = {
    VMM_VIRTIO_FIELD_HEAD(struct vmm_virtio_blk, device),
    GW_FIELD_LIST_IF(struct vmm_virtio_blk, saved, saved_vmstate,
                     struct vmm_virtio_blk_saved, link,
                     VMM_VIRTIO_QUEUE_ENTRIES_MAX, 0, has_one_queue),
    GW_FIELD_LIST_IF(struct vmm_virtio_blk, saved, queue_saved_vmstate,
                     struct vmm_virtio_blk_saved, link,
                     VMM_VIRTIO_QUEUE_ENTRIES_MAX, 0, has_queues),
    VMM_VIRTIO_FIELD_TAIL(struct vmm_virtio_blk, device),
    GW_FIELD_END,
};

static int pre_save(void *state, struct gw_error **errp)
{
    struct vmm_virtio_blk *blk = state;

    vmm_virtio_pre_save(&blk->device);
    return 0;
}

static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_virtio_blk *blk = state;

    vmm_virtio_pre_load(&blk->device);
    vmm_virtio_blk_drop_saved(blk);
    return 0;
}

/* Every entry that was taken is either given back or among the requests. */
static int check_saved(struct vmm_virtio_blk *blk, struct gw_error **errp)
{
    uint32_t n[VMM_VIRTIO_BLK_QUEUES_MAX] = {0};

    for (struct gw_list_link *at = blk->saved.first; at; at = at->next) {
        const struct vmm_virtio_blk_saved *saved =
            GW_LIST_ENTRY(at, struct vmm_virtio_blk_saved, link);

        if (saved->queue >= blk->device.n_queues) {
            return gw_error_set(errp, -EBADMSG,
                                "a request of queue %u, there are %u",
                                saved->queue, blk->device.n_queues);
        }
        n[saved->queue]++;
    }
    for (unsigned int i = 0; i < blk->device.n_queues; i++) {
        uint32_t expected = blk->device.queues[i].n_in_flight;

        if (n[i] != expected && !blk->device.broken) {
            return gw_error_set(errp, -EBADMSG,
                                "%u requests of queue %u, expected %u", n[i], i,
                                expected);
        }
    }
    return 0;
}

/* What the guest saw last: its choice of a cache, and how large the disk is. */
static int restore_config(struct vmm_virtio_blk *blk, struct gw_error **errp)
{
    uint64_t sectors =
        vmm_get_le64(blk->device.config + VMM_VIRTIO_BLK_CAPACITY_AT);
    uint64_t here = blk->image.bytes / VMM_SECTOR_BYTES;

    if (sectors > here) {
        return gw_error_set(
            errp, -EPROTO, "the guest's disk has %llu sectors, this one %llu",
            (unsigned long long)sectors, (unsigned long long)here);
    }
    if (sectors != 0) {
        blk->device.ops->set_config(blk, blk->device.config);
    }
    return 0;
}

/* A driver that knows nothing of it would lose what it writes. */
static int check_readonly(const struct vmm_virtio_blk *blk,
                          struct gw_error **errp)
{
    if (blk->image.readonly && blk->device.started &&
        !vmm_virtio_has(&blk->device, VMM_VIRTIO_BLK_F_RO)) {
        return gw_error_set(errp, -EPROTO,
                            "the guest may write to its disk, this one is "
                            "read-only");
    }
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_virtio_blk *blk = state;
    int r = vmm_virtio_post_load(&blk->device, errp);

    if (r == 0) {
        r = check_readonly(blk, errp);
    }
    if (r == 0) {
        r = check_saved(blk, errp);
    }
    if (r == 0) {
        r = restore_config(blk, errp);
    }
    return r;
}

const struct gw_vmstate vmm_virtio_blk_vmstate = {
    .name = "virtio-blk",
    .version = 2,
    .min_version = 2,
    .size = sizeof(struct vmm_virtio_blk),
    .fields = fields,
    .pre_save = pre_save,
    .pre_load = pre_load,
    .post_load = post_load,
};
