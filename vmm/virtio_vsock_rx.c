/*
 * Packets to the guest: what is due, as far as it has buffers, and the data of
 * programs.
 */
#include "virtio_vsock.h"

#include <linux/virtio_vsock.h>
#include <string.h>

#include "util.h"

#define QUEUE_RX VMM_VIRTIO_VSOCK_QUEUE_RX
#define QUEUE_TX VMM_VIRTIO_VSOCK_QUEUE_TX

/* Takes a buffer with room for a header and for so many bytes at least. */
static bool take_buffer(struct vmm_virtio_vsock *vsock, size_t least,
                        size_t *ret_room)
{
    struct vmm_virtio *device = &vsock->device;
    size_t room;

    if (!vmm_virtio_pop(device, QUEUE_RX, &device->chain)) {
        return false;
    }
    if (device->chain.in_bytes < VMM_VSOCK_HEADER_BYTES + least) {
        vmm_virtio_break(&vsock->device, "a buffer without room for a packet");
        return false;
    }
    room = device->chain.in_bytes - VMM_VSOCK_HEADER_BYTES;
    *ret_room = room < VMM_VSOCK_DATA_MAX ? room : VMM_VSOCK_DATA_MAX;
    return true;
}

static void put_buffer_back(struct vmm_virtio_vsock *vsock)
{
    vmm_virtio_queue_unpop(&vsock->device.queues[QUEUE_RX]);
}

/* Fills the buffer that was taken; the data is in vsock->packet. */
static void fill_buffer(struct vmm_virtio_vsock *vsock,
                        const struct vmm_vsock_packet *packet)
{
    struct vmm_virtio *device = &vsock->device;
    size_t bytes = VMM_VSOCK_HEADER_BYTES + packet->len;

    vmm_vsock_packet_encode(packet, vsock->packet);
    vmm_virtio_chain_write(&device->chain, device->guest.memory, 0,
                           vsock->packet, bytes);
    vmm_virtio_push(device, QUEUE_RX, device->chain.head, (uint32_t)bytes);
    vsock->filled = true;
}

static void fill_for(struct vmm_virtio_vsock *vsock,
                     struct vmm_vsock_connection *connection,
                     struct vmm_vsock_packet *packet)
{
    packet->src_cid = VMM_VSOCK_HOST_CID;
    packet->dst_cid = vsock->cid;
    vmm_vsock_connection_stamp(connection, packet);
    fill_buffer(vsock, packet);
}

/* The connection has ended when its reset is on its way. */
static void send_due(struct vmm_virtio_vsock *vsock,
                     struct vmm_vsock_connection *connection)
{
    struct vmm_vsock_packet packet;

    if (!vmm_vsock_connection_take(connection, &packet)) {
        return;
    }
    fill_for(vsock, connection, &packet);
    if (packet.op == VIRTIO_VSOCK_OP_RST) {
        vmm_vsock_connection_free(connection);
    }
}

static void send_refusal(struct vmm_virtio_vsock *vsock)
{
    fill_buffer(vsock, &vsock->refusals[0]);
    vsock->n_refusals--;
    memmove(&vsock->refusals[0], &vsock->refusals[1],
            vsock->n_refusals * sizeof(vsock->refusals[0]));
}

/* What is due, as far as there are buffers; true if something is left. */
static bool send_all_due(struct vmm_virtio_vsock *vsock)
{
    bool stalled = vsock->n_refusals == VMM_VSOCK_REFUSALS_MAX;
    struct vmm_vsock_connection *connection;
    bool left;
    size_t room;

    for (;;) {
        connection = vmm_vsock_table_next_due(&vsock->table);
        left = vsock->n_refusals > 0 || connection;
        if (!left || !take_buffer(vsock, 0, &room)) {
            break;
        }
        if (vsock->n_refusals > 0) {
            send_refusal(vsock);
        } else {
            send_due(vsock, connection);
        }
    }
    if (stalled && vsock->n_refusals < VMM_VSOCK_REFUSALS_MAX) {
        vmm_virtio_kick(&vsock->device, QUEUE_TX);
    }
    return left;
}

/* The guest may have added a buffer before it knew that we want to be told. */
void vmm_virtio_vsock_flush(struct vmm_virtio_vsock *vsock)
{
    struct vmm_virtio *device = &vsock->device;

    while (send_all_due(vsock) && vmm_virtio_is_live(device) &&
           vmm_virtio_queue_set_notify(&device->queues[QUEUE_RX],
                                       &device->guest, true)) {
        continue;
    }
    if (vsock->filled) {
        vsock->filled = false;
        vmm_virtio_interrupt(device, QUEUE_RX);
    }
}

bool vmm_virtio_vsock_send_data(struct vmm_virtio_vsock *vsock,
                                struct vmm_vsock_connection *connection)
{
    struct vmm_vsock_packet packet = {.op = VIRTIO_VSOCK_OP_RW};
    uint32_t credit = vmm_vsock_connection_credit(connection);
    size_t room;

    if (!take_buffer(vsock, 1, &room)) {
        return false;
    }
    packet.len = (uint32_t)vmm_vsock_connection_receive(
        connection, vsock->packet + VMM_VSOCK_HEADER_BYTES,
        room < credit ? room : credit);
    if (packet.len == 0) {
        put_buffer_back(vsock);
        return false;
    }
    connection->tx_cnt += packet.len;
    fill_for(vsock, connection, &packet);
    return true;
}
