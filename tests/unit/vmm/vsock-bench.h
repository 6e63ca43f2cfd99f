/*
 * A socket device whose guest and whose programs on the host are ours. What a
 * packet looks like is written out once more, from the specification.
 */
#ifndef GW_TESTS_UNIT_VMM_VSOCK_BENCH_H
#define GW_TESTS_UNIT_VMM_VSOCK_BENCH_H

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio-driver.h"
#include "virtio_vsock.h"

#define MODERN VMM_VIRTIO_BIT(32)
#define N_RX 8
#define N_ENTRIES 16
#define RX_BYTES 0x1000u
#define RX_AT(head) (DATA_AT + 0x2000u * (head))
#define TX_AT (DATA_AT + 0x80000u)
#define TX_MAX 0x40000u
#define EVENT_AT (DATA_AT + 0x70000u)

/* Of the specification, written out. */
#define REQUEST 1
#define RESPONSE 2
#define RST 3
#define SHUTDOWN 4
#define RW 5
#define CREDIT_UPDATE 6
#define CREDIT_REQUEST 7
#define STREAM 1
#define SEQPACKET 2
#define NO_MORE_RECEIVED 1
#define NO_MORE_SENT 2
#define HEADER 44u

#define CID 42u
#define GUEST_PORT 1024u
#define HOST_PORT 5000u
/* The first port that a program of the host gets. */
#define PROGRAM_PORT 0x40000000u
#define ROOM (256u << 10)

struct packet {
    uint64_t src;
    uint64_t dst;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len;
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t room;
    uint32_t taken;
};

struct bench {
    struct driver driver;
    struct vmm_virtio_vsock vsock;
    char folder[64];
    char path[96];
    struct sockaddr_un listening;
    int listener;
    /* Of the queues: used entries that were looked at. */
    uint16_t n_rx;
    uint16_t n_tx;
    /* What the guest says in each packet. */
    uint32_t room;
    uint32_t taken;
    /* The last packet and its data. */
    struct packet packet;
    uint8_t data[RX_BYTES];
};

static inline void offer_rx(struct bench *bench, uint16_t head)
{
    put(&bench->driver, 0, head, RX_AT(head), RX_BYTES, DESC_F_WRITE, 0);
    offer(&bench->driver, 0, head);
}

static inline struct bench *make_bench(uint16_t n_rx)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct vmm_virtio_vsock_config config = {.cid = CID};

    assert_non_null(bench);
    strcpy(bench->folder, "/tmp/test-vsock-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->path, sizeof(bench->path), "%s/vm", bench->folder);
    config.path = bench->path;
    config.virtio = driver_init(&bench->driver, false);
    assert_int_equal(vmm_virtio_vsock_init(&bench->vsock, &config, NULL), 0);
    bench->driver.device = &bench->vsock.device;
    bench->listener = -1;
    bench->room = 0x10000;
    vmm_virtio_resume(bench->driver.device);
    driver_start(&bench->driver, MODERN, N_ENTRIES);
    for (uint16_t i = 0; i < n_rx; i++) {
        offer_rx(bench, i);
    }
    put(&bench->driver, 2, 0, EVENT_AT, 8, DESC_F_WRITE, 0);
    offer(&bench->driver, 2, 0);
    return bench;
}

static inline struct bench *new_bench(void)
{
    return make_bench(N_RX);
}

static inline void free_bench(struct bench *bench)
{
    vmm_virtio_vsock_deinit(&bench->vsock);
    driver_deinit(&bench->driver);
    if (bench->listener >= 0) {
        close(bench->listener);
        unlink(bench->listening.sun_path);
    }
    assert_int_equal(access(bench->path, F_OK), -1);
    assert_int_equal(rmdir(bench->folder), 0);
    free(bench);
}

static inline void work(struct bench *bench)
{
    for (int i = 0; i < 4; i++) {
        vmm_virtio_work(bench->driver.device, 0);
    }
}

/* --- The host --- */

static inline struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    return address;
}

static inline int program_connects(struct bench *bench, const char *line)
{
    struct sockaddr_un address = unix_address(bench->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (void *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    work(bench);
    return fd;
}

/* A program listens on a port of the host. */
static inline void listen_on(struct bench *bench, uint32_t port)
{
    char path[120];

    snprintf(path, sizeof(path), "%s_%u", bench->path, port);
    bench->listening = unix_address(path);
    bench->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(bench->listener, (void *)&bench->listening,
                          sizeof(bench->listening)),
                     0);
    assert_int_equal(listen(bench->listener, 300), 0);
}

static inline int program_accepts(struct bench *bench)
{
    int fd = accept(bench->listener, NULL, NULL);

    assert_true(fd >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static inline void expect_read(int fd, const char *text)
{
    char found[64] = {0};

    assert_int_equal(read(fd, found, sizeof(found)), strlen(text));
    assert_string_equal(found, text);
}

static inline void expect_end(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 0);
}

static inline void expect_nothing(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

/* --- The guest --- */

static inline void write_header(uint8_t *to, const struct packet *packet)
{
    vmm_put_le64(to, packet->src);
    vmm_put_le64(to + 8, packet->dst);
    vmm_put_le32(to + 16, packet->src_port);
    vmm_put_le32(to + 20, packet->dst_port);
    vmm_put_le32(to + 24, packet->len);
    vmm_put_le16(to + 28, packet->type);
    vmm_put_le16(to + 30, packet->op);
    vmm_put_le32(to + 32, packet->flags);
    vmm_put_le32(to + 36, packet->room);
    vmm_put_le32(to + 40, packet->taken);
}

static inline struct packet read_header(const uint8_t *from)
{
    return (struct packet){.src = vmm_get_le64(from),
                           .dst = vmm_get_le64(from + 8),
                           .src_port = vmm_get_le32(from + 16),
                           .dst_port = vmm_get_le32(from + 20),
                           .len = vmm_get_le32(from + 24),
                           .type = vmm_get_le16(from + 28),
                           .op = vmm_get_le16(from + 30),
                           .flags = vmm_get_le32(from + 32),
                           .room = vmm_get_le32(from + 36),
                           .taken = vmm_get_le32(from + 40)};
}

static inline struct packet from_guest(struct bench *bench, uint16_t op)
{
    return (struct packet){.src = CID,
                           .dst = 2,
                           .src_port = GUEST_PORT,
                           .dst_port = HOST_PORT,
                           .type = STREAM,
                           .op = op,
                           .room = bench->room,
                           .taken = bench->taken};
}

/* A round of the device, or a moment for its thread if that has been started.
 */
static inline void wait_for_device(struct bench *bench)
{
    if (bench->driver.device->has_thread) {
        usleep(100);
    } else {
        vmm_virtio_work(bench->driver.device, 10);
    }
}

/* Until the queue has so many used entries. */
static inline void wait_for_used(struct bench *bench, uint32_t queue,
                                 uint16_t wanted)
{
    int64_t end_ns = vmm_now_ns() + INT64_C(10000000000);

    while (used_idx(&bench->driver, queue) != wanted && vmm_now_ns() < end_ns) {
        wait_for_device(bench);
    }
    assert_int_equal(used_idx(&bench->driver, queue), wanted);
}

/* The header in one part, the data in another. */
static inline void send_as(struct bench *bench, struct packet packet,
                           const void *data)
{
    struct driver *driver = &bench->driver;

    write_header(ram(driver, TX_AT), &packet);
    if (data) {
        memcpy(ram(driver, TX_AT + HEADER), data, packet.len);
        put(driver, 1, 0, TX_AT, HEADER, DESC_F_NEXT, 1);
        put(driver, 1, 1, TX_AT + HEADER, packet.len, 0, 0);
    } else {
        put(driver, 1, 0, TX_AT, HEADER, 0, 0);
    }
    offer(driver, 1, 0);
    set_reg(driver, 0x50, 1);
    wait_for_used(bench, 1, ++bench->n_tx);
}

static inline void guest_sends(struct bench *bench, uint16_t op,
                               uint32_t host_port)
{
    struct packet packet = from_guest(bench, op);

    packet.dst_port = host_port;
    send_as(bench, packet, NULL);
}

static inline void guest_writes(struct bench *bench, uint32_t host_port,
                                const void *data, uint32_t n)
{
    struct packet packet = from_guest(bench, RW);

    packet.dst_port = host_port;
    packet.len = n;
    send_as(bench, packet, data);
}

static inline void guest_ends(struct bench *bench, uint32_t host_port,
                              uint32_t flags)
{
    struct packet packet = from_guest(bench, SHUTDOWN);

    packet.dst_port = host_port;
    packet.flags = flags;
    send_as(bench, packet, NULL);
}

static inline bool has_packet(struct bench *bench)
{
    return used_idx(&bench->driver, 0) != bench->n_rx;
}

/* The next packet to the guest; its buffer is offered again. */
static inline void take_packet(struct bench *bench)
{
    struct driver *driver = &bench->driver;
    uint32_t head = 0;
    uint32_t n;

    for (int i = 0; i < 100000 && !has_packet(bench); i++) {
        wait_for_device(bench);
    }
    assert_true(has_packet(bench));
    n = used_len(driver, 0, bench->n_rx, &head);
    bench->n_rx++;
    bench->packet = read_header(ram(driver, RX_AT(head)));
    assert_int_equal(n, HEADER + bench->packet.len);
    memcpy(bench->data, (uint8_t *)ram(driver, RX_AT(head)) + HEADER,
           bench->packet.len);
    offer_rx(bench, (uint16_t)head);
    set_reg(driver, 0x50, 0);
}

static inline void expect_packet(struct bench *bench, uint16_t op,
                                 uint32_t host_port)
{
    take_packet(bench);
    assert_int_equal(bench->packet.op, op);
    assert_int_equal(bench->packet.src, 2);
    assert_int_equal(bench->packet.dst, CID);
    assert_int_equal(bench->packet.src_port, host_port);
    assert_int_equal(bench->packet.dst_port, GUEST_PORT);
    assert_int_equal(bench->packet.type, STREAM);
}

static inline void expect_data(struct bench *bench, uint32_t host_port,
                               const char *text)
{
    expect_packet(bench, RW, host_port);
    assert_int_equal(bench->packet.len, strlen(text));
    assert_memory_equal(bench->data, text, strlen(text));
}

static inline void expect_shutdown(struct bench *bench, uint32_t host_port,
                                   uint32_t flags)
{
    expect_packet(bench, SHUTDOWN, host_port);
    assert_int_equal(bench->packet.flags, flags);
}

static inline void expect_quiet(struct bench *bench)
{
    work(bench);
    assert_int_equal(used_idx(&bench->driver, 0), bench->n_rx);
    assert_false(bench->vsock.device.broken);
}

/* --- Connections from both sides --- */

/* A program and the guest's port 1024. */
static inline int open_from_host(struct bench *bench)
{
    int fd = program_connects(bench, "CONNECT 1024\n");

    expect_packet(bench, REQUEST, PROGRAM_PORT);
    assert_int_equal(bench->packet.room, ROOM);
    assert_int_equal(bench->packet.taken, 0);
    assert_int_equal(bench->packet.len, 0);
    expect_nothing(fd);
    guest_sends(bench, RESPONSE, PROGRAM_PORT);
    expect_read(fd, "OK 1073741824\n");
    return fd;
}

/* The guest, and a program that listens on port 5000. */
static inline int open_from_guest(struct bench *bench)
{
    if (bench->listener < 0) {
        listen_on(bench, HOST_PORT);
    }
    guest_sends(bench, REQUEST, HOST_PORT);
    expect_packet(bench, RESPONSE, HOST_PORT);
    assert_int_equal(bench->packet.room, ROOM);
    return program_accepts(bench);
}

#endif
