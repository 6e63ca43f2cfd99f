/*
 * The socket device on the wire: section `virtio-vhost_vsock`, which has
 * nothing but the common part (docs/spec/virtio.md, 2.8). Connections do not
 * move.
 */
#include "virtio_vsock.h"

static const struct gw_field fields[] = {
    VMM_VIRTIO_FIELD_HEAD(struct vmm_virtio_vsock, device),
    VMM_VIRTIO_FIELD_TAIL(struct vmm_virtio_vsock, device),
    GW_FIELD_END,
};

/* A guest whose driver has not started was connected to nothing. */
static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_virtio_vsock *vsock = state;
    int r = vmm_virtio_post_load_hook(state, version, errp);

    if (r < 0) {
        return r;
    }
    vmm_virtio_vsock_clear(vsock);
    vsock->event_due = vmm_virtio_queue_is_ready(
        &vsock->device.queues[VMM_VIRTIO_VSOCK_QUEUE_EVENT]);
    return 0;
}

const struct gw_vmstate vmm_virtio_vsock_vmstate = {
    .name = "virtio-vhost_vsock",
    .version = 0,
    .min_version = 0,
    .size = sizeof(struct vmm_virtio_vsock),
    .fields = fields,
    .pre_save = vmm_virtio_pre_save_hook,
    .pre_load = vmm_virtio_pre_load_hook,
    .post_load = post_load,
};
