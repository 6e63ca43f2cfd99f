/*
 * Frames in and out (VIRTIO 1.2, 5.1.6).
 *
 * A tap with headers is given the guest's header and gives one for the guest;
 * other backends see bare frames. A frame for which the guest has no buffer
 * is held, and no more are read.
 */
#include "virtio_net.h"

#include <string.h>

#include "util.h"

#define QUEUE_RX 0
#define QUEUE_TX VMM_VIRTIO_NET_QUEUE_TX
#define QUEUE_CONTROL 2
#define DATA_ENTRIES 256
#define CONTROL_ENTRIES 64

#define CONFIG_STATUS VMM_MAC_BYTES
#define CONFIG_BYTES 8

/* The header, and where it counts buffers if they are merged. */
#define HEADER_BYTES 10
#define MERGED_HEADER_BYTES 12
#define NUM_BUFFERS_AT 10
/* The most buffers that one frame is merged from. */
#define MERGE_MAX VMM_VIRTIO_QUEUE_ENTRIES_MAX

static bool merges(const struct vmm_virtio_net *net)
{
    return vmm_virtio_has(&net->device, VMM_VIRTIO_NET_F_MRG_RXBUF);
}

static size_t header_bytes(const struct vmm_virtio_net *net)
{
    return merges(net) || vmm_virtio_has(&net->device, VMM_VIRTIO_F_VERSION_1)
               ? MERGED_HEADER_BYTES
               : HEADER_BYTES;
}

static void get_config(void *opaque, uint8_t *config)
{
    struct vmm_virtio_net *net = opaque;

    memcpy(config, net->mac, VMM_MAC_BYTES);
    vmm_put_le16(config + CONFIG_STATUS, net->status);
}

/* Before VIRTIO 1.0 the address was set here. */
static void set_config(void *opaque, const uint8_t *config)
{
    struct vmm_virtio_net *net = opaque;

    if (!vmm_virtio_has(&net->device, VMM_VIRTIO_NET_F_CTRL_MAC) &&
        !vmm_virtio_has(&net->device, VMM_VIRTIO_F_VERSION_1)) {
        memcpy(net->mac, config, VMM_MAC_BYTES);
    }
}

static void set_features(void *opaque)
{
    struct vmm_virtio_net *net = opaque;

    net->guest_offloads =
        net->device.guest.features & VMM_VIRTIO_NET_GUEST_OFFLOADS;
    vmm_net_set_header(&net->backend, (int)header_bytes(net));
    vmm_virtio_net_apply_offloads(net);
}

static void reset(void *opaque)
{
    struct vmm_virtio_net *net = opaque;

    vmm_virtio_net_filter_reset(&net->filter);
    memcpy(net->mac, net->own_mac, VMM_MAC_BYTES);
    net->status = VMM_VIRTIO_NET_LINK_UP;
    net->guest_offloads = 0;
    net->held_bytes = 0;
    net->announce = false;
    vmm_virtio_net_apply_offloads(net);
}

/* --- To the host --- */

/* The frame without the guest's header, in place. */
static unsigned int skip_header(struct iovec *iov, unsigned int n, size_t bytes,
                                struct iovec **ret_iov)
{
    while (n > 0 && bytes >= iov->iov_len) {
        bytes -= iov->iov_len;
        iov++;
        n--;
    }
    if (n > 0) {
        iov->iov_base = (uint8_t *)iov->iov_base + bytes;
        iov->iov_len -= bytes;
    }
    *ret_iov = iov;
    return n;
}

static bool send_chain(struct vmm_virtio_net *net,
                       struct vmm_virtio_chain *chain)
{
    struct iovec *iov = chain->iov;
    unsigned int n = chain->n_out;

    if (chain->out_bytes > VMM_NET_FRAME_MAX) {
        return true;
    }
    if (!net->backend.vnet_header) {
        n = skip_header(chain->iov, chain->n_out, header_bytes(net), &iov);
    }
    return vmm_net_send(&net->backend, iov, n);
}

static void process_tx(struct vmm_virtio_net *net)
{
    struct vmm_virtio *device = &net->device;
    unsigned int n_done = 0;

    if (net->backend.blocked) {
        return;
    }
    while (vmm_virtio_next(device, QUEUE_TX, &n_done)) {
        if (device->chain.out_bytes < header_bytes(net)) {
            vmm_virtio_break(&net->device, "a frame without a header");
            return;
        }
        if (!send_chain(net, &device->chain)) {
            vmm_virtio_queue_unpop(&device->queues[QUEUE_TX]);
            break;
        }
        vmm_virtio_push(device, QUEUE_TX, device->chain.head, 0);
    }
    vmm_virtio_interrupt(device, QUEUE_TX);
}

/* --- From the host --- */

/* Undoes what was taken for a frame that does not fit yet. */
static void put_back(struct vmm_virtio *device, unsigned int n)
{
    while (n-- > 0) {
        vmm_virtio_queue_unpop(&device->queues[QUEUE_RX]);
    }
}

/*
 * The count of buffers is known at the end, and lies in the first of them.
 */
static bool deliver(struct vmm_virtio_net *net, const uint8_t *frame,
                    size_t bytes)
{
    struct vmm_virtio *device = &net->device;
    struct vmm_virtio_queue *queue = &device->queues[QUEUE_RX];
    struct vmm_virtio_chain *chain = &device->chain;
    uint8_t *count = NULL;
    unsigned int n = 0;
    size_t done = 0;

    while (done < bytes) {
        size_t part;

        if (n == MERGE_MAX || !vmm_virtio_pop(device, QUEUE_RX, chain)) {
            put_back(device, n);
            return device->broken;
        }
        if (chain->in_bytes < MERGED_HEADER_BYTES) {
            vmm_virtio_break(&net->device,
                             "a buffer without room for a header");
            return true;
        }
        part = vmm_virtio_chain_write(chain, device->guest.memory, 0,
                                      frame + done, bytes - done);
        if (n == 0 && chain->iov[chain->n_out].iov_len >= MERGED_HEADER_BYTES) {
            count =
                (uint8_t *)chain->iov[chain->n_out].iov_base + NUM_BUFFERS_AT;
        }
        done += part;
        if (vmm_virtio_queue_fill(queue, &device->guest, chain->head,
                                  (uint32_t)part, n, NULL) < 0) {
            vmm_virtio_break(&net->device, "the used ring is not in guest RAM");
            return true;
        }
        n++;
        if (!merges(net)) {
            break;
        }
    }
    if (merges(net) && count) {
        vmm_put_le16(count, (uint16_t)n);
    }
    if (vmm_virtio_queue_flush(queue, &device->guest, n, NULL) < 0) {
        vmm_virtio_break(&net->device, "the used ring is not in guest RAM");
    }
    return true;
}

/* A frame in net->frame, with room for the header before it. */
static bool receive_frame(struct vmm_virtio_net *net, size_t bytes)
{
    size_t header = header_bytes(net);

    if (bytes <= header ||
        !vmm_virtio_net_filter_accepts(&net->filter, net->mac,
                                       net->frame + header, bytes - header)) {
        return true;
    }
    if (header == MERGED_HEADER_BYTES) {
        vmm_put_le16(net->frame + NUM_BUFFERS_AT, 1);
    }
    return deliver(net, net->frame, bytes);
}

static size_t read_frame(struct vmm_virtio_net *net)
{
    size_t header = net->backend.vnet_header ? 0 : header_bytes(net);
    size_t bytes;

    memset(net->frame, 0, header);
    bytes = vmm_net_receive(&net->backend, net->frame + header,
                            sizeof(net->frame) - header);
    return bytes ? bytes + header : 0;
}

static void process_rx(struct vmm_virtio_net *net)
{
    struct vmm_virtio *device = &net->device;

    for (unsigned int i = 0;
         i < DATA_ENTRIES && vmm_virtio_is_live(device) &&
         vmm_virtio_queue_has_work(&device->queues[QUEUE_RX], &device->guest);
         i++) {
        size_t bytes = net->held_bytes ? net->held_bytes : read_frame(net);

        net->held_bytes = 0;
        if (bytes == 0) {
            break;
        }
        if (!receive_frame(net, bytes)) {
            net->held_bytes = bytes;
            break;
        }
    }
    vmm_virtio_interrupt(device, QUEUE_RX);
}

/* --- Control --- */

static void process_control(struct vmm_virtio_net *net)
{
    struct vmm_virtio *device = &net->device;
    unsigned int n_done = 0;

    while (vmm_virtio_next(device, QUEUE_CONTROL, &n_done)) {
        uint8_t failed = !vmm_virtio_net_command(net, &device->chain);

        vmm_virtio_chain_write(&device->chain, device->guest.memory, 0, &failed,
                               1);
        vmm_virtio_push(device, QUEUE_CONTROL, device->chain.head, 1);
    }
    vmm_virtio_interrupt(device, QUEUE_CONTROL);
}

static void process(void *opaque, unsigned int queue)
{
    struct vmm_virtio_net *net = opaque;

    if (queue == QUEUE_RX) {
        process_rx(net);
    } else if (queue == QUEUE_TX) {
        process_tx(net);
    } else {
        process_control(net);
    }
}

/* Without a buffer for it, no frame is welcome. */
static bool is_welcome(struct vmm_virtio_net *net)
{
    struct vmm_virtio *device = &net->device;

    return net->held_bytes == 0 &&
           (vmm_virtio_queue_has_work(&device->queues[QUEUE_RX],
                                      &device->guest) ||
            vmm_virtio_queue_set_notify(&device->queues[QUEUE_RX],
                                        &device->guest, true));
}

static void prepare(void *opaque, bool running,
                    struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_net *net = opaque;

    if (running) {
        if (net->held_bytes) {
            vmm_virtio_queue_set_notify(&net->device.queues[QUEUE_RX],
                                        &net->device.guest, true);
        }
        vmm_net_prepare(&net->backend, is_welcome(net), &polls[0]);
    }
}

static void dispatch(void *opaque, bool running,
                     const struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_net *net = opaque;

    if (!running) {
        return;
    }
    if (vmm_net_dispatch(&net->backend, &polls[0])) {
        process_tx(net);
    }
    if (polls[0].fd >= 0 && (polls[0].revents & (POLLIN | POLLHUP))) {
        process_rx(net);
    }
}

/* The guest is at another place of the network now. */
static void resumed(void *opaque)
{
    struct vmm_virtio_net *net = opaque;

    if (net->announce &&
        vmm_virtio_has(&net->device, VMM_VIRTIO_NET_F_GUEST_ANNOUNCE)) {
        net->status |= VMM_VIRTIO_NET_ANNOUNCE;
        vmm_virtio_config_changed(&net->device);
    }
    net->announce = false;
}

static const struct vmm_virtio_ops ops = {
    .id = VMM_VIRTIO_ID_NET,
    .name = "virtio-net",
    .get_config = get_config,
    .set_config = set_config,
    .set_features = set_features,
    .reset = reset,
    .process = process,
    .prepare = prepare,
    .dispatch = dispatch,
    .n_on_the_way = vmm_virtio_none_on_the_way,
    .paused = vmm_virtio_no_op,
    .resumed = resumed,
};

/* Those of QEMU for such a backend. */
static uint64_t offered(const struct vmm_net_backend *backend)
{
    uint64_t features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_MAC) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GSO) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_MRG_RXBUF) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_STATUS) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_VQ) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_RX) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_VLAN) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_RX_EXTRA) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_ANNOUNCE) |
                        VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_MAC);
    uint64_t ufo = VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_UFO) |
                   VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_HOST_UFO);

    if (!backend->vnet_header) {
        return features;
    }
    features |= VMM_VIRTIO_NET_GUEST_OFFLOADS | ufo |
                VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CSUM) |
                VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_HOST_TSO4) |
                VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_HOST_TSO6) |
                VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_HOST_ECN);
    return backend->has_ufo ? features : features & ~ufo;
}

int vmm_virtio_net_init(struct vmm_virtio_net *net,
                        const struct vmm_virtio_net_config *config,
                        struct gw_error **errp)
{
    struct vmm_virtio_config virtio = config->virtio;
    int r;

    memset(net, 0, sizeof(*net));
    r = vmm_net_open(&net->backend, &config->net, errp);
    if (r < 0) {
        return r;
    }
    virtio.features = offered(&net->backend);
    virtio.config_bytes = CONFIG_BYTES;
    r = vmm_virtio_init(&net->device, &ops, net, &virtio, errp);
    if (r < 0) {
        vmm_net_close(&net->backend);
        return r;
    }
    vmm_virtio_add_queue(&net->device, DATA_ENTRIES);
    vmm_virtio_add_queue(&net->device, DATA_ENTRIES);
    vmm_virtio_add_queue(&net->device, CONTROL_ENTRIES);
    memcpy(net->own_mac, config->net.mac, VMM_MAC_BYTES);
    reset(net);
    return 0;
}

void vmm_virtio_net_deinit(struct vmm_virtio_net *net)
{
    vmm_virtio_deinit(&net->device);
    vmm_net_close(&net->backend);
}
