/*
 * virtio-vsock: connections between programs of the guest and of the host,
 * without the host's vhost driver. Its state is that of QEMU's
 * vhost-vsock-device.
 */
#ifndef VMM_VIRTIO_VSOCK_H
#define VMM_VIRTIO_VSOCK_H

#include "virtio.h"
#include "virtio_vsock_host.h"
#include "virtio_vsock_packet.h"
#include "virtio_vsock_table.h"

/* Addresses: of the host; the first that a guest can have. */
#define VMM_VSOCK_HOST_CID 2u
#define VMM_VSOCK_FIRST_CID 3u

/* The most data of a packet to the guest. */
#define VMM_VSOCK_DATA_MAX (64u << 10)
/* Refusals that wait for a buffer; no packet is taken while there are more. */
#define VMM_VSOCK_REFUSALS_MAX 64u

struct vmm_virtio_vsock_config {
    struct vmm_virtio_config virtio;
    /* The guest's address. */
    uint32_t cid;
    const char *path;
};

struct vmm_virtio_vsock {
    struct vmm_virtio device;
    uint32_t cid;
    struct vmm_listener host;
    struct vmm_vsock_table table;
    /* Answers to packets that belong to no connection. */
    struct vmm_vsock_packet refusals[VMM_VSOCK_REFUSALS_MAX];
    unsigned int n_refusals;
    /* The guest has come from elsewhere and is to know: all that it was
     * connected to is gone. */
    bool event_due;
    /* Buffers were given back that the guest has not been told of. */
    bool filled;
    /* A packet. */
    uint8_t packet[VMM_VSOCK_HEADER_BYTES + VMM_VSOCK_DATA_MAX];
};

extern const struct gw_vmstate vmm_virtio_vsock_vmstate;

int vmm_virtio_vsock_init(struct vmm_virtio_vsock *vsock,
                          const struct vmm_virtio_vsock_config *config,
                          struct gw_error **errp) GW_MUST_CHECK;
/* Ends the connections. */
void vmm_virtio_vsock_deinit(struct vmm_virtio_vsock *vsock);

/* --- For its parts, with the device's lock held --- */

#define VMM_VIRTIO_VSOCK_QUEUE_RX 0u
#define VMM_VIRTIO_VSOCK_QUEUE_TX 1u
#define VMM_VIRTIO_VSOCK_QUEUE_EVENT 2u

/*
 * A packet of the guest; its data is in the device's chain, all of it. There
 * is room for a refusal.
 */
void vmm_virtio_vsock_take(struct vmm_virtio_vsock *vsock,
                           const struct vmm_vsock_packet *packet);
/* Sends what is due to the guest, and interrupts it. */
void vmm_virtio_vsock_flush(struct vmm_virtio_vsock *vsock);
/* One packet; false if there is nothing to send, or no buffer for it. */
bool vmm_virtio_vsock_send_data(struct vmm_virtio_vsock *vsock,
                                struct vmm_vsock_connection *connection);
/* Forgets all connections. */
void vmm_virtio_vsock_clear(struct vmm_virtio_vsock *vsock);

#endif
