/*
 * Packets of the socket device (VIRTIO 1.2, 5.10.6): a header of 44 bytes,
 * then data. Pure functions; what the values may be is for others to say.
 */
#ifndef VMM_VIRTIO_VSOCK_PACKET_H
#define VMM_VIRTIO_VSOCK_PACKET_H

#include <stdint.h>

#define VMM_VSOCK_HEADER_BYTES 44u

struct vmm_vsock_packet {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    /* Bytes of data behind the header. */
    uint32_t len;
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    /* The sender's room for data, and what it has taken out of it so far. */
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
};

void vmm_vsock_packet_decode(const uint8_t bytes[VMM_VSOCK_HEADER_BYTES],
                             struct vmm_vsock_packet *ret_packet);
void vmm_vsock_packet_encode(const struct vmm_vsock_packet *packet,
                             uint8_t ret_bytes[VMM_VSOCK_HEADER_BYTES]);

/* The answer that there is no such connection. */
struct vmm_vsock_packet
vmm_vsock_packet_refusal(const struct vmm_vsock_packet *packet);

#endif
