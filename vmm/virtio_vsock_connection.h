/*
 * One connection of the socket device: its socket on the host, what each side
 * may still send, and the packets that are due to the guest. Knows nothing of
 * queues.
 *
 *   GREETING   a program has connected and has not said to which port
 *   REQUESTED  the guest was asked, and has not answered
 *   OPEN       data both ways
 *   CLOSING    the program is gone; the guest has been told, or will be
 *   DRAINING   the guest is gone; the program gets what is left
 */
#ifndef VMM_VIRTIO_VSOCK_CONNECTION_H
#define VMM_VIRTIO_VSOCK_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio_vsock_host.h"
#include "virtio_vsock_packet.h"

/* What the guest may send before a program has taken it; Linux's choice. */
#define VMM_VSOCK_BUFFER_BYTES (256u << 10)

enum vmm_vsock_state {
    VMM_VSOCK_FREE,
    VMM_VSOCK_GREETING,
    VMM_VSOCK_REQUESTED,
    VMM_VSOCK_OPEN,
    VMM_VSOCK_CLOSING,
    VMM_VSOCK_DRAINING,
};

struct vmm_vsock_connection {
    enum vmm_vsock_state state;
    int fd;
    uint32_t guest_port;
    uint32_t host_port;
    struct vmm_vsock_greeting greeting;
    /* Bit per operation: packets that are due to the guest. */
    uint32_t due;
    /* CLOCK_MONOTONIC, when patience ends; 0 for never. */
    int64_t deadline_ns;

    /* --- to the guest --- */
    /* The guest's room, what it has taken, and what was sent. */
    uint32_t peer_buf_alloc;
    uint32_t peer_fwd_cnt;
    uint32_t tx_cnt;
    /* It was asked for more room. */
    bool asked;
    /* The program sends no more; the guest takes no more. */
    bool host_ended;
    bool guest_deaf;

    /* --- to the program --- */
    /* What came in, what the program has got, and what the guest knows of. */
    uint32_t rx_cnt;
    uint32_t fwd_cnt;
    uint32_t told_fwd_cnt;
    /* The guest sends no more; the program takes no more. */
    bool guest_ended;
    bool host_deaf;
    /* What the socket did not take; NULL when there is nothing. */
    uint8_t *out;
    size_t out_at;
    size_t out_bytes;

    /* --- interest of the device's two sets, as they know it --- */
    bool watched_in;
    bool watched_out;
    uint32_t out_events;
};

/* Becomes one in that state, for a socket, which it owns from now on. */
void vmm_vsock_connection_begin(struct vmm_vsock_connection *connection,
                                enum vmm_vsock_state state, int fd,
                                int64_t now_ns);
/* Whatever state it is in. The sets forget the socket as it closes. */
void vmm_vsock_connection_free(struct vmm_vsock_connection *connection);

static inline bool
vmm_vsock_connection_matches(const struct vmm_vsock_connection *connection,
                             uint32_t guest_port, uint32_t host_port)
{
    return connection->state >= VMM_VSOCK_REQUESTED &&
           connection->state <= VMM_VSOCK_CLOSING &&
           connection->guest_port == guest_port &&
           connection->host_port == host_port;
}

/* A packet with that operation is due. */
static inline void
vmm_vsock_connection_owe(struct vmm_vsock_connection *connection, uint16_t op)
{
    connection->due |= 1u << op;
}

/* The next packet that is due, without addresses; false if none is. */
bool vmm_vsock_connection_take(struct vmm_vsock_connection *connection,
                               struct vmm_vsock_packet *ret_packet);
/* Fills in what each packet says: ports, room. The guest knows it then. */
void vmm_vsock_connection_stamp(struct vmm_vsock_connection *connection,
                                struct vmm_vsock_packet *packet);

/* What the guest says of its room, in each packet. */
void vmm_vsock_connection_update(struct vmm_vsock_connection *connection,
                                 const struct vmm_vsock_packet *packet);
/* Bytes that the guest has room for. */
uint32_t
vmm_vsock_connection_credit(const struct vmm_vsock_connection *connection);

/*
 * Data of the guest, to the socket or into the buffer. False if the guest has
 * sent more than it may, or there is no memory.
 */
bool vmm_vsock_connection_send(struct vmm_vsock_connection *connection,
                               const uint8_t *bytes, size_t n);
/* The socket is writable: what is in the buffer. */
void vmm_vsock_connection_flush(struct vmm_vsock_connection *connection);

/*
 * Data of the program, at most `max` bytes. 0 if there is none now, or none
 * any more.
 */
size_t vmm_vsock_connection_receive(struct vmm_vsock_connection *connection,
                                    uint8_t *bytes, size_t max);

/* The guest's half: bits of its SHUTDOWN. */
void vmm_vsock_connection_shutdown(struct vmm_vsock_connection *connection,
                                   uint32_t flags);
/* The program is gone, or is told that the guest is: the guest is told. */
void vmm_vsock_connection_hang_up(struct vmm_vsock_connection *connection,
                                  int64_t now_ns);
/* The guest is gone. */
void vmm_vsock_connection_finish(struct vmm_vsock_connection *connection,
                                 int64_t now_ns);

/* Patience starts anew: no time passes for a guest that is paused. */
void vmm_vsock_connection_wait(struct vmm_vsock_connection *connection,
                               int64_t now_ns);

/* Whether it wants to read; and the events of its output, or 0 with false. */
bool vmm_vsock_connection_reads(const struct vmm_vsock_connection *connection);
bool vmm_vsock_connection_watches(const struct vmm_vsock_connection *connection,
                                  uint32_t *ret_events);

#endif
