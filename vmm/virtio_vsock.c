/*
 * The queues of the socket device (VIRTIO 1.2, 5.10): packets from the guest
 * and to it, and one event. Limits on what a guest can make us hold: places
 * for connections, a buffer for each, and refusals that it does not fetch.
 */
#include "virtio_vsock.h"

#include <errno.h>
#include <linux/virtio_vsock.h>
#include <string.h>

#include "util.h"

#define QUEUE_RX VMM_VIRTIO_VSOCK_QUEUE_RX
#define QUEUE_TX VMM_VIRTIO_VSOCK_QUEUE_TX
#define QUEUE_EVENT VMM_VIRTIO_VSOCK_QUEUE_EVENT
/* As many as in QEMU. */
#define QUEUE_ENTRIES 128
#define CONFIG_BYTES 8
#define EVENT_BYTES 4
/* Packets of one connection before others have their turn. */
#define PACKETS_IN_A_ROW 16

#define POLL_IN 0
#define POLL_OUT 1
#define POLL_TIMER 2

static void get_config(void *opaque, uint8_t *config)
{
    const struct vmm_virtio_vsock *vsock = opaque;

    vmm_put_le64(config, vsock->cid);
}

static void reset(void *opaque)
{
    vmm_virtio_vsock_clear(opaque);
}

/* --- From the guest --- */

static bool read_header(struct vmm_virtio_vsock *vsock,
                        struct vmm_vsock_packet *ret_packet)
{
    const struct vmm_virtio_chain *chain = &vsock->device.chain;
    uint8_t header[VMM_VSOCK_HEADER_BYTES];

    if (vmm_virtio_chain_read(chain, 0, header, sizeof(header)) <
        sizeof(header)) {
        vmm_virtio_break(&vsock->device, "a packet without a header");
        return false;
    }
    vmm_vsock_packet_decode(header, ret_packet);
    if (ret_packet->len > chain->out_bytes - sizeof(header)) {
        vmm_virtio_break(&vsock->device,
                         "a packet that is longer than its buffer");
        return false;
    }
    return true;
}

static void process_tx(struct vmm_virtio_vsock *vsock)
{
    struct vmm_virtio *device = &vsock->device;
    unsigned int n_done = 0;

    while (vsock->n_refusals < VMM_VSOCK_REFUSALS_MAX &&
           vmm_virtio_next(device, QUEUE_TX, &n_done)) {
        struct vmm_vsock_packet packet;

        if (!read_header(vsock, &packet)) {
            return;
        }
        vmm_virtio_vsock_take(vsock, &packet);
        vmm_virtio_push(device, QUEUE_TX, device->chain.head, 0);
    }
    vmm_virtio_interrupt(device, QUEUE_TX);
}

/* --- Events --- */

static void send_event(struct vmm_virtio_vsock *vsock)
{
    struct vmm_virtio *device = &vsock->device;
    uint8_t event[EVENT_BYTES] = {0};
    size_t n;

    if (!vsock->event_due ||
        !vmm_virtio_pop(device, QUEUE_EVENT, &device->chain)) {
        return;
    }
    vmm_put_le32(event, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
    n = vmm_virtio_chain_write(&device->chain, device->guest.memory, 0, event,
                               sizeof(event));
    vmm_virtio_push(device, QUEUE_EVENT, device->chain.head, (uint32_t)n);
    vmm_virtio_interrupt(device, QUEUE_EVENT);
    vsock->event_due = false;
}

static void process(void *opaque, unsigned int queue)
{
    struct vmm_virtio_vsock *vsock = opaque;

    if (queue == QUEUE_TX) {
        process_tx(vsock);
    } else if (queue == QUEUE_EVENT) {
        send_event(vsock);
    }
    vmm_virtio_vsock_flush(vsock);
}

/* --- From the host --- */

static void accept_program(struct vmm_virtio_vsock *vsock)
{
    struct vmm_vsock_connection *connection =
        vmm_vsock_table_new(&vsock->table);
    int fd = connection ? vmm_listener_accept(&vsock->host) : -1;

    if (fd >= 0) {
        vmm_vsock_connection_begin(connection, VMM_VSOCK_GREETING, fd,
                                   vmm_now_ns());
        vmm_vsock_table_settle(&vsock->table, connection);
    } else if (connection && errno != EAGAIN && errno != EINTR &&
               errno != ECONNABORTED) {
        vmm_vsock_table_rest(&vsock->table, vmm_now_ns());
    }
}

static void greet(struct vmm_virtio_vsock *vsock,
                  struct vmm_vsock_connection *connection)
{
    uint32_t port = 0;
    int r =
        vmm_vsock_greeting_read(&connection->greeting, connection->fd, &port);

    if (r < 0) {
        vmm_vsock_connection_free(connection);
    } else if (r > 0) {
        connection->host_port = vmm_vsock_table_next_port(&vsock->table, port);
        connection->guest_port = port;
        connection->state = VMM_VSOCK_REQUESTED;
        vmm_vsock_connection_wait(connection, vmm_now_ns());
        vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_REQUEST);
    }
}

static void forward(struct vmm_virtio_vsock *vsock,
                    struct vmm_vsock_connection *connection)
{
    for (int i = 0; i < PACKETS_IN_A_ROW; i++) {
        if (!vmm_vsock_connection_reads(connection) ||
            !vmm_virtio_vsock_send_data(vsock, connection)) {
            break;
        }
    }
    if (vmm_vsock_connection_credit(connection) == 0 && !connection->asked) {
        connection->asked = true;
        vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
    }
}

static void serve_input(struct vmm_virtio_vsock *vsock)
{
    struct vmm_vsock_event events[VMM_VSOCK_EVENTS_MAX];
    int n = vmm_vsock_table_events(&vsock->table, vsock->table.in_set, events);

    /* What opens a connection goes before its data. */
    vmm_virtio_vsock_flush(vsock);
    for (int i = 0; i < n; i++) {
        struct vmm_vsock_connection *connection = events[i].connection;

        if (!connection) {
            accept_program(vsock);
            continue;
        }
        if (connection->state == VMM_VSOCK_GREETING) {
            greet(vsock, connection);
        } else if (connection->state == VMM_VSOCK_OPEN) {
            forward(vsock, connection);
        }
        vmm_vsock_table_settle(&vsock->table, connection);
    }
}

static void serve_output(struct vmm_virtio_vsock *vsock)
{
    struct vmm_vsock_event events[VMM_VSOCK_EVENTS_MAX];
    int n = vmm_vsock_table_events(&vsock->table, vsock->table.out_set, events);

    for (int i = 0; i < n; i++) {
        struct vmm_vsock_connection *connection = events[i].connection;

        if (connection->out_bytes > 0) {
            vmm_vsock_connection_flush(connection);
        } else if (events[i].hung_up && connection->state == VMM_VSOCK_OPEN) {
            vmm_vsock_connection_hang_up(connection, vmm_now_ns());
        }
        if (connection->state == VMM_VSOCK_DRAINING &&
            connection->out_bytes == 0) {
            vmm_vsock_connection_free(connection);
        }
        vmm_vsock_table_settle(&vsock->table, connection);
    }
}

static void prepare(void *opaque, bool running,
                    struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_vsock *vsock = opaque;
    struct vmm_virtio *device = &vsock->device;
    struct vmm_virtio_queue *rx = &device->queues[QUEUE_RX];

    if (!running) {
        return;
    }
    vmm_virtio_vsock_flush(vsock);
    vmm_vsock_table_prepare(&vsock->table);
    /* Without a buffer for it, nothing is welcome. */
    if (vmm_virtio_queue_has_work(rx, &device->guest) ||
        vmm_virtio_queue_set_notify(rx, &device->guest, true)) {
        polls[POLL_IN].fd = vsock->table.in_set;
        polls[POLL_IN].events = POLLIN;
    }
    polls[POLL_OUT].fd = vsock->table.out_set;
    polls[POLL_OUT].events = POLLIN;
    polls[POLL_TIMER].fd = vsock->table.timer_fd;
    polls[POLL_TIMER].events = POLLIN;
}

static void dispatch(void *opaque, bool running,
                     const struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_vsock *vsock = opaque;

    if (!running) {
        return;
    }
    if (polls[POLL_TIMER].revents) {
        vmm_vsock_table_expire(&vsock->table, vmm_now_ns());
    }
    if (polls[POLL_OUT].revents) {
        serve_output(vsock);
    }
    if (polls[POLL_IN].revents) {
        serve_input(vsock);
    }
    vmm_virtio_vsock_flush(vsock);
}

/* The event is in its queue before the guest does anything. */
static void resumed(void *opaque)
{
    struct vmm_virtio_vsock *vsock = opaque;

    vmm_vsock_table_wait(&vsock->table, vmm_now_ns());
    send_event(vsock);
}

static const struct vmm_virtio_ops ops = {
    .id = VMM_VIRTIO_ID_VSOCK,
    .name = "virtio-vsock",
    .get_config = get_config,
    .set_config = vmm_virtio_no_set_config,
    .set_features = vmm_virtio_no_op,
    .reset = reset,
    .process = process,
    .prepare = prepare,
    .dispatch = dispatch,
    .n_on_the_way = vmm_virtio_none_on_the_way,
    .paused = vmm_virtio_no_op,
    .resumed = resumed,
};

/*
 * The kernel's vhost, whose features these are in QEMU, cannot reset single
 * queues, and has had packets for connections that keep their borders since
 * Linux 5.14: a guest that negotiated them may come in, and is refused each
 * such connection.
 */
static void choose_features(struct vmm_virtio_config *virtio)
{
    virtio->features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT);
    virtio->left_out = VMM_VIRTIO_BIT(VMM_VIRTIO_F_RING_RESET);
    virtio->tolerated = VMM_VIRTIO_BIT(VIRTIO_VSOCK_F_SEQPACKET);
}

static int open_host(struct vmm_virtio_vsock *vsock, const char *path,
                     struct gw_error **errp)
{
    int r = vmm_vsock_host_open(&vsock->host, path, errp);

    return r < 0 ? r
                 : vmm_vsock_table_init(&vsock->table, vsock->host.fd, errp);
}

int vmm_virtio_vsock_init(struct vmm_virtio_vsock *vsock,
                          const struct vmm_virtio_vsock_config *config,
                          struct gw_error **errp)
{
    struct vmm_virtio_config virtio = config->virtio;
    int r;

    memset(vsock, 0, sizeof(*vsock));
    vsock->cid = config->cid;
    vsock->host.fd = -1;
    vsock->table.in_set = vsock->table.out_set = vsock->table.timer_fd = -1;
    choose_features(&virtio);
    virtio.config_bytes = CONFIG_BYTES;
    r = vmm_virtio_init(&vsock->device, &ops, vsock, &virtio, errp);
    if (r == 0) {
        r = open_host(vsock, config->path, errp);
    }
    if (r < 0) {
        vmm_virtio_vsock_deinit(vsock);
        return r;
    }
    for (int i = 0; i < 3; i++) {
        vmm_virtio_add_queue(&vsock->device, QUEUE_ENTRIES);
    }
    return 0;
}

void vmm_virtio_vsock_deinit(struct vmm_virtio_vsock *vsock)
{
    vmm_virtio_deinit(&vsock->device);
    vmm_vsock_table_deinit(&vsock->table);
    vmm_listener_close(&vsock->host);
}
