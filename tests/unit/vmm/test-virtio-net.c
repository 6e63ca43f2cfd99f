/*
 * virtio-net on a socket in the way of passt: frames both ways, merged
 * buffers, what the guest wants to receive, frames that must wait.
 */
#include "virtio_net.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio-driver.h"

#define BUFFER_AT (DATA_AT + 0x10000)
#define FEATURES                                                       \
    (VMM_VIRTIO_BIT(32) | VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_MRG_RXBUF) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_VQ))
#define HEADER 12

static const uint8_t own_mac[6] = {0x52, 0x54, 0, 1, 2, 3};

struct bench {
    struct driver driver;
    struct vmm_virtio_net net;
    char folder[64];
    struct sockaddr_un address;
    int listener;
    int peer;
};

static struct bench *new_bench(bool legacy, uint64_t features)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct vmm_virtio_net_config config = {
        .net = {.kind = VMM_NET_PASST, .fd = -1}};

    assert_non_null(bench);
    strcpy(bench->folder, "/tmp/test-net-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    bench->address.sun_family = AF_UNIX;
    snprintf(bench->address.sun_path, sizeof(bench->address.sun_path),
             "%s/socket", bench->folder);
    bench->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(
        bind(bench->listener, (void *)&bench->address, sizeof(bench->address)),
        0);
    assert_int_equal(listen(bench->listener, 1), 0);
    config.net.path = bench->address.sun_path;
    memcpy(config.net.mac, own_mac, 6);
    config.virtio = driver_init(&bench->driver, legacy);
    assert_int_equal(vmm_virtio_net_init(&bench->net, &config, NULL), 0);
    bench->peer = accept(bench->listener, NULL, NULL);
    assert_true(bench->peer >= 0);
    fcntl(bench->peer, F_SETFL, O_NONBLOCK);
    bench->driver.device = &bench->net.device;
    vmm_virtio_resume(&bench->net.device);
    driver_start(&bench->driver, features, 16);
    return bench;
}

static void free_bench(struct bench *bench)
{
    vmm_virtio_net_deinit(&bench->net);
    driver_deinit(&bench->driver);
    close(bench->peer);
    close(bench->listener);
    unlink(bench->address.sun_path);
    rmdir(bench->folder);
    free(bench);
}

/* A frame for a station, its bytes counted up. */
static void make_frame(uint8_t *frame, size_t bytes, const uint8_t *to)
{
    for (size_t i = 0; i < bytes; i++) {
        frame[i] = (uint8_t)(i + i / 256);
    }
    memcpy(frame, to, 6);
}

/* From the peer, in two parts, so that the length alone comes first. */
static void peer_sends(struct bench *bench, const uint8_t *frame, size_t bytes)
{
    uint8_t length[4] = {0, 0, (uint8_t)(bytes >> 8), (uint8_t)bytes};

    assert_int_equal(write(bench->peer, length, 3), 3);
    vmm_virtio_work(bench->driver.device, 0);
    assert_int_equal(write(bench->peer, length + 3, 1), 1);
    assert_int_equal(write(bench->peer, frame, bytes), bytes);
    for (int i = 0; i < 3; i++) {
        vmm_virtio_work(bench->driver.device, 1);
    }
}

static void offer_rx(struct bench *bench, uint16_t head, uint32_t bytes)
{
    put(&bench->driver, 0, head, BUFFER_AT + 0x1000u * head, bytes,
        DESC_F_WRITE, 0);
    offer(&bench->driver, 0, head);
}

static void test_net__sends_frames(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    struct driver *driver = &bench->driver;
    uint8_t found[200];

    make_frame(ram(driver, BUFFER_AT + HEADER), 100, own_mac);
    put(driver, 1, 0, BUFFER_AT, HEADER + 40, DESC_F_NEXT, 1);
    put(driver, 1, 1, BUFFER_AT + HEADER + 40, 60, 0, 0);
    offer(driver, 1, 0);
    run(driver, 1, 1);
    assert_int_equal(read(bench->peer, found, sizeof(found)), 104);
    assert_memory_equal(found, "\0\0\0\x64", 4);
    assert_memory_equal(found + 4, ram(driver, BUFFER_AT + HEADER), 100);
    /* Shorter than a header. */
    put(driver, 1, 0, BUFFER_AT, HEADER - 1, 0, 0);
    offer(driver, 1, 0);
    expect_broken(driver, 1);
    free_bench(bench);
}

static void test_net__receives_frames(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    struct driver *driver = &bench->driver;
    uint8_t frame[1500];

    make_frame(frame, sizeof(frame), own_mac);
    /* Without a buffer it waits. */
    peer_sends(bench, frame, 100);
    assert_int_equal(used_idx(driver, 0), 0);
    offer_rx(bench, 0, 2048);
    run(driver, 0, 1);
    assert_int_equal(used_len(driver, 0, 0, NULL), HEADER + 100);
    assert_memory_equal(ram(driver, BUFFER_AT), "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
    assert_memory_equal(ram(driver, BUFFER_AT + HEADER), frame, 100);

    /* 1512 bytes over buffers of 600: three, counted in the first. */
    offer_rx(bench, 1, 600);
    offer_rx(bench, 2, 600);
    peer_sends(bench, frame, sizeof(frame));
    assert_int_equal(used_idx(driver, 0), 1);
    offer_rx(bench, 3, 600);
    run(driver, 0, 4);
    assert_int_equal(vmm_get_le16(ram(driver, BUFFER_AT + 0x1000 + 10)), 3);
    assert_int_equal(used_len(driver, 0, 1, NULL), 600);
    assert_int_equal(used_len(driver, 0, 3, NULL), 312);
    assert_memory_equal(ram(driver, BUFFER_AT + 0x1000 + HEADER), frame, 588);
    assert_memory_equal(ram(driver, BUFFER_AT + 0x3000), frame + 1188, 312);
    free_bench(bench);
}

/* Before VIRTIO 1.0 and without merging, the header has 10 bytes. */
static void test_net__legacy_header(void **state)
{
    struct bench *bench = new_bench(true, 0);
    struct driver *driver = &bench->driver;
    uint8_t frame[100];

    make_frame(frame, sizeof(frame), own_mac);
    offer_rx(bench, 0, 2048);
    peer_sends(bench, frame, sizeof(frame));
    run(driver, 0, 1);
    assert_int_equal(used_len(driver, 0, 0, NULL), 10 + sizeof(frame));
    assert_memory_equal(ram(driver, BUFFER_AT + 10), frame, sizeof(frame));
    free_bench(bench);
}

static uint8_t command(struct bench *bench, const void *bytes, uint32_t size)
{
    struct driver *driver = &bench->driver;
    uint8_t *ack = ram(driver, DATA_AT + 0x800);
    uint16_t n = used_idx(driver, 2);

    memcpy(ram(driver, DATA_AT), bytes, size);
    *ack = 0xee;
    put(driver, 2, 0, DATA_AT, size, DESC_F_NEXT, 1);
    put(driver, 2, 1, DATA_AT + 0x800, 1, DESC_F_WRITE, 0);
    offer(driver, 2, 0);
    run(driver, 2, (uint16_t)(n + 1));
    return *ack;
}

static bool accepts(struct bench *bench, const void *mac)
{
    uint8_t frame[60];

    make_frame(frame, sizeof(frame), mac);
    return vmm_virtio_net_filter_accepts(&bench->net.filter, bench->net.mac,
                                         frame, sizeof(frame));
}

static void test_net__filter(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    const char *other = "\x52\x54\0\0\0\x9";
    const char *group = "\x33\x33\0\0\0\1";
    const char *everyone = "\xff\xff\xff\xff\xff\xff";

    assert_true(accepts(bench, other));
    assert_int_equal(command(bench, "\0\0\0", 3), 0);
    assert_false(accepts(bench, other));
    assert_false(accepts(bench, group));
    assert_true(accepts(bench, own_mac));
    assert_true(accepts(bench, everyone));
    assert_int_equal(command(bench, "\0\1\1", 3), 0);
    assert_true(accepts(bench, group));
    assert_int_equal(command(bench, "\0\3\1", 3), 0);
    assert_false(accepts(bench, group));
    assert_int_equal(command(bench, "\0\3\0\0\1\0", 3), 0);
    assert_int_equal(command(bench, "\0\1\0", 3), 0);
    /* A table: one station, one group. */
    assert_int_equal(command(bench,
                             "\1\0\1\0\0\0\x52\x54\0\0\0\x9\1\0\0\0"
                             "\x33\x33\0\0\0\1",
                             22),
                     0);
    assert_true(accepts(bench, other));
    assert_true(accepts(bench, group));
    assert_int_equal(bench->net.filter.n_macs, 2);
    /* More than were sent; then an unknown class. */
    assert_int_equal(
        command(bench, "\1\0\2\0\0\0\x52\x54\0\0\0\x9\0\0\0\0", 16), 1);
    assert_int_equal(bench->net.filter.n_macs, 2);
    assert_int_equal(command(bench, "\x9\0\0", 3), 1);
    assert_int_equal(command(bench, "\1\1\x52\x54\0\0\0\x8", 8), 0);
    assert_true(accepts(bench, "\x52\x54\0\0\0\x8"));
    assert_false(accepts(bench, own_mac));
    free_bench(bench);
}

static void test_net__too_many_addresses_mean_all(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    uint8_t table[2 + 4 + 65 * 6 + 4] = {1, 0, 65};

    assert_int_equal(command(bench, "\0\0\0", 3), 0);
    assert_int_equal(command(bench, table, sizeof(table)), 0);
    assert_int_equal(bench->net.filter.uni_overflow, 1);
    assert_int_equal(bench->net.filter.n_macs, 0);
    assert_true(accepts(bench, "\x52\x54\0\0\0\x9"));
    assert_false(accepts(bench, "\x33\x33\0\0\0\1"));
    free_bench(bench);
}

static void test_net__vlans(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    uint8_t frame[60];

    make_frame(frame, sizeof(frame), own_mac);
    memcpy(frame + 12, "\x81\0\x60\x05", 4);
    assert_int_equal(command(bench, "\0\0\0", 3), 0);
    assert_int_equal(command(bench, "\2\1\5\0", 4), 0);
    assert_false(vmm_virtio_net_filter_accepts(&bench->net.filter, own_mac,
                                               frame, sizeof(frame)));
    assert_int_equal(command(bench, "\2\0\5\0", 4), 0);
    assert_true(vmm_virtio_net_filter_accepts(&bench->net.filter, own_mac,
                                              frame, sizeof(frame)));
    assert_int_equal(command(bench, "\2\0\0\x10", 4), 1);
    free_bench(bench);
}

/* A peer that does not read holds frames back, and none is lost. */
static void test_net__peer_that_is_slow(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    struct driver *driver = &bench->driver;
    static uint8_t found[65536];
    size_t n_read = 0;
    uint16_t n_sent = 0;

    while (!bench->net.backend.blocked && n_sent < 1000) {
        put(driver, 1, 0, BUFFER_AT, HEADER + 60000, 0, 0);
        offer(driver, 1, 0);
        set_reg(driver, 0x50, 1);
        vmm_virtio_work(driver->device, 0);
        n_sent++;
    }
    assert_true(n_sent < 1000);
    offer(driver, 1, 0);
    set_reg(driver, 0x50, 1);
    vmm_virtio_work(driver->device, 0);
    n_sent++;
    assert_true(used_idx(driver, 1) < n_sent);
    for (int i = 0; i < 10000 && n_read < n_sent * (size_t)60004; i++) {
        ssize_t n = read(bench->peer, found, sizeof(found));

        n_read += n > 0 ? (size_t)n : 0;
        vmm_virtio_work(driver->device, 0);
    }
    assert_int_equal(n_read, n_sent * (size_t)60004);
    assert_int_equal(used_idx(driver, 1), n_sent);
    free_bench(bench);
}

/* The peer announces a frame larger than any, or goes away. */
static void test_net__peer_that_is_mad(void **state)
{
    struct bench *bench = new_bench(false, FEATURES);
    struct driver *driver = &bench->driver;

    offer_rx(bench, 0, 2048);
    assert_int_equal(write(bench->peer, "\xff\xff\xff\xff", 4), 4);
    for (int i = 0; i < 3; i++) {
        vmm_virtio_work(driver->device, 1);
    }
    assert_int_equal(bench->net.backend.fd, -1);
    /* Frames go nowhere then. */
    put(driver, 1, 0, BUFFER_AT, HEADER + 60, 0, 0);
    offer(driver, 1, 0);
    run(driver, 1, 1);
    assert_false(driver->device->broken);
    free_bench(bench);
}

/* After a move the guest is asked to announce itself. */
static void test_net__announces_itself(void **state)
{
    struct bench *bench =
        new_bench(false, FEATURES | 1u << VMM_VIRTIO_NET_F_GUEST_ANNOUNCE |
                             1u << VMM_VIRTIO_NET_F_STATUS);
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct vmm_virtio *device = bench->driver.device;

    vmm_virtio_pause(device);
    expect_sound(&vmm_virtio_net_vmstate);
    assert_int_equal(gw_vmstate_save(&vmm_virtio_net_vmstate, &bench->net,
                                     &saved, NULL, NULL),
                     0);
    expect_loaded(&vmm_virtio_net_vmstate, &bench->net, 11, saved.data,
                  saved.size);
    expect_saved(&vmm_virtio_net_vmstate, &bench->net, saved.data, saved.size);
    vmm_virtio_resume(device);
    assert_int_equal(vmm_virtio_bus_ops.read(device, 0x106, 2), 3);
    assert_int_equal(get_reg(&bench->driver, 0x60), 3);
    assert_int_equal(command(bench, "\3\0", 2), 0);
    assert_int_equal(vmm_virtio_bus_ops.read(device, 0x106, 2), 1);
    assert_int_equal(command(bench, "\3\0", 2), 1);
    free_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_net__sends_frames),
        cmocka_unit_test(test_net__receives_frames),
        cmocka_unit_test(test_net__legacy_header),
        cmocka_unit_test(test_net__filter),
        cmocka_unit_test(test_net__too_many_addresses_mean_all),
        cmocka_unit_test(test_net__vlans),
        cmocka_unit_test(test_net__peer_that_is_slow),
        cmocka_unit_test(test_net__peer_that_is_mad),
        cmocka_unit_test(test_net__announces_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
