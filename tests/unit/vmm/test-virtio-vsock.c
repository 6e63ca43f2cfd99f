/*
 * virtio-vsock: connections from both sides; what a hostile guest sends; and
 * pauses and moves.
 */
#include "vsock-bench.h"

static void test_vsock__configuration(void **state)
{
    struct bench *bench = new_bench();

    assert_int_equal(get_reg(&bench->driver, 0x08), 19);
    assert_int_equal(get_reg(&bench->driver, 0x100), CID);
    assert_int_equal(get_reg(&bench->driver, 0x104), 0);
    assert_int_equal(bench->vsock.device.n_queues, 3);
    /* No packets with borders. */
    set_reg(&bench->driver, 0x14, 0);
    assert_int_equal(get_reg(&bench->driver, 0x10) & 3, 0);
    free_bench(bench);
}

static void test_vsock__program_connects(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_host(bench);

    assert_int_equal(write(fd, "from the host", 13), 13);
    expect_data(bench, PROGRAM_PORT, "from the host");
    guest_writes(bench, PROGRAM_PORT, "from the guest", 14);
    expect_read(fd, "from the guest");
    expect_quiet(bench);
    close(fd);
    free_bench(bench);
}

static void test_vsock__greeting_in_pieces(void **state)
{
    struct bench *bench = new_bench();
    int fd = program_connects(bench, "CONN");

    expect_quiet(bench);
    assert_int_equal(write(fd, "ECT 1024\r", 9), 9);
    expect_quiet(bench);
    /* What is behind the line is data. */
    assert_int_equal(write(fd, "\nearly", 6), 6);
    expect_packet(bench, REQUEST, PROGRAM_PORT);
    expect_quiet(bench);
    guest_sends(bench, RESPONSE, PROGRAM_PORT);
    expect_read(fd, "OK 1073741824\n");
    expect_data(bench, PROGRAM_PORT, "early");
    close(fd);
    free_bench(bench);
}

static void test_vsock__greetings_that_make_no_sense(void **state)
{
    static const char *const lines[] = {
        "\n",
        "HELLO 1024\n",
        "CONNECT\n",
        "CONNECT \n",
        "CONNECT -1\n",
        "CONNECT 1024 \n",
        "CONNECT 4294967296\n",
        "CONNECT 99999999999999999999\n",
        "CONNECT 1024xxxxxxxxxxxxxxxxxxxx",
    };
    struct bench *bench = new_bench();

    for (size_t i = 0; i < VMM_ARRAY_SIZE(lines); i++) {
        int fd = program_connects(bench, lines[i]);

        expect_quiet(bench);
        expect_end(fd);
        close(fd);
    }
    free_bench(bench);
}

static void test_vsock__guest_refuses(void **state)
{
    struct bench *bench = new_bench();
    int fd = program_connects(bench, "CONNECT 1024\n");

    expect_packet(bench, REQUEST, PROGRAM_PORT);
    guest_sends(bench, RST, PROGRAM_PORT);
    expect_end(fd);
    expect_quiet(bench);
    close(fd);
    free_bench(bench);
}

static void test_vsock__guest_never_answers(void **state)
{
    struct bench *bench = new_bench();
    int fd = program_connects(bench, "CONNECT 1024\n");

    expect_packet(bench, REQUEST, PROGRAM_PORT);
    /* After two seconds. */
    expect_packet(bench, RST, PROGRAM_PORT);
    expect_end(fd);
    guest_sends(bench, RESPONSE, PROGRAM_PORT);
    expect_packet(bench, RST, PROGRAM_PORT);
    close(fd);
    free_bench(bench);
}

static void test_vsock__guest_connects(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_writes(bench, HOST_PORT, "ping", 4);
    expect_read(fd, "ping");
    assert_int_equal(write(fd, "pong", 4), 4);
    expect_data(bench, HOST_PORT, "pong");
    assert_int_equal(bench->packet.taken, 4);
    close(fd);
    free_bench(bench);
}

static void test_vsock__nobody_listens(void **state)
{
    struct bench *bench = new_bench();

    guest_sends(bench, REQUEST, HOST_PORT);
    expect_packet(bench, RST, HOST_PORT);
    guest_sends(bench, REQUEST, UINT32_MAX);
    expect_packet(bench, RST, UINT32_MAX);
    expect_quiet(bench);
    free_bench(bench);
}

static void test_vsock__a_second_request_ends_both(void **state)
{
    struct bench *bench = new_bench();
    int fd = open_from_guest(bench);

    guest_sends(bench, REQUEST, HOST_PORT);
    expect_packet(bench, RST, HOST_PORT);
    expect_end(fd);
    close(fd);
    free_bench(bench);
}

/* --- Hostile guests --- */

static void test_vsock__addresses_that_are_not_its_own(void **state)
{
    struct bench *bench = new_bench();
    struct packet packet = from_guest(bench, REQUEST);

    listen_on(bench, HOST_PORT);
    packet.src = CID + 1;
    send_as(bench, packet, NULL);
    packet.src = CID | 1ull << 32;
    send_as(bench, packet, NULL);
    expect_quiet(bench);
    /* To another guest, which there is not. */
    packet = from_guest(bench, REQUEST);
    packet.dst = CID + 1;
    send_as(bench, packet, NULL);
    take_packet(bench);
    assert_int_equal(bench->packet.op, RST);
    assert_int_equal(bench->packet.src, CID + 1);
    assert_int_equal(bench->packet.dst, CID);
    free_bench(bench);
}

static void test_vsock__types_and_operations(void **state)
{
    struct bench *bench = new_bench();
    struct packet packet = from_guest(bench, REQUEST);
    int fd;

    listen_on(bench, HOST_PORT);
    packet.type = SEQPACKET;
    send_as(bench, packet, NULL);
    take_packet(bench);
    assert_int_equal(bench->packet.op, RST);
    assert_int_equal(bench->packet.type, SEQPACKET);
    /* No connection, whatever the operation. */
    for (uint16_t op = RESPONSE; op < 12; op++) {
        guest_sends(bench, op, HOST_PORT);
        if (op != RST) {
            expect_packet(bench, RST, HOST_PORT);
        }
    }
    guest_sends(bench, 0, HOST_PORT);
    expect_packet(bench, RST, HOST_PORT);
    guest_sends(bench, UINT16_MAX, HOST_PORT);
    expect_packet(bench, RST, HOST_PORT);
    expect_quiet(bench);
    /* One that there is ends by an operation that there is not. */
    fd = open_from_guest(bench);
    guest_sends(bench, 8, HOST_PORT);
    expect_packet(bench, RST, HOST_PORT);
    expect_end(fd);
    close(fd);
    /* And by an answer to what was not asked. */
    fd = open_from_guest(bench);
    guest_sends(bench, RESPONSE, HOST_PORT);
    expect_packet(bench, RST, HOST_PORT);
    expect_end(fd);
    close(fd);
    free_bench(bench);
}

static void test_vsock__packet_without_a_header(void **state)
{
    struct bench *bench = new_bench();

    put(&bench->driver, 1, 0, TX_AT, HEADER - 1, 0, 0);
    offer(&bench->driver, 1, 0);
    expect_broken(&bench->driver, 1);
    free_bench(bench);
}

static void test_vsock__length_beyond_the_buffer(void **state)
{
    struct bench *bench = new_bench();
    struct packet packet = from_guest(bench, RW);
    int fd = open_from_guest(bench);

    packet.len = 17;
    write_header(ram(&bench->driver, TX_AT), &packet);
    put(&bench->driver, 1, 0, TX_AT, HEADER + 16, 0, 0);
    offer(&bench->driver, 1, 0);
    expect_broken(&bench->driver, 1);
    /* Until a reset, which ends all connections. */
    expect_nothing(fd);
    set_reg(&bench->driver, 0x70, 0);
    expect_end(fd);
    close(fd);
    free_bench(bench);
}

static void test_vsock__buffer_without_room(void **state)
{
    struct bench *bench = make_bench(0);

    put(&bench->driver, 0, 0, RX_AT(0), HEADER - 1, DESC_F_WRITE, 0);
    offer(&bench->driver, 0, 0);
    guest_sends(bench, REQUEST, HOST_PORT);
    work(bench);
    assert_true(bench->vsock.device.broken);
    free_bench(bench);
}

/* No buffers: so many refusals are kept, and then no packet is taken. */
static void test_vsock__refusals_without_buffers(void **state)
{
    struct bench *bench = make_bench(0);
    struct driver *driver = &bench->driver;
    struct packet packet = from_guest(bench, RW);
    unsigned int n_sent = 0;

    write_header(ram(driver, TX_AT), &packet);
    put(driver, 1, 0, TX_AT, HEADER, 0, 0);
    while (n_sent < 70) {
        offer(driver, 1, 0);
        n_sent++;
        set_reg(driver, 0x50, 1);
        work(bench);
    }
    assert_int_equal(used_idx(driver, 1), 64);
    for (uint16_t i = 0; i < N_RX; i++) {
        offer_rx(bench, i);
    }
    set_reg(driver, 0x50, 0);
    for (unsigned int i = 0; i < n_sent; i++) {
        expect_packet(bench, RST, HOST_PORT);
    }
    assert_int_equal(used_idx(driver, 1), n_sent);
    expect_quiet(bench);
    free_bench(bench);
}

static void test_vsock__too_many_connections(void **state)
{
    struct bench *bench = new_bench();
    struct packet packet = from_guest(bench, REQUEST);
    int fd;

    listen_on(bench, HOST_PORT);
    for (uint32_t i = 0; i < 256; i++) {
        packet.src_port = i;
        send_as(bench, packet, NULL);
        take_packet(bench);
        assert_int_equal(bench->packet.op, RESPONSE);
    }
    packet.src_port = 256;
    send_as(bench, packet, NULL);
    take_packet(bench);
    assert_int_equal(bench->packet.op, RST);
    /* A program waits until one has ended. */
    fd = program_connects(bench, "CONNECT 1024\n");
    expect_quiet(bench);
    packet.src_port = 7;
    packet.op = RST;
    send_as(bench, packet, NULL);
    expect_packet(bench, REQUEST, PROGRAM_PORT);
    close(fd);
    free_bench(bench);
}

/* --- Pauses and moves --- */

static void save(struct bench *bench, struct gw_buffer *buffer)
{
    assert_int_equal(gw_vmstate_save(&vmm_virtio_vsock_vmstate, &bench->vsock,
                                     buffer, NULL, NULL),
                     0);
}

static void save_and_load(struct bench *bench)
{
    GW_AUTO_BUFFER struct gw_buffer buffer = {0};

    save(bench, &buffer);
    expect_loaded(&vmm_virtio_vsock_vmstate, &bench->vsock, 0, buffer.data,
                  buffer.size);
}

/* A save that is not the end of the guest here is no end of connections. */
static void test_vsock__save_leaves_connections_alone(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer buffer = {0};
    struct bench *bench = new_bench();
    int fd = open_from_host(bench);

    vmm_virtio_pause(bench->driver.device);
    save(bench, &buffer);
    assert_int_equal(write(fd, "meanwhile", 9), 9);
    expect_quiet(bench);
    vmm_virtio_resume(bench->driver.device);
    expect_data(bench, PROGRAM_PORT, "meanwhile");
    guest_writes(bench, PROGRAM_PORT, "still here", 10);
    expect_read(fd, "still here");
    assert_int_equal(used_idx(&bench->driver, 2), 0);
    close(fd);
    free_bench(bench);
}

static void test_vsock__guest_that_came_in_is_told(void **state)
{
    struct bench *bench = new_bench();
    struct driver *driver = &bench->driver;
    int fd = open_from_host(bench);

    vmm_virtio_pause(driver->device);
    memset(ram(driver, EVENT_AT), 0xff, 8);
    save_and_load(bench);
    expect_end(fd);
    close(fd);
    assert_int_equal(used_idx(driver, 2), 0);
    driver->n_messages = 0;
    set_reg(driver, 0x64, 3);
    vmm_virtio_resume(driver->device);
    /* Before the worker does anything. */
    assert_int_equal(used_idx(driver, 2), 1);
    assert_int_equal(used_len(driver, 2, 0, NULL), 4);
    assert_int_equal(vmm_get_le32(ram(driver, EVENT_AT)), 0);
    assert_int_equal(driver->n_messages, 1);
    /* Of what it was connected to, nothing is left. */
    guest_writes(bench, PROGRAM_PORT, "hello", 5);
    expect_packet(bench, RST, PROGRAM_PORT);
    assert_int_equal(used_idx(driver, 2), 1);
    free_bench(bench);
}

/* No buffer for the event: it comes when there is one. */
static void test_vsock__event_that_waits(void **state)
{
    struct bench *bench = new_bench();
    struct driver *driver = &bench->driver;

    for (uint16_t n = 1; n <= 2; n++) {
        vmm_virtio_pause(driver->device);
        save_and_load(bench);
        vmm_virtio_resume(driver->device);
        work(bench);
        assert_int_equal(used_idx(driver, 2), 1);
    }
    offer(driver, 2, 0);
    run(driver, 2, 2);
    assert_int_equal(used_len(driver, 2, 1, NULL), 4);
    free_bench(bench);
}

static void test_vsock__path_of_another(void **state)
{
    struct bench *bench = new_bench();
    struct vmm_listener other;

    /* Whoever goes on with the guest listens at the same path. */
    assert_int_equal(vmm_vsock_host_open(&other, bench->path, NULL), 0);
    vmm_virtio_vsock_clear(&bench->vsock);
    vmm_listener_close(&bench->vsock.host);
    assert_int_equal(access(bench->path, F_OK), 0);
    vmm_listener_close(&other);
    free_bench(bench);
}

static void test_vsock__paths_that_are_no_good(void **state)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct vmm_listener host;
    char path[120];

    /* "_4294967295" has to fit behind it. */
    memset(path, 'x', sizeof(path));
    memcpy(path, "/tmp/", 5);
    path[97] = '\0';
    assert_int_equal(vmm_vsock_host_open(&host, path, &error), -ENAMETOOLONG);
    assert_non_null(strstr(gw_error_text(error), "longer than 96 bytes"));
    path[96] = '\0';
    assert_int_equal(vmm_vsock_host_open(&host, path, NULL), 0);
    vmm_listener_close(&host);
    /* A file is not replaced. */
    assert_int_equal(vmm_vsock_host_open(&host, "/dev/null", NULL),
                     -EADDRINUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vsock__configuration),
        cmocka_unit_test(test_vsock__program_connects),
        cmocka_unit_test(test_vsock__greeting_in_pieces),
        cmocka_unit_test(test_vsock__greetings_that_make_no_sense),
        cmocka_unit_test(test_vsock__guest_refuses),
        cmocka_unit_test(test_vsock__guest_never_answers),
        cmocka_unit_test(test_vsock__guest_connects),
        cmocka_unit_test(test_vsock__nobody_listens),
        cmocka_unit_test(test_vsock__a_second_request_ends_both),
        cmocka_unit_test(test_vsock__addresses_that_are_not_its_own),
        cmocka_unit_test(test_vsock__types_and_operations),
        cmocka_unit_test(test_vsock__packet_without_a_header),
        cmocka_unit_test(test_vsock__length_beyond_the_buffer),
        cmocka_unit_test(test_vsock__buffer_without_room),
        cmocka_unit_test(test_vsock__refusals_without_buffers),
        cmocka_unit_test(test_vsock__too_many_connections),
        cmocka_unit_test(test_vsock__save_leaves_connections_alone),
        cmocka_unit_test(test_vsock__guest_that_came_in_is_told),
        cmocka_unit_test(test_vsock__event_that_waits),
        cmocka_unit_test(test_vsock__path_of_another),
        cmocka_unit_test(test_vsock__paths_that_are_no_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
