/*
 * virtio-net with the real passt: what a guest does first in a network (DHCP,
 * ARP), a connection, and a passt that ends or is another one after a restore.
 * Needs namespaces of its own; skipped where there are none, and no passt.
 */
#include "ip-frames.h"
#include "passt-bench.h"

#define UDP 8u
#define TCP 20u
#define DHCP 240u
#define DHCP_COOKIE 0x63825363u
#define XID 0x12345678u

#define SEQUENCE 1000u
/* Of the guest, after the 14 bytes that it sends. */
#define TCP_SENT (SEQUENCE + 1 + 14)
#define MUCH_BYTES (256u << 10)
#define GUEST_PORT 40000u
#define FIN 1
#define SYN 2
#define RST 4
#define PSH 8
#define ACK 16

static const char *not_here;

/* --- DHCP and ARP --- */

static void send_discover(struct bench *bench)
{
    const uint8_t options[] = {53, 1, 1, 255};
    size_t bytes = UDP + DHCP + sizeof(options);
    uint8_t *frame = tx_frame(bench);
    uint8_t *udp;
    uint8_t *dhcp;

    make_ethernet(frame, GUEST_MAC, "\xff\xff\xff\xff\xff\xff", 0x0800);
    udp = make_ip(frame, 17, "\0\0\0\0", "\xff\xff\xff\xff", bytes);
    put16(udp, 68);
    put16(udp + 2, 67);
    put16(udp + 4, (uint32_t)bytes);
    dhcp = udp + UDP;
    memcpy(dhcp, "\1\1\6\0", 4);
    put32(dhcp + 4, XID);
    memcpy(dhcp + 28, GUEST_MAC, 6);
    put32(dhcp + DHCP - 4, DHCP_COOKIE);
    memcpy(dhcp + DHCP, options, sizeof(options));
    put16(udp + 6, transport_checksum(frame));
    send_frame(bench, ETHERNET + IP + bytes);
}

/* Lends an option's value. */
static const uint8_t *dhcp_option(const uint8_t *at, const uint8_t *end,
                                  uint8_t code, size_t bytes)
{
    while (end - at >= 2 && *at != 255) {
        if (*at == 0) {
            at++;
            continue;
        }
        assert_true(end - at >= 2 + at[1]);
        if (*at == code) {
            assert_int_equal(at[1], bytes);
            return at + 2;
        }
        at += 2 + at[1];
    }
    fail_msg("DHCP option %u is missing", code);
    return NULL;
}

static void check_offer(const uint8_t *frame, size_t bytes)
{
    const uint8_t *ip = frame + ETHERNET;
    const uint8_t *udp = ip + IP;
    const uint8_t *dhcp = udp + UDP;
    const uint8_t *options = dhcp + DHCP;

    assert_true(bytes >= ETHERNET + IP + UDP + DHCP);
    assert_memory_equal(frame, GUEST_MAC, 6);
    assert_memory_equal(frame + 6, HOST_MAC, 6);
    assert_int_equal(ip[9], 17);
    assert_int_equal(get16(ip + 2), bytes - ETHERNET);
    assert_int_equal(get16(udp), 67);
    assert_int_equal(get16(udp + 2), 68);
    assert_int_equal(dhcp[0], 2);
    assert_int_equal(get32(dhcp + 4), XID);
    assert_memory_equal(dhcp + 16, GUEST_ADDRESS, 4);
    assert_memory_equal(dhcp + 28, GUEST_MAC, 6);
    assert_int_equal(get32(dhcp + DHCP - 4), DHCP_COOKIE);
    assert_int_equal(*dhcp_option(options, frame + bytes, 53, 1), 2);
    assert_memory_equal(dhcp_option(options, frame + bytes, 1, 4), NETMASK, 4);
    assert_memory_equal(dhcp_option(options, frame + bytes, 3, 4),
                        ROUTER_ADDRESS, 4);
}

static void check_dhcp(struct bench *bench)
{
    const uint8_t *frame;
    size_t bytes;

    send_discover(bench);
    frame = next_frame_with(bench, 12, "\x08\0\x45", 3, &bytes);
    check_offer(frame, bytes);
}

/* Who has the router's address? */
static void check_arp(struct bench *bench)
{
    uint8_t *request = tx_frame(bench);
    const uint8_t *frame;
    size_t bytes;

    make_ethernet(request, GUEST_MAC, "\xff\xff\xff\xff\xff\xff", 0x0806);
    memcpy(request + 14, "\0\1\x08\0\6\4\0\1", 8);
    memcpy(request + 22, GUEST_MAC, 6);
    memcpy(request + 28, GUEST_ADDRESS, 4);
    memcpy(request + 38, ROUTER_ADDRESS, 4);
    send_frame(bench, 42);
    frame = next_frame_with(bench, 12, "\x08\6\0\1\x08\0\6\4\0\2", 10, &bytes);
    assert_true(bytes >= 42);
    assert_memory_equal(frame, GUEST_MAC, 6);
    assert_memory_equal(frame + 6, HOST_MAC, 6);
    assert_memory_equal(frame + 22, HOST_MAC, 6);
    assert_memory_equal(frame + 28, ROUTER_ADDRESS, 4);
    assert_memory_equal(frame + 32, GUEST_MAC, 6);
    assert_memory_equal(frame + 38, GUEST_ADDRESS, 4);
}

/* --- TCP --- */

/* The guest's router is the host itself. */
static int listen_on_host(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (void *)&address, bytes), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (void *)&address, &bytes), 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void send_tcp(struct bench *bench, uint16_t port, uint8_t flags,
                     uint32_t sequence, uint32_t acknowledged, const char *text)
{
    size_t bytes = TCP + strlen(text);
    uint8_t *frame = tx_frame(bench);
    uint8_t *tcp;

    make_ethernet(frame, GUEST_MAC, HOST_MAC, 0x0800);
    tcp = make_ip(frame, 6, GUEST_ADDRESS, ROUTER_ADDRESS, bytes);
    put16(tcp, GUEST_PORT);
    put16(tcp + 2, port);
    put32(tcp + 4, sequence);
    put32(tcp + 8, acknowledged);
    tcp[12] = TCP / 4 << 4;
    tcp[13] = flags;
    put16(tcp + 14, 0xffff);
    memcpy(tcp + TCP, text, strlen(text));
    put16(tcp + 16, transport_checksum(frame));
    send_frame(bench, ETHERNET + IP + bytes);
}

/* Lends the next segment of the connection. */
static const uint8_t *next_tcp(struct bench *bench, uint16_t port,
                               size_t *ret_bytes)
{
    const uint8_t *frame =
        next_frame_with(bench, 12, "\x08\0\x45", 3, ret_bytes);

    assert_true(*ret_bytes >= ETHERNET + IP + TCP);
    assert_memory_equal(frame, GUEST_MAC, 6);
    assert_memory_equal(frame + 6, HOST_MAC, 6);
    assert_int_equal(frame[ETHERNET + 9], 6);
    assert_memory_equal(frame + ETHERNET + 12, ROUTER_ADDRESS, 4);
    assert_memory_equal(frame + ETHERNET + 16, GUEST_ADDRESS, 4);
    assert_int_equal(transport_checksum(frame), 0);
    assert_int_equal(get16(frame + ETHERNET + IP), port);
    assert_int_equal(get16(frame + ETHERNET + IP + 2), GUEST_PORT);
    assert_int_equal(frame[ETHERNET + IP + 13] & (FIN | RST), 0);
    *ret_bytes -= ETHERNET + IP;
    return frame + ETHERNET + IP;
}

/* Gives the number of the host's first byte. */
static uint32_t shake_hands(struct bench *bench, uint16_t port)
{
    uint32_t sequence;
    const uint8_t *tcp;
    size_t bytes;

    send_tcp(bench, port, SYN, SEQUENCE, 0, "");
    tcp = next_tcp(bench, port, &bytes);
    assert_int_equal(tcp[13] & (SYN | ACK), SYN | ACK);
    assert_int_equal(get32(tcp + 8), SEQUENCE + 1);
    sequence = get32(tcp + 4) + 1;
    /* Data in this one would wait to be sent again. */
    send_tcp(bench, port, ACK, SEQUENCE + 1, sequence, "");
    return sequence;
}

/* Segments without data may come before it. */
static void expect_text(struct bench *bench, uint16_t port, uint32_t sequence,
                        const char *text)
{
    for (;;) {
        size_t bytes;
        const uint8_t *tcp = next_tcp(bench, port, &bytes);
        size_t header = (tcp[12] >> 4) * 4u;

        assert_true(header >= TCP && header <= bytes);
        if (bytes > header) {
            assert_int_equal(get32(tcp + 4), sequence);
            assert_int_equal(bytes - header, strlen(text));
            assert_memory_equal(tcp + header, text, strlen(text));
            return;
        }
    }
}

/* Many frames at once, with few buffers of the guest for them. */
static void check_much(struct bench *bench, uint16_t port, int connection,
                       uint32_t sequence)
{
    GW_AUTO_FREE uint8_t *data = malloc(MUCH_BYTES);
    size_t n_sent = 0;
    size_t n_found = 0;

    assert_non_null(data);
    for (size_t i = 0; i < MUCH_BYTES; i++) {
        data[i] = (uint8_t)(i * 7 + i / 256);
    }
    while (n_found < MUCH_BYTES) {
        ssize_t n = send(connection, data + n_sent, MUCH_BYTES - n_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        size_t bytes;
        const uint8_t *tcp = next_tcp(bench, port, &bytes);
        size_t header = (tcp[12] >> 4) * 4u;

        n_sent += n > 0 ? (size_t)n : 0;
        assert_true(header >= TCP && header <= bytes);
        bytes -= header;
        if (bytes && get32(tcp + 4) == sequence + (uint32_t)n_found) {
            assert_true(n_found + bytes <= n_sent);
            assert_memory_equal(tcp + header, data + n_found, bytes);
            n_found += bytes;
            send_tcp(bench, port, ACK, TCP_SENT, sequence + (uint32_t)n_found,
                     "");
        }
    }
}

static void check_tcp(struct bench *bench)
{
    uint16_t port;
    GW_AUTO_FD int listener = listen_on_host(&port);
    GW_AUTO_FD int connection = -1;
    uint32_t sequence = shake_hands(bench, port);
    char found[16] = "";

    send_tcp(bench, port, ACK | PSH, SEQUENCE + 1, sequence, "from the guest");
    connection = accept(listener, NULL, NULL);
    assert_true(connection >= 0);
    assert_int_equal(recv(connection, found, 14, MSG_WAITALL), 14);
    assert_string_equal(found, "from the guest");
    assert_int_equal(send(connection, "to the guest", 12, MSG_NOSIGNAL), 12);
    expect_text(bench, port, sequence, "to the guest");
    sequence += 12;
    send_tcp(bench, port, ACK, TCP_SENT, sequence, "");
    check_much(bench, port, connection, sequence);
}

/* --- Tests --- */

static void skip_if_not_here(void)
{
    if (not_here) {
        print_message("# no passt here: %s\n", not_here);
        skip();
    }
}

static void test_passt__gives_an_address(void **state)
{
    struct bench *bench;

    skip_if_not_here();
    bench = new_bench();
    check_dhcp(bench);
    check_arp(bench);
    free_bench(bench);
}

static void test_passt__carries_a_connection(void **state)
{
    struct bench *bench;

    skip_if_not_here();
    bench = new_bench();
    check_arp(bench);
    check_tcp(bench);
    free_bench(bench);
}

/* The card has no cable then, and the guest goes on. */
static void test_passt__is_killed(void **state)
{
    struct bench *bench;
    struct driver *driver;
    int64_t start;
    size_t bytes;

    skip_if_not_here();
    bench = new_bench();
    driver = &bench->driver;
    check_arp(bench);
    kill_passt(bench);
    /* Frames go nowhere, one that finds the end of passt and one after it. */
    send_discover(bench);
    send_discover(bench);
    assert_int_equal(bench->net.backend.fd, -1);
    assert_null(next_frame(bench, 0, &bytes));
    assert_false(driver->device->broken);
    assert_int_equal(vmm_virtio_bus_ops.read(driver->device, 0x106, 2),
                     VMM_VIRTIO_NET_LINK_UP);
    /* Nothing wakes the worker all the time. */
    start = vmm_now_ns();
    vmm_virtio_work(driver->device, 100);
    assert_true(vmm_now_ns() - start >= 90 * INT64_C(1000000));
    free_bench(bench);
}

/* passt ends while the guest does nothing: its end comes in by itself. */
static void test_passt__ends_unseen(void **state)
{
    struct bench *bench;

    skip_if_not_here();
    bench = new_bench();
    check_arp(bench);
    kill_passt(bench);
    for (int i = 0; i < 10 && bench->net.backend.fd >= 0; i++) {
        vmm_virtio_work(bench->driver.device, 100);
    }
    assert_int_equal(bench->net.backend.fd, -1);
    assert_false(bench->driver.device->broken);
    free_bench(bench);
}

/* Another passt on the same path: the guest's card is connected to that. */
static void test_passt__after_a_restore(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    GW_AUTO_FREE uint8_t *memory = malloc(RAM_BYTES);
    struct bench *bench;
    struct vmm_virtio *device;

    skip_if_not_here();
    bench = new_bench();
    device = &bench->net.device;
    check_dhcp(bench);
    vmm_virtio_pause(device);
    assert_int_equal(gw_vmstate_save(&vmm_virtio_net_vmstate, &bench->net,
                                     &saved, NULL, NULL),
                     0);
    memcpy(memory, ram(&bench->driver, 0), RAM_BYTES);
    vmm_virtio_net_deinit(&bench->net);
    driver_deinit(&bench->driver);
    wait_for_passt_to_end(bench);

    start_passt(bench);
    connect_card(bench);
    memcpy(ram(&bench->driver, 0), memory, RAM_BYTES);
    bench->driver.num = N_RX;
    expect_loaded(&vmm_virtio_net_vmstate, &bench->net, 11, saved.data,
                  saved.size);
    vmm_virtio_resume(device);
    assert_int_equal(vmm_virtio_bus_ops.read(device, 0x106, 2),
                     VMM_VIRTIO_NET_LINK_UP | VMM_VIRTIO_NET_ANNOUNCE);
    check_arp(bench);
    check_dhcp(bench);
    check_tcp(bench);
    free_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passt__gives_an_address),
        cmocka_unit_test(test_passt__carries_a_connection),
        cmocka_unit_test(test_passt__is_killed),
        cmocka_unit_test(test_passt__ends_unseen),
        cmocka_unit_test(test_passt__after_a_restore),
    };

    if (!has_passt()) {
        not_here = "it is not installed";
    } else if (!enter_namespaces()) {
        not_here = "there are no namespaces of users and networks";
    } else if (!make_network()) {
        not_here = "there is no tap interface for its network";
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
