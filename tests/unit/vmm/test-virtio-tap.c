/*
 * virtio-net on a real tap interface, in a network of its own: frames with
 * headers both ways, and offloads. Needs root; skipped where there is no tap.
 */
#include "virtio_net.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio-driver.h"

#define BUFFER_AT (DATA_AT + 0x10000)
#define HEADER 12
/* For experiments; nobody else sends such. */
#define ETHERTYPE 0x88b5
#define FRAME_BYTES 100
#define FEATURES                                                       \
    (VMM_VIRTIO_BIT(32) | VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_MRG_RXBUF) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_VQ) |                        \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) |            \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CSUM) |                           \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_CSUM) |                     \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_TSO4))

static char name[] = "gwtest0";

static void bring_up(void)
{
    struct ifreq request = {.ifr_flags = IFF_UP};
    GW_AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM, 0);

    strcpy(request.ifr_name, name);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

/* The host's end: frames of our type as they pass the interface. */
static int open_packets(void)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETHERTYPE)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETHERTYPE));

    assert_true(fd >= 0);
    address.sll_ifindex = (int)if_nametoindex(name);
    assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
    return fd;
}

static void make_frame(uint8_t *frame)
{
    for (size_t i = 0; i < FRAME_BYTES; i++) {
        frame[i] = (uint8_t)(i * 3);
    }
    memset(frame, 0xff, 6);
    frame[6] = 0x02;
    frame[12] = ETHERTYPE >> 8;
    frame[13] = ETHERTYPE & 0xff;
}

static void check_sending(struct driver *driver, int packets)
{
    struct pollfd readable = {.fd = packets, .events = POLLIN};
    uint8_t *frame = (uint8_t *)ram(driver, BUFFER_AT) + HEADER;
    uint8_t found[2 * FRAME_BYTES];

    make_frame(frame);
    put(driver, 1, 0, BUFFER_AT, HEADER + FRAME_BYTES, 0, 0);
    offer(driver, 1, 0);
    run(driver, 1, 1);
    assert_int_equal(poll(&readable, 1, 5000), 1);
    assert_int_equal(recv(packets, found, sizeof(found), 0), FRAME_BYTES);
    assert_memory_equal(found, frame, FRAME_BYTES);
}

/* The kernel may have sent frames of its own before ours. */
static void check_receiving(struct driver *driver, int packets)
{
    uint8_t frame[FRAME_BYTES];
    uint16_t seen = 0;

    make_frame(frame);
    for (uint16_t i = 0; i < 8; i++) {
        put(driver, 0, i, BUFFER_AT + 0x1000u * i, 2048, DESC_F_WRITE, 0);
        offer(driver, 0, i);
    }
    assert_int_equal(send(packets, frame, sizeof(frame), 0), sizeof(frame));
    for (int i = 0; i < 500; i++) {
        vmm_virtio_work(driver->device, 10);
        for (; seen < used_idx(driver, 0); seen++) {
            uint32_t head = 0;
            uint32_t bytes = used_len(driver, 0, seen, &head);
            const uint8_t *buffer = ram(driver, BUFFER_AT + 0x1000u * head);

            assert_int_equal(vmm_get_le16(buffer + 10), 1);
            if (bytes == HEADER + FRAME_BYTES &&
                memcmp(buffer + HEADER, frame, FRAME_BYTES) == 0) {
                return;
            }
        }
    }
    fail_msg("the frame does not arrive");
}

static void check_offloads(struct driver *driver, struct vmm_virtio_net *net)
{
    uint8_t *command = ram(driver, DATA_AT);
    uint8_t *ack = ram(driver, DATA_AT + 0x800);

    assert_int_equal(net->guest_offloads, 1u << 1 | 1u << 7);
    command[0] = 5;
    command[1] = 0;
    vmm_put_le64(command + 2, 1u << 1);
    *ack = 0xee;
    put(driver, 2, 0, DATA_AT, 10, DESC_F_NEXT, 1);
    put(driver, 2, 1, DATA_AT + 0x800, 1, DESC_F_WRITE, 0);
    offer(driver, 2, 0);
    run(driver, 2, 1);
    assert_int_equal(*ack, 0);
    assert_int_equal(net->guest_offloads, 1u << 1);
    /* One that was not negotiated. */
    vmm_put_le64(command + 2, 1u << 8);
    offer(driver, 2, 0);
    run(driver, 2, 2);
    assert_int_equal(*ack, 1);
}

static void test_tap__frames_both_ways(void **state)
{
    struct driver *driver = calloc(1, sizeof(*driver));
    struct vmm_virtio_net *net = calloc(1, sizeof(*net));
    struct vmm_virtio_net_config config = {.net = {.kind = VMM_NET_TAP,
                                                   .ifname = name,
                                                   .fd = -1,
                                                   .vnet_header = true,
                                                   .mac = {2, 0, 0, 0, 0, 1}}};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int packets;

    config.virtio = driver_init(driver, false);
    if (unshare(CLONE_NEWNET) < 0 ||
        vmm_virtio_net_init(net, &config, &error) < 0) {
        print_message("# no tap here: %s\n",
                      error ? gw_error_text(error) : strerror(errno));
        driver_deinit(driver);
        free(net);
        free(driver);
        skip();
    }
    bring_up();
    packets = open_packets();
    driver->device = &net->device;
    vmm_virtio_resume(&net->device);
    driver_start(driver, FEATURES, 16);
    check_sending(driver, packets);
    check_receiving(driver, packets);
    check_offloads(driver, net);
    close(packets);
    vmm_virtio_net_deinit(net);
    driver_deinit(driver);
    free(net);
    free(driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap__frames_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
