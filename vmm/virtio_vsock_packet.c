/*
 * The header, in little endian whatever the transport.
 */
#include "virtio_vsock_packet.h"

#include <linux/virtio_vsock.h>

#include "util.h"

#define AT_SRC_CID 0
#define AT_DST_CID 8
#define AT_SRC_PORT 16
#define AT_DST_PORT 20
#define AT_LEN 24
#define AT_TYPE 28
#define AT_OP 30
#define AT_FLAGS 32
#define AT_BUF_ALLOC 36
#define AT_FWD_CNT 40

_Static_assert(sizeof(struct virtio_vsock_hdr) == VMM_VSOCK_HEADER_BYTES,
               "header");

void vmm_vsock_packet_decode(const uint8_t bytes[VMM_VSOCK_HEADER_BYTES],
                             struct vmm_vsock_packet *ret_packet)
{
    *ret_packet = (struct vmm_vsock_packet){
        .src_cid = vmm_get_le64(bytes + AT_SRC_CID),
        .dst_cid = vmm_get_le64(bytes + AT_DST_CID),
        .src_port = vmm_get_le32(bytes + AT_SRC_PORT),
        .dst_port = vmm_get_le32(bytes + AT_DST_PORT),
        .len = vmm_get_le32(bytes + AT_LEN),
        .type = vmm_get_le16(bytes + AT_TYPE),
        .op = vmm_get_le16(bytes + AT_OP),
        .flags = vmm_get_le32(bytes + AT_FLAGS),
        .buf_alloc = vmm_get_le32(bytes + AT_BUF_ALLOC),
        .fwd_cnt = vmm_get_le32(bytes + AT_FWD_CNT),
    };
}

void vmm_vsock_packet_encode(const struct vmm_vsock_packet *packet,
                             uint8_t ret_bytes[VMM_VSOCK_HEADER_BYTES])
{
    vmm_put_le64(ret_bytes + AT_SRC_CID, packet->src_cid);
    vmm_put_le64(ret_bytes + AT_DST_CID, packet->dst_cid);
    vmm_put_le32(ret_bytes + AT_SRC_PORT, packet->src_port);
    vmm_put_le32(ret_bytes + AT_DST_PORT, packet->dst_port);
    vmm_put_le32(ret_bytes + AT_LEN, packet->len);
    vmm_put_le16(ret_bytes + AT_TYPE, packet->type);
    vmm_put_le16(ret_bytes + AT_OP, packet->op);
    vmm_put_le32(ret_bytes + AT_FLAGS, packet->flags);
    vmm_put_le32(ret_bytes + AT_BUF_ALLOC, packet->buf_alloc);
    vmm_put_le32(ret_bytes + AT_FWD_CNT, packet->fwd_cnt);
}

struct vmm_vsock_packet
vmm_vsock_packet_refusal(const struct vmm_vsock_packet *packet)
{
    return (struct vmm_vsock_packet){.src_cid = packet->dst_cid,
                                     .dst_cid = packet->src_cid,
                                     .src_port = packet->dst_port,
                                     .dst_port = packet->src_port,
                                     .type = packet->type,
                                     .op = VIRTIO_VSOCK_OP_RST};
}
