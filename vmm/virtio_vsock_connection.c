/*
 * Credit: each side may send what the other has room for, by the last packet
 * of the other (VIRTIO 1.2, 5.10.6.3). Counters wrap; only differences mean
 * something, and the guest's may mean anything.
 */
#include "virtio_vsock_connection.h"

#include <errno.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"

#define SECOND_NS INT64_C(1000000000)
/* Those of Linux for connecting and closing. */
#define REQUEST_TIMEOUT_NS (2 * SECOND_NS)
#define CLOSE_TIMEOUT_NS (8 * SECOND_NS)
/* A program that says nothing, or takes nothing, holds a place. */
#define GREETING_TIMEOUT_NS (10 * SECOND_NS)
#define DRAIN_TIMEOUT_NS (30 * SECOND_NS)
/* The guest is told of room when it knows of less than half. */
#define LOW_BYTES (VMM_VSOCK_BUFFER_BYTES / 2)
#define STEP_BYTES (VMM_VSOCK_BUFFER_BYTES / 4)
#define SHUTDOWN_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

void vmm_vsock_connection_wait(struct vmm_vsock_connection *connection,
                               int64_t now_ns)
{
    static const int64_t timeouts_ns[] = {
        [VMM_VSOCK_FREE] = 0,
        [VMM_VSOCK_GREETING] = GREETING_TIMEOUT_NS,
        [VMM_VSOCK_REQUESTED] = REQUEST_TIMEOUT_NS,
        [VMM_VSOCK_OPEN] = 0,
        [VMM_VSOCK_CLOSING] = CLOSE_TIMEOUT_NS,
        [VMM_VSOCK_DRAINING] = DRAIN_TIMEOUT_NS,
    };
    int64_t timeout_ns = timeouts_ns[connection->state];

    connection->deadline_ns = timeout_ns ? now_ns + timeout_ns : 0;
}

static void enter(struct vmm_vsock_connection *connection,
                  enum vmm_vsock_state state, int64_t now_ns)
{
    connection->state = state;
    vmm_vsock_connection_wait(connection, now_ns);
}

void vmm_vsock_connection_begin(struct vmm_vsock_connection *connection,
                                enum vmm_vsock_state state, int fd,
                                int64_t now_ns)
{
    *connection = (struct vmm_vsock_connection){.fd = fd};
    enter(connection, state, now_ns);
}

static void drop_output(struct vmm_vsock_connection *connection)
{
    free(connection->out);
    connection->out = NULL;
    connection->out_at = connection->out_bytes = 0;
}

static void close_socket(struct vmm_vsock_connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
    }
    connection->fd = -1;
    connection->watched_in = connection->watched_out = false;
    drop_output(connection);
}

void vmm_vsock_connection_free(struct vmm_vsock_connection *connection)
{
    if (connection->state != VMM_VSOCK_FREE) {
        close_socket(connection);
    }
    *connection = (struct vmm_vsock_connection){.fd = -1};
}

/* --- What the guest is told --- */

static uint32_t shutdown_flags(const struct vmm_vsock_connection *connection)
{
    if (connection->state == VMM_VSOCK_CLOSING) {
        return SHUTDOWN_BOTH;
    }
    return (connection->host_ended ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0u) |
           (connection->host_deaf ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0u);
}

bool vmm_vsock_connection_take(struct vmm_vsock_connection *connection,
                               struct vmm_vsock_packet *ret_packet)
{
    /* What opens a connection comes first, what ends it last. */
    static const uint16_t ops[] = {
        VIRTIO_VSOCK_OP_REQUEST,       VIRTIO_VSOCK_OP_RESPONSE,
        VIRTIO_VSOCK_OP_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_REQUEST,
        VIRTIO_VSOCK_OP_SHUTDOWN,      VIRTIO_VSOCK_OP_RST,
    };

    for (size_t i = 0; i < VMM_ARRAY_SIZE(ops); i++) {
        if (connection->due & (1u << ops[i])) {
            connection->due &= ~(1u << ops[i]);
            *ret_packet = (struct vmm_vsock_packet){.op = ops[i]};
            if (ops[i] == VIRTIO_VSOCK_OP_SHUTDOWN) {
                ret_packet->flags = shutdown_flags(connection);
            }
            return true;
        }
    }
    return false;
}

void vmm_vsock_connection_stamp(struct vmm_vsock_connection *connection,
                                struct vmm_vsock_packet *packet)
{
    packet->type = VIRTIO_VSOCK_TYPE_STREAM;
    packet->src_port = connection->host_port;
    packet->dst_port = connection->guest_port;
    packet->buf_alloc = VMM_VSOCK_BUFFER_BYTES;
    packet->fwd_cnt = connection->fwd_cnt;
    connection->told_fwd_cnt = connection->fwd_cnt;
    connection->due &= ~(1u << VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

void vmm_vsock_connection_update(struct vmm_vsock_connection *connection,
                                 const struct vmm_vsock_packet *packet)
{
    connection->peer_buf_alloc = packet->buf_alloc;
    connection->peer_fwd_cnt = packet->fwd_cnt;
    if (vmm_vsock_connection_credit(connection) > 0) {
        connection->asked = false;
    }
}

uint32_t
vmm_vsock_connection_credit(const struct vmm_vsock_connection *connection)
{
    uint32_t held = connection->tx_cnt - connection->peer_fwd_cnt;

    return held < connection->peer_buf_alloc ? connection->peer_buf_alloc - held
                                             : 0;
}

/* --- To the program --- */

/* A guest that could only just send on is told early enough. */
static void forwarded(struct vmm_vsock_connection *connection, size_t n)
{
    uint32_t news;

    connection->fwd_cnt += (uint32_t)n;
    news = connection->fwd_cnt - connection->told_fwd_cnt;
    if (news > 0 && connection->state == VMM_VSOCK_OPEN &&
        connection->rx_cnt - connection->told_fwd_cnt > LOW_BYTES &&
        (news >= STEP_BYTES || connection->out_bytes == 0)) {
        vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
    }
}

/* Nobody will read it: what comes from now on is taken and forgotten. */
static void lose_reader(struct vmm_vsock_connection *connection)
{
    size_t lost = connection->out_bytes;

    drop_output(connection);
    connection->host_deaf = true;
    forwarded(connection, lost);
    if (connection->state == VMM_VSOCK_OPEN) {
        vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_SHUTDOWN);
    }
}

/* As much as goes now. */
static size_t write_some(struct vmm_vsock_connection *connection,
                         const uint8_t *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t part = send(connection->fd, bytes + done, n - done,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (part >= 0) {
            done += (size_t)part;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            lose_reader(connection);
            break;
        }
    }
    return done;
}

static bool keep(struct vmm_vsock_connection *connection, const uint8_t *bytes,
                 size_t n)
{
    if (n == 0) {
        return true;
    }
    if (!connection->out) {
        connection->out = malloc(VMM_VSOCK_BUFFER_BYTES);
        if (!connection->out) {
            return false;
        }
    }
    if (connection->out_at + connection->out_bytes + n >
        VMM_VSOCK_BUFFER_BYTES) {
        memmove(connection->out, connection->out + connection->out_at,
                connection->out_bytes);
        connection->out_at = 0;
    }
    memcpy(connection->out + connection->out_at + connection->out_bytes, bytes,
           n);
    connection->out_bytes += n;
    return true;
}

bool vmm_vsock_connection_send(struct vmm_vsock_connection *connection,
                               const uint8_t *bytes, size_t n)
{
    uint32_t held = connection->rx_cnt - connection->fwd_cnt;
    size_t done = 0;

    if (connection->guest_ended || n > VMM_VSOCK_BUFFER_BYTES - held) {
        return false;
    }
    connection->rx_cnt += (uint32_t)n;
    if (!connection->host_deaf && connection->out_bytes == 0) {
        done = write_some(connection, bytes, n);
        forwarded(connection, done);
    }
    if (connection->host_deaf) {
        forwarded(connection, n - done);
        return true;
    }
    return keep(connection, bytes + done, n - done);
}

/* The guest's end reaches the program behind its data. */
static void pass_end(struct vmm_vsock_connection *connection)
{
    if (connection->guest_ended && connection->out_bytes == 0) {
        shutdown(connection->fd, SHUT_WR);
    }
}

void vmm_vsock_connection_flush(struct vmm_vsock_connection *connection)
{
    size_t n =
        connection->out_bytes
            ? write_some(connection, connection->out + connection->out_at,
                         connection->out_bytes)
            : 0;

    if (connection->host_deaf || n == 0) {
        return;
    }
    connection->out_at += n;
    connection->out_bytes -= n;
    if (connection->out_bytes == 0) {
        drop_output(connection);
    }
    forwarded(connection, n);
    pass_end(connection);
}

/* --- From the program --- */

size_t vmm_vsock_connection_receive(struct vmm_vsock_connection *connection,
                                    uint8_t *bytes, size_t max)
{
    ssize_t n = recv(connection->fd, bytes, max, MSG_DONTWAIT);

    if (n > 0) {
        return (size_t)n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    connection->host_ended = true;
    vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_SHUTDOWN);
    return 0;
}

/* --- The end --- */

void vmm_vsock_connection_shutdown(struct vmm_vsock_connection *connection,
                                   uint32_t flags)
{
    if (flags & VIRTIO_VSOCK_SHUTDOWN_SEND) {
        connection->guest_ended = true;
        pass_end(connection);
    }
    if ((flags & VIRTIO_VSOCK_SHUTDOWN_RCV) && !connection->guest_deaf) {
        connection->guest_deaf = true;
        shutdown(connection->fd, SHUT_RD);
    }
}

void vmm_vsock_connection_hang_up(struct vmm_vsock_connection *connection,
                                  int64_t now_ns)
{
    close_socket(connection);
    enter(connection, VMM_VSOCK_CLOSING, now_ns);
    vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_SHUTDOWN);
}

void vmm_vsock_connection_finish(struct vmm_vsock_connection *connection,
                                 int64_t now_ns)
{
    if (connection->out_bytes == 0 || connection->host_deaf) {
        vmm_vsock_connection_free(connection);
        return;
    }
    connection->due = 0;
    connection->guest_ended = connection->guest_deaf = true;
    enter(connection, VMM_VSOCK_DRAINING, now_ns);
}

/* --- Interest --- */

bool vmm_vsock_connection_reads(const struct vmm_vsock_connection *connection)
{
    if (connection->state == VMM_VSOCK_GREETING) {
        return true;
    }
    return connection->state == VMM_VSOCK_OPEN && !connection->host_ended &&
           !connection->guest_deaf &&
           vmm_vsock_connection_credit(connection) > 0;
}

/* Where nothing is read any more, the end shows as EPOLLHUP, unasked for. */
bool vmm_vsock_connection_watches(const struct vmm_vsock_connection *connection,
                                  uint32_t *ret_events)
{
    bool ended = connection->host_ended || connection->guest_deaf;

    *ret_events = connection->out_bytes ? (uint32_t)EPOLLOUT : 0;
    return connection->fd >= 0 &&
           (connection->out_bytes > 0 ||
            (connection->state == VMM_VSOCK_OPEN && ended));
}
