/*
 * The common part of a virtio section, with QEMU 10's layout
 * (docs/spec/virtio.md, 2).
 */
#include "virtio.h"

#include <errno.h>

#include "util.h"

static const struct gw_field queue_fields[] = {
    GW_FIELD_U32(struct vmm_virtio_queue, num),
    GW_FIELD_U32(struct vmm_virtio_queue, align),
    GW_FIELD_U64(struct vmm_virtio_queue, desc),
    GW_FIELD_U16(struct vmm_virtio_queue, last_avail),
    GW_FIELD_END,
};

static const struct gw_vmstate queue_vmstate = {
    .name = "virtio-queue",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_queue),
    .fields = queue_fields,
};

static const struct gw_field head_fields[] = {
    GW_FIELD_U32(struct vmm_virtio, host_features_sel),
    GW_FIELD_U32(struct vmm_virtio, guest_features_sel),
    GW_FIELD_U32(struct vmm_virtio, guest_page_shift),
    GW_FIELD_U8(struct vmm_virtio, status),
    GW_FIELD_U8(struct vmm_virtio, isr),
    GW_FIELD_U16(struct vmm_virtio, queue_sel),
    GW_FIELD_U32(struct vmm_virtio, sent_features),
    GW_FIELD_U32(struct vmm_virtio, sent_config_bytes),
    GW_FIELD_VBUFFER(struct vmm_virtio, config, sent_config_bytes),
    GW_FIELD_U32(struct vmm_virtio, sent_n_queues),
    GW_FIELD_STRUCT_VARRAY(struct vmm_virtio, queues, queue_vmstate,
                           struct vmm_virtio_queue, sent_n_queues),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_virtio_head_vmstate = {
    .name = "virtio-head",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = head_fields,
};

/* --- Subsections, in QEMU's order --- */

static bool features_needed(const void *state)
{
    const struct vmm_virtio *device = state;

    return device->host_features >> 32;
}

static const struct gw_field features_fields[] = {
    GW_FIELD_U64(struct vmm_virtio, guest.features),
    GW_FIELD_END,
};

static const struct gw_vmstate features_vmstate = {
    .name = "virtio/64bit_features",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = features_fields,
    .needed = features_needed,
};

static bool is_modern(const void *state)
{
    const struct vmm_virtio *device = state;

    return !device->legacy;
}

static const struct gw_field rings_fields[] = {
    GW_FIELD_U64(struct vmm_virtio_queue, avail),
    GW_FIELD_U64(struct vmm_virtio_queue, used),
    GW_FIELD_END,
};

static const struct gw_vmstate rings_vmstate = {
    .name = "virtio-rings",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_queue),
    .fields = rings_fields,
};

static const struct gw_field virtqueues_fields[] = {
    GW_FIELD_STRUCT_ARRAY(struct vmm_virtio, queues, rings_vmstate,
                          struct vmm_virtio_queue),
    GW_FIELD_END,
};

static const struct gw_vmstate virtqueues_vmstate = {
    .name = "virtio/virtqueues",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = virtqueues_fields,
    .needed = is_modern,
};

static bool ringsize_needed(const void *state)
{
    const struct vmm_virtio *device = state;

    for (unsigned int i = 0; i < device->n_queues; i++) {
        if (device->queues[i].num != device->queues[i].default_num) {
            return true;
        }
    }
    return false;
}

static const struct gw_field default_num_fields[] = {
    GW_FIELD_U32(struct vmm_virtio_queue, default_num),
    GW_FIELD_END,
};

static const struct gw_vmstate default_num_vmstate = {
    .name = "virtio-default-num",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_queue),
    .fields = default_num_fields,
};

static const struct gw_field ringsize_fields[] = {
    GW_FIELD_STRUCT_ARRAY(struct vmm_virtio, queues, default_num_vmstate,
                          struct vmm_virtio_queue),
    GW_FIELD_END,
};

static const struct gw_vmstate ringsize_vmstate = {
    .name = "virtio/ringsize",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = ringsize_fields,
    .needed = ringsize_needed,
};

static bool broken_needed(const void *state)
{
    const struct vmm_virtio *device = state;

    return device->broken;
}

static const struct gw_field broken_fields[] = {
    GW_FIELD_BOOL(struct vmm_virtio, broken),
    GW_FIELD_END,
};

static const struct gw_vmstate broken_vmstate = {
    .name = "virtio/broken",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = broken_fields,
    .needed = broken_needed,
};

/* The transport's own registers lie in a subsection of an empty table. */
static const struct gw_field mmio_queue_fields[] = {
    GW_FIELD_U16(struct vmm_virtio_mmio_queue, num),
    GW_FIELD_BOOL(struct vmm_virtio_mmio_queue, enabled),
    GW_FIELD_U32_ARRAY(struct vmm_virtio_mmio_queue, desc),
    GW_FIELD_U32_ARRAY(struct vmm_virtio_mmio_queue, avail),
    GW_FIELD_U32_ARRAY(struct vmm_virtio_mmio_queue, used),
    GW_FIELD_END,
};

static const struct gw_vmstate mmio_queue_vmstate = {
    .name = "virtio_mmio/queue_state",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_mmio_queue),
    .fields = mmio_queue_fields,
};

static const struct gw_field mmio_state_fields[] = {
    GW_FIELD_U32_ARRAY(struct vmm_virtio, mmio_features),
    GW_FIELD_STRUCT_ARRAY(struct vmm_virtio, mmio_queues, mmio_queue_vmstate,
                          struct vmm_virtio_mmio_queue),
    GW_FIELD_END,
};

static const struct gw_vmstate mmio_state_vmstate = {
    .name = "virtio_mmio/state",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = mmio_state_fields,
    .needed = is_modern,
};

static const struct gw_field no_fields[] = {
    GW_FIELD_END,
};

static const struct gw_vmstate *const mmio_subsections[] = {
    &mmio_state_vmstate,
    NULL,
};

static const struct gw_vmstate mmio_vmstate = {
    .name = "virtio_mmio",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = no_fields,
    .subsections = mmio_subsections,
};

static const struct gw_field extra_fields[] = {
    GW_FIELD_SELF(struct vmm_virtio, "virtio_mmio", mmio_vmstate),
    GW_FIELD_END,
};

static const struct gw_vmstate extra_vmstate = {
    .name = "virtio/extra_state",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = extra_fields,
    .needed = is_modern,
};

static bool started_needed(const void *state)
{
    const struct vmm_virtio *device = state;

    return device->started;
}

static const struct gw_field started_fields[] = {
    GW_FIELD_BOOL(struct vmm_virtio, started),
    GW_FIELD_END,
};

static const struct gw_vmstate started_vmstate = {
    .name = "virtio/started",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = started_fields,
    .needed = started_needed,
};

static bool disabled_needed(const void *state)
{
    const struct vmm_virtio *device = state;

    return device->disabled;
}

static const struct gw_field disabled_fields[] = {
    GW_FIELD_BOOL(struct vmm_virtio, disabled),
    GW_FIELD_END,
};

static const struct gw_vmstate disabled_vmstate = {
    .name = "virtio/disabled",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = disabled_fields,
    .needed = disabled_needed,
};

static const struct gw_vmstate *const subsections[] = {
    &features_vmstate, &virtqueues_vmstate, &ringsize_vmstate, &broken_vmstate,
    &extra_vmstate,    &started_vmstate,    &disabled_vmstate, NULL,
};

const struct gw_vmstate vmm_virtio_tail_vmstate = {
    .name = "virtio",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio),
    .fields = no_fields,
    .subsections = subsections,
};

void vmm_virtio_pre_save(struct vmm_virtio *device)
{
    device->sent_features = (uint32_t)device->guest.features;
    device->sent_config_bytes = device->config_bytes;
    device->sent_n_queues = device->n_queues;
}

/* What an absent subsection means. */
void vmm_virtio_pre_load(struct vmm_virtio *device)
{
    device->guest.features = 0;
    device->broken = false;
    device->started = false;
    device->disabled = false;
    device->generation = 0;
    for (unsigned int i = 0; i < device->n_queues; i++) {
        device->queues[i].avail = device->queues[i].used = 0;
        device->mmio_queues[i] = (struct vmm_virtio_mmio_queue){0};
    }
}

static int check_registers(struct vmm_virtio *device, struct gw_error **errp)
{
    if (device->sent_n_queues != device->n_queues) {
        return gw_error_set(errp, -EPROTO, "%u queues, expected %u",
                            device->sent_n_queues, device->n_queues);
    }
    if (device->queue_sel >= VMM_VIRTIO_QUEUES_MAX ||
        device->host_features_sel > 1 || device->guest_features_sel > 1 ||
        device->guest_page_shift > 31) {
        return gw_error_set(errp, -EBADMSG,
                            "queue %u, feature words %u and %u, page shift "
                            "%u: one is out of range",
                            device->queue_sel, device->host_features_sel,
                            device->guest_features_sel,
                            device->guest_page_shift);
    }
    /* Only drivers of that transport tell of pages. */
    if (!device->legacy && device->guest_page_shift != 0) {
        return gw_error_set(errp, -EPROTO,
                            "the guest's driver uses version 1 of the "
                            "registers, this device has version 2");
    }
    return 0;
}

static int check_features(struct vmm_virtio *device, struct gw_error **errp)
{
    uint64_t missing;

    if (device->guest.features == 0) {
        device->guest.features = device->sent_features;
    }
    missing = device->guest.features &
              ~(device->host_features | device->tolerated_features);
    if (missing) {
        return gw_error_set(errp, -EPROTO,
                            "the guest uses features 0x%llx that this device "
                            "does not offer (0x%llx)",
                            (unsigned long long)missing,
                            (unsigned long long)device->host_features);
    }
    return 0;
}

/* What the stream says of a queue, whatever is in guest memory. */
static int check_queue(const struct vmm_virtio_queue *queue,
                       struct gw_error **errp)
{
    if (queue->num == 0 || queue->num > VMM_VIRTIO_QUEUE_ENTRIES_MAX) {
        return gw_error_set(errp, -EBADMSG, "%u entries, expected 1 to %d",
                            queue->num, VMM_VIRTIO_QUEUE_ENTRIES_MAX);
    }
    if (!vmm_virtio_queue_is_ready(queue) && queue->last_avail != 0) {
        return gw_error_set(errp, -EBADMSG,
                            "no rings, and %u entries taken from them",
                            queue->last_avail);
    }
    return 0;
}

/*
 * A ring that makes no sense is the guest's mistake, and no reason not to let
 * it go on: its device waits for a reset. The line is raised by the resume.
 */
static void restore_queue(struct vmm_virtio *device,
                          struct vmm_virtio_queue *queue)
{
    if (vmm_virtio_queue_restore(queue, &device->guest, NULL) == 0 ||
        device->broken) {
        return;
    }
    device->broken = true;
    if (vmm_virtio_has(device, VMM_VIRTIO_F_VERSION_1)) {
        device->status |= VMM_VIRTIO_NEEDS_RESET;
        device->isr |= VMM_VIRTIO_ISR_QUEUE | VMM_VIRTIO_ISR_CONFIG;
    }
}

int vmm_virtio_post_load(struct vmm_virtio *device, struct gw_error **errp)
{
    int r = check_registers(device, errp);

    if (r == 0) {
        r = check_features(device, errp);
    }
    for (unsigned int i = 0; r == 0 && i < device->n_queues; i++) {
        struct vmm_virtio_queue *queue = &device->queues[i];

        if (device->legacy) {
            vmm_virtio_queue_set_legacy(queue, queue->desc);
        }
        r = check_queue(queue, errp);
        if (r == 0) {
            restore_queue(device, queue);
        }
        gw_error_prefix(errp, r, "queue %u", i);
    }
    if (r == 0) {
        device->ops->set_features(device->opaque);
    }
    return r;
}

void vmm_virtio_rewind(struct vmm_virtio *device)
{
    for (unsigned int i = 0; i < device->n_queues; i++) {
        struct vmm_virtio_queue *queue = &device->queues[i];

        queue->last_avail = (uint16_t)(queue->last_avail - queue->n_in_flight);
        queue->n_in_flight = 0;
    }
}

int vmm_virtio_pre_save_hook(void *state, struct gw_error **errp)
{
    vmm_virtio_pre_save(state);
    return 0;
}

int vmm_virtio_pre_load_hook(void *state, struct gw_error **errp)
{
    vmm_virtio_pre_load(state);
    return 0;
}

int vmm_virtio_post_load_hook(void *state, uint32_t version,
                              struct gw_error **errp)
{
    int r = vmm_virtio_post_load(state, errp);

    if (r == 0) {
        vmm_virtio_rewind(state);
    }
    return r;
}
