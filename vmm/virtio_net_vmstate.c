/*
 * The network card on the wire: section `virtio-net`, version 11
 * (docs/spec/virtio.md, 2.4).
 */
#include "virtio_net.h"

#include <errno.h>

static bool has_offloads(const void *state, uint32_t version)
{
    const struct vmm_virtio_net *net = state;

    return net->device.sent_features &
           VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
}

static const struct gw_field own_fields[] = {
    GW_FIELD_BUFFER(struct vmm_virtio_net, mac),
    GW_FIELD_U32(struct vmm_virtio_net, tx_waiting),
    GW_FIELD_U32(struct vmm_virtio_net, mergeable),
    GW_FIELD_U16(struct vmm_virtio_net, status),
    GW_FIELD_U8(struct vmm_virtio_net, filter.promisc),
    GW_FIELD_U8(struct vmm_virtio_net, filter.allmulti),
    GW_FIELD_U32(struct vmm_virtio_net, filter.n_macs),
    GW_FIELD_VBUFFER_IF(struct vmm_virtio_net, filter.macs, filter.n_macs,
                        VMM_MAC_BYTES, 0, NULL),
    GW_FIELD_BUFFER(struct vmm_virtio_net, filter.vlans),
    GW_FIELD_U32(struct vmm_virtio_net, has_vnet_header),
    GW_FIELD_U8(struct vmm_virtio_net, filter.multi_overflow),
    GW_FIELD_U8(struct vmm_virtio_net, filter.uni_overflow),
    GW_FIELD_U8(struct vmm_virtio_net, filter.alluni),
    GW_FIELD_U8(struct vmm_virtio_net, filter.nomulti),
    GW_FIELD_U8(struct vmm_virtio_net, filter.nouni),
    GW_FIELD_U8(struct vmm_virtio_net, filter.nobcast),
    GW_FIELD_U8(struct vmm_virtio_net, has_ufo),
    GW_FIELD_VALUE_IF(struct vmm_virtio_net, guest_offloads, U64, 0,
                      has_offloads),
    GW_FIELD_END,
};

static const struct gw_vmstate own_vmstate = {
    .name = "virtio-net-device",
    .version = 11,
    .min_version = 11,
    .size = sizeof(struct vmm_virtio_net),
    .fields = own_fields,
};

static const struct gw_field fields[] = {
    VMM_VIRTIO_FIELD_HEAD(struct vmm_virtio_net, device),
    GW_FIELD_SELF(struct vmm_virtio_net, "net", own_vmstate),
    VMM_VIRTIO_FIELD_TAIL(struct vmm_virtio_net, device),
    GW_FIELD_END,
};

static int pre_save(void *state, struct gw_error **errp)
{
    struct vmm_virtio_net *net = state;

    vmm_virtio_pre_save(&net->device);
    /* Frames that wait in the ring are to be looked at without a kick. */
    net->tx_waiting = vmm_virtio_queue_has_work(
        &net->device.queues[VMM_VIRTIO_NET_QUEUE_TX], &net->device.guest);
    net->mergeable = vmm_virtio_has(&net->device, VMM_VIRTIO_NET_F_MRG_RXBUF);
    net->has_vnet_header = net->backend.vnet_header;
    net->has_ufo = net->backend.has_ufo;
    return 0;
}

static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_virtio_net *net = state;

    vmm_virtio_pre_load(&net->device);
    net->held_bytes = 0;
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_virtio_net *net = state;
    uint64_t offloads = net->guest_offloads;
    int r;

    if ((net->has_vnet_header && !net->backend.vnet_header) ||
        (net->has_ufo && !net->backend.has_ufo)) {
        return gw_error_set(errp, -EPROTO,
                            "the frames of the source have headers or offloads "
                            "that this backend has not");
    }
    r = vmm_virtio_post_load(&net->device, errp);
    if (r < 0) {
        return r;
    }
    if (has_offloads(net, version)) {
        net->guest_offloads = offloads & VMM_VIRTIO_NET_GUEST_OFFLOADS;
        vmm_virtio_net_apply_offloads(net);
    }
    vmm_virtio_rewind(&net->device);
    net->announce = true;
    return 0;
}

const struct gw_vmstate vmm_virtio_net_vmstate = {
    .name = "virtio-net",
    .version = 11,
    .min_version = 11,
    .size = sizeof(struct vmm_virtio_net),
    .fields = fields,
    .pre_save = pre_save,
    .pre_load = pre_load,
    .post_load = post_load,
};
