/*
 * What the guest wants to receive: commands that say it (VIRTIO 1.2, 5.1.6.5)
 * and the filter that obeys.
 */
#include "virtio_net.h"

#include <string.h>

#include "util.h"

#define CLASS_RX 0
#define CLASS_MAC 1
#define CLASS_VLAN 2
#define CLASS_ANNOUNCE 3
#define CLASS_OFFLOADS 5

#define MAC_TABLE 0
#define MAC_ADDRESS 1
#define VLAN_ADD 0
#define VLAN_DELETE 1
#define ANNOUNCE_ACK 0
#define OFFLOADS_SET 0

#define HEAD_BYTES 2
#define VLANS 4096

/* Of an Ethernet frame. */
#define TYPE_AT 12
#define TYPE_VLAN 0x8100
#define MIN_HEADER 14

void vmm_virtio_net_filter_reset(struct vmm_virtio_net_filter *filter)
{
    memset(filter, 0, sizeof(*filter));
    filter->promisc = 1;
    memset(filter->vlans, 0xff, sizeof(filter->vlans));
}

static bool wants_vlan(const struct vmm_virtio_net_filter *filter,
                       const uint8_t *frame, size_t bytes)
{
    unsigned int vlan;

    if (bytes < TYPE_AT + 4 ||
        (frame[TYPE_AT] << 8 | frame[TYPE_AT + 1]) != TYPE_VLAN) {
        return true;
    }
    vlan = (unsigned int)(frame[TYPE_AT + 2] << 8 | frame[TYPE_AT + 3]) &
           (VLANS - 1);
    return filter->vlans[vlan / 8] & 1u << vlan % 8;
}

/*
 * Groups and stations are told apart by the address itself. A load that
 * failed may have left any count.
 */
static bool is_listed(const struct vmm_virtio_net_filter *filter,
                      const uint8_t *frame)
{
    for (uint32_t i = 0; i < filter->n_macs && i < VMM_VIRTIO_NET_MACS_MAX;
         i++) {
        if (memcmp(filter->macs + (size_t)VMM_MAC_BYTES * i, frame,
                   VMM_MAC_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

bool vmm_virtio_net_filter_accepts(const struct vmm_virtio_net_filter *filter,
                                   const uint8_t mac[VMM_MAC_BYTES],
                                   const uint8_t *frame, size_t bytes)
{
    static const uint8_t everyone[VMM_MAC_BYTES] = {0xff, 0xff, 0xff,
                                                    0xff, 0xff, 0xff};

    if (filter->promisc) {
        return true;
    }
    if (bytes < MIN_HEADER || !wants_vlan(filter, frame, bytes)) {
        return false;
    }
    if (memcmp(frame, everyone, sizeof(everyone)) == 0) {
        return !filter->nobcast;
    }
    if (frame[0] & 1) {
        return !filter->nomulti &&
               (filter->allmulti || filter->multi_overflow ||
                is_listed(filter, frame));
    }
    return !filter->nouni &&
           (filter->alluni || filter->uni_overflow ||
            memcmp(frame, mac, VMM_MAC_BYTES) == 0 || is_listed(filter, frame));
}

static bool set_mode(struct vmm_virtio_net *net, uint8_t command, uint8_t value)
{
    struct vmm_virtio_net_filter *filter = &net->filter;
    uint8_t *const modes[] = {&filter->promisc, &filter->allmulti,
                              &filter->alluni,  &filter->nomulti,
                              &filter->nouni,   &filter->nobcast};

    if (command >= VMM_ARRAY_SIZE(modes)) {
        return false;
    }
    *modes[command] = value;
    return true;
}

/* One table: count, addresses. Those without room mean "all". */
static bool read_macs(struct vmm_virtio_net_filter *filter,
                      const struct vmm_virtio_chain *chain, size_t *at,
                      uint8_t *overflow)
{
    uint8_t count[4];
    uint32_t n;

    if (vmm_virtio_chain_read(chain, *at, count, 4) != 4) {
        return false;
    }
    *at += 4;
    n = vmm_get_le32(count);
    if ((chain->out_bytes - *at) / VMM_MAC_BYTES < n) {
        return false;
    }
    if (n > VMM_VIRTIO_NET_MACS_MAX - filter->n_macs) {
        *overflow = 1;
    } else {
        vmm_virtio_chain_read(
            chain, *at, filter->macs + (size_t)VMM_MAC_BYTES * filter->n_macs,
            (size_t)VMM_MAC_BYTES * n);
        filter->n_macs += n;
    }
    *at += (size_t)VMM_MAC_BYTES * n;
    return true;
}

static bool set_table(struct vmm_virtio_net *net,
                      const struct vmm_virtio_chain *chain)
{
    struct vmm_virtio_net_filter filter = net->filter;
    size_t at = HEAD_BYTES;

    filter.n_macs = 0;
    filter.uni_overflow = filter.multi_overflow = 0;
    memset(filter.macs, 0, sizeof(filter.macs));
    if (!read_macs(&filter, chain, &at, &filter.uni_overflow) ||
        !read_macs(&filter, chain, &at, &filter.multi_overflow)) {
        return false;
    }
    net->filter = filter;
    return true;
}

static bool set_mac(struct vmm_virtio_net *net, uint8_t command,
                    const struct vmm_virtio_chain *chain)
{
    if (command == MAC_TABLE) {
        return set_table(net, chain);
    }
    return command == MAC_ADDRESS &&
           chain->out_bytes == HEAD_BYTES + VMM_MAC_BYTES &&
           vmm_virtio_chain_read(chain, HEAD_BYTES, net->mac, VMM_MAC_BYTES) ==
               VMM_MAC_BYTES;
}

static bool set_vlan(struct vmm_virtio_net *net, uint8_t command,
                     const struct vmm_virtio_chain *chain)
{
    uint8_t bytes[2];
    unsigned int vlan;

    if (vmm_virtio_chain_read(chain, HEAD_BYTES, bytes, 2) != 2) {
        return false;
    }
    vlan = vmm_get_le16(bytes);
    if (vlan >= VLANS || command > VLAN_DELETE) {
        return false;
    }
    if (command == VLAN_ADD) {
        net->filter.vlans[vlan / 8] |= (uint8_t)(1u << vlan % 8);
    } else {
        net->filter.vlans[vlan / 8] &= (uint8_t) ~(1u << vlan % 8);
    }
    return true;
}

static bool acknowledge(struct vmm_virtio_net *net, uint8_t command)
{
    if (command != ANNOUNCE_ACK || !(net->status & VMM_VIRTIO_NET_ANNOUNCE)) {
        return false;
    }
    net->status &= (uint16_t)~VMM_VIRTIO_NET_ANNOUNCE;
    return true;
}

static bool set_offloads(struct vmm_virtio_net *net, uint8_t command,
                         const struct vmm_virtio_chain *chain)
{
    uint8_t bytes[8];
    uint64_t wanted;

    if (command != OFFLOADS_SET ||
        !vmm_virtio_has(&net->device, VMM_VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
        vmm_virtio_chain_read(chain, HEAD_BYTES, bytes, 8) != 8) {
        return false;
    }
    wanted = vmm_get_le64(bytes);
    if (wanted &
        ~(net->device.guest.features & VMM_VIRTIO_NET_GUEST_OFFLOADS)) {
        return false;
    }
    net->guest_offloads = wanted;
    vmm_virtio_net_apply_offloads(net);
    return true;
}

bool vmm_virtio_net_command(struct vmm_virtio_net *net,
                            const struct vmm_virtio_chain *chain)
{
    uint8_t head[HEAD_BYTES];
    uint8_t value;

    if (vmm_virtio_chain_read(chain, 0, head, HEAD_BYTES) != HEAD_BYTES) {
        return false;
    }
    switch (head[0]) {
    case CLASS_RX:
        return vmm_virtio_chain_read(chain, HEAD_BYTES, &value, 1) == 1 &&
               set_mode(net, head[1], value);
    case CLASS_MAC:
        return set_mac(net, head[1], chain);
    case CLASS_VLAN:
        return set_vlan(net, head[1], chain);
    case CLASS_ANNOUNCE:
        return acknowledge(net, head[1]);
    case CLASS_OFFLOADS:
        return set_offloads(net, head[1], chain);
    default:
        return false;
    }
}

void vmm_virtio_net_apply_offloads(struct vmm_virtio_net *net)
{
    static const struct {
        unsigned int feature;
        unsigned int flag;
    } flags[] = {
        {VMM_VIRTIO_NET_F_GUEST_CSUM, VMM_NET_CSUM},
        {VMM_VIRTIO_NET_F_GUEST_TSO4, VMM_NET_TSO4},
        {VMM_VIRTIO_NET_F_GUEST_TSO6, VMM_NET_TSO6},
        {VMM_VIRTIO_NET_F_GUEST_ECN, VMM_NET_ECN},
        {VMM_VIRTIO_NET_F_GUEST_UFO, VMM_NET_UFO},
    };
    unsigned int wanted = 0;

    for (size_t i = 0; i < VMM_ARRAY_SIZE(flags); i++) {
        if (net->guest_offloads & VMM_VIRTIO_BIT(flags[i].feature)) {
            wanted |= flags[i].flag;
        }
    }
    vmm_net_set_offload(&net->backend, wanted);
}
