/*
 * Packets of the guest: what each means for the connection that it names.
 * What names none, or makes no sense, is answered with a reset; never a reset
 * itself.
 */
#include "virtio_vsock.h"

#include <linux/virtio_vsock.h>

#include "util.h"

#define SHUTDOWN_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

static void refuse(struct vmm_virtio_vsock *vsock,
                   const struct vmm_vsock_packet *packet)
{
    if (packet->op != VIRTIO_VSOCK_OP_RST &&
        vsock->n_refusals < VMM_VSOCK_REFUSALS_MAX) {
        vsock->refusals[vsock->n_refusals++] = vmm_vsock_packet_refusal(packet);
    }
}

/* The guest hears a reset, the program the end. */
static void end(struct vmm_virtio_vsock *vsock,
                struct vmm_vsock_connection *connection,
                const struct vmm_vsock_packet *packet)
{
    refuse(vsock, packet);
    vmm_vsock_connection_finish(connection, vmm_now_ns());
}

/* The guest connects. */
static void take_request(struct vmm_virtio_vsock *vsock,
                         const struct vmm_vsock_packet *packet)
{
    struct vmm_vsock_connection *connection =
        vmm_vsock_table_new(&vsock->table);
    int fd = connection ? vmm_vsock_host_connect(&vsock->host, packet->dst_port)
                        : -1;

    if (fd < 0) {
        refuse(vsock, packet);
        return;
    }
    vmm_vsock_connection_begin(connection, VMM_VSOCK_OPEN, fd, vmm_now_ns());
    connection->guest_port = packet->src_port;
    connection->host_port = packet->dst_port;
    vmm_vsock_connection_update(connection, packet);
    vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_RESPONSE);
    vmm_vsock_table_settle(&vsock->table, connection);
}

/* The guest accepts. */
static void take_response(struct vmm_virtio_vsock *vsock,
                          struct vmm_vsock_connection *connection,
                          const struct vmm_vsock_packet *packet)
{
    if (connection->state != VMM_VSOCK_REQUESTED ||
        !vmm_vsock_greeting_answer(connection->fd, connection->host_port)) {
        end(vsock, connection, packet);
        return;
    }
    connection->state = VMM_VSOCK_OPEN;
    connection->deadline_ns = 0;
}

static void take_data(struct vmm_virtio_vsock *vsock,
                      struct vmm_vsock_connection *connection,
                      const struct vmm_vsock_packet *packet)
{
    size_t at = VMM_VSOCK_HEADER_BYTES;
    size_t left = packet->len;
    bool fine = connection->state == VMM_VSOCK_OPEN;

    while (fine && left > 0) {
        size_t n = left < sizeof(vsock->packet) ? left : sizeof(vsock->packet);

        n = vmm_virtio_chain_read(&vsock->device.chain, at, vsock->packet, n);
        fine = n > 0 && vmm_vsock_connection_send(connection, vsock->packet, n);
        at += n;
        left -= n;
    }
    if (!fine) {
        end(vsock, connection, packet);
    }
}

static void take_shutdown(struct vmm_virtio_vsock *vsock,
                          struct vmm_vsock_connection *connection,
                          const struct vmm_vsock_packet *packet)
{
    if (connection->state == VMM_VSOCK_OPEN) {
        vmm_vsock_connection_shutdown(connection, packet->flags);
        if (!connection->guest_ended || !connection->guest_deaf) {
            return;
        }
    } else if (connection->state == VMM_VSOCK_CLOSING &&
               (packet->flags & SHUTDOWN_BOTH) != SHUTDOWN_BOTH) {
        return;
    }
    end(vsock, connection, packet);
}

static void take_other(struct vmm_virtio_vsock *vsock,
                       struct vmm_vsock_connection *connection,
                       const struct vmm_vsock_packet *packet)
{
    vmm_vsock_connection_update(connection, packet);
    switch (packet->op) {
    case VIRTIO_VSOCK_OP_RESPONSE:
        take_response(vsock, connection, packet);
        break;
    case VIRTIO_VSOCK_OP_RW:
        take_data(vsock, connection, packet);
        break;
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        take_shutdown(vsock, connection, packet);
        break;
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        break;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
        break;
    case VIRTIO_VSOCK_OP_RST:
    default:
        end(vsock, connection, packet);
        break;
    }
    vmm_vsock_table_settle(&vsock->table, connection);
}

void vmm_virtio_vsock_take(struct vmm_virtio_vsock *vsock,
                           const struct vmm_vsock_packet *packet)
{
    struct vmm_vsock_connection *connection;

    if (packet->src_cid != vsock->cid) {
        /* Someone else's name: there is nobody to answer to. */
        return;
    }
    if (packet->dst_cid != VMM_VSOCK_HOST_CID ||
        packet->type != VIRTIO_VSOCK_TYPE_STREAM) {
        refuse(vsock, packet);
        return;
    }
    connection =
        vmm_vsock_table_find(&vsock->table, packet->src_port, packet->dst_port);
    if (connection) {
        take_other(vsock, connection, packet);
    } else if (packet->op == VIRTIO_VSOCK_OP_REQUEST) {
        take_request(vsock, packet);
    } else {
        refuse(vsock, packet);
    }
}

void vmm_virtio_vsock_clear(struct vmm_virtio_vsock *vsock)
{
    vmm_vsock_table_clear(&vsock->table);
    vsock->n_refusals = 0;
    vsock->event_due = false;
}
