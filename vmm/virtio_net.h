/*
 * virtio-net: a network card with one pair of queues and a control queue.
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include "net_backend.h"
#include "virtio.h"

#define VMM_VIRTIO_NET_MACS_MAX 64
#define VMM_VIRTIO_NET_VLAN_BYTES 512
#define VMM_MAC_BYTES 6
#define VMM_VIRTIO_NET_QUEUE_TX 1

struct vmm_virtio_net_config {
    struct vmm_virtio_config virtio;
    struct vmm_net_config net;
};

/* What the guest wants to receive; moves. */
struct vmm_virtio_net_filter {
    uint8_t promisc;
    uint8_t allmulti;
    uint8_t alluni;
    uint8_t nomulti;
    uint8_t nouni;
    uint8_t nobcast;
    /* More addresses were set than there is room for. */
    uint8_t multi_overflow;
    uint8_t uni_overflow;
    /* Single stations, then groups. */
    uint32_t n_macs;
    uint8_t macs[VMM_VIRTIO_NET_MACS_MAX * VMM_MAC_BYTES];
    /* Bit n of byte n / 8: VLAN n. */
    uint8_t vlans[VMM_VIRTIO_NET_VLAN_BYTES];
};

struct vmm_virtio_net {
    struct vmm_virtio device;
    struct vmm_net_backend backend;
    /* The card's own address, and the one that the guest gave it. */
    uint8_t own_mac[VMM_MAC_BYTES];
    uint8_t mac[VMM_MAC_BYTES];
    uint16_t status;
    struct vmm_virtio_net_filter filter;
    uint64_t guest_offloads;
    /* A frame that came in and found no buffer; 0: none. */
    size_t held_bytes;
    uint8_t frame[VMM_NET_FRAME_MAX];
    /* The state came in: the network is to be told where the guest is. */
    bool announce;

    /* --- what is sent of the above in another form --- */
    uint32_t tx_waiting;
    uint32_t mergeable;
    uint32_t has_vnet_header;
    uint8_t has_ufo;
};

extern const struct gw_vmstate vmm_virtio_net_vmstate;

int vmm_virtio_net_init(struct vmm_virtio_net *net,
                        const struct vmm_virtio_net_config *config,
                        struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_net_deinit(struct vmm_virtio_net *net);

/* --- Parts --- */

/* Everything for us, as after a reset. */
void vmm_virtio_net_filter_reset(struct vmm_virtio_net_filter *filter);
/* Whether the guest wants a frame, for its address. */
bool vmm_virtio_net_filter_accepts(const struct vmm_virtio_net_filter *filter,
                                   const uint8_t mac[VMM_MAC_BYTES],
                                   const uint8_t *frame, size_t bytes);
/* A command of the control queue; true if it was obeyed. */
bool vmm_virtio_net_command(struct vmm_virtio_net *net,
                            const struct vmm_virtio_chain *chain);
/* Tells the backend what may come in. */
void vmm_virtio_net_apply_offloads(struct vmm_virtio_net *net);

#define VMM_VIRTIO_NET_F_CSUM 0
#define VMM_VIRTIO_NET_F_GUEST_CSUM 1
#define VMM_VIRTIO_NET_F_CTRL_GUEST_OFFLOADS 2
#define VMM_VIRTIO_NET_F_MAC 5
#define VMM_VIRTIO_NET_F_GSO 6
#define VMM_VIRTIO_NET_F_GUEST_TSO4 7
#define VMM_VIRTIO_NET_F_GUEST_TSO6 8
#define VMM_VIRTIO_NET_F_GUEST_ECN 9
#define VMM_VIRTIO_NET_F_GUEST_UFO 10
#define VMM_VIRTIO_NET_F_HOST_TSO4 11
#define VMM_VIRTIO_NET_F_HOST_TSO6 12
#define VMM_VIRTIO_NET_F_HOST_ECN 13
#define VMM_VIRTIO_NET_F_HOST_UFO 14
#define VMM_VIRTIO_NET_F_MRG_RXBUF 15
#define VMM_VIRTIO_NET_F_STATUS 16
#define VMM_VIRTIO_NET_F_CTRL_VQ 17
#define VMM_VIRTIO_NET_F_CTRL_RX 18
#define VMM_VIRTIO_NET_F_CTRL_VLAN 19
#define VMM_VIRTIO_NET_F_CTRL_RX_EXTRA 20
#define VMM_VIRTIO_NET_F_GUEST_ANNOUNCE 21
#define VMM_VIRTIO_NET_F_CTRL_MAC 23

#define VMM_VIRTIO_NET_LINK_UP 1u
#define VMM_VIRTIO_NET_ANNOUNCE 2u

/* Features that say what may come in. */
#define VMM_VIRTIO_NET_GUEST_OFFLOADS              \
    (VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_CSUM) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_TSO4) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_TSO6) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_ECN) |  \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_UFO))

#endif
