/*
 * A network card whose peer is the real passt, in a network of their own: one
 * interface with an address and a default route, from which passt takes what
 * it gives to the guest.
 */
#ifndef GW_TESTS_UNIT_VMM_PASST_BENCH_H
#define GW_TESTS_UNIT_VMM_PASST_BENCH_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virtio-driver.h"
#include "virtio_net.h"

#define INTERFACE "gwtest0"
/* The interface's, and so the guest's, and the router's. */
#define GUEST_ADDRESS "\xc0\0\2\2"
#define ROUTER_ADDRESS "\xc0\0\2\1"
#define NETMASK "\xff\xff\xff\0"
#define HOST_MAC "\2\0\0\0\0\1"
#define HOST_MAC_TEXT "02:00:00:00:00:01"
#define GUEST_MAC "\x52\x54\0\1\2\3"

#define N_RX 16
#define RX_BYTES 0x1000u
#define RX_AT(head) (DATA_AT + 0x10000u + RX_BYTES * (head))
#define TX_AT DATA_AT
#define HEADER 12u
#define FEATURES                                                       \
    (VMM_VIRTIO_BIT(32) | VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_MRG_RXBUF) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_STATUS) |                         \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_CTRL_VQ) |                        \
     VMM_VIRTIO_BIT(VMM_VIRTIO_NET_F_GUEST_ANNOUNCE))
#define PATIENCE_MS 5000

struct bench {
    struct driver driver;
    struct vmm_virtio_net net;
    char folder[64];
    char path[96];
    pid_t passt;
    /* Entries of the used ring of what came in. */
    uint16_t n_seen;
};

/* --- A network of one's own --- */

static inline bool write_text(const char *path, const char *text)
{
    GW_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static inline bool enter_namespaces(void)
{
    char users[32];
    char groups[32];

    snprintf(users, sizeof(users), "0 %u 1", (unsigned int)geteuid());
    snprintf(groups, sizeof(groups), "0 %u 1", (unsigned int)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
           write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", users) &&
           write_text("/proc/self/gid_map", groups);
}

static inline void set_in(struct sockaddr *to, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    memcpy(&in.sin_addr, address, 4);
    memcpy(to, &in, sizeof(in));
}

static inline bool bring_up(int fd, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_UP};

    strcpy(request.ifr_name, name);
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* Of the kinds of interfaces, tap is the one that godwit needs anyhow. */
static inline bool make_interface(int fd)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    /* Stays open, and the interface with it. */
    int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    strcpy(request.ifr_name, INTERFACE);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
        return false;
    }
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, HOST_MAC, 6);
    if (ioctl(fd, SIOCSIFHWADDR, &request) < 0) {
        return false;
    }
    set_in(&request.ifr_addr, GUEST_ADDRESS);
    if (ioctl(fd, SIOCSIFADDR, &request) < 0) {
        return false;
    }
    set_in(&request.ifr_netmask, NETMASK);
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0 && bring_up(fd, INTERFACE);
}

static inline bool make_network(void)
{
    GW_AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};

    set_in(&route.rt_dst, "\0\0\0\0");
    set_in(&route.rt_genmask, "\0\0\0\0");
    set_in(&route.rt_gateway, ROUTER_ADDRESS);
    return fd >= 0 && bring_up(fd, "lo") && make_interface(fd) &&
           ioctl(fd, SIOCADDRT, &route) == 0;
}

/* --- passt --- */

static inline bool has_passt(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

        dup2(fd, 1);
        dup2(fd, 2);
        execlp("passt", "passt", "--version", NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Ends with its only peer. */
static inline void start_passt(struct bench *bench)
{
    bench->passt = fork();
    assert_true(bench->passt >= 0);
    if (bench->passt == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("passt", "passt", "--foreground", "--quiet", "--ipv4-only",
               "--one-off", "--mac-addr", HOST_MAC_TEXT, "--socket",
               bench->path, NULL);
        _exit(127);
    }
}

static inline void kill_passt(struct bench *bench)
{
    assert_int_equal(kill(bench->passt, SIGKILL), 0);
    assert_int_equal(waitpid(bench->passt, NULL, 0), bench->passt);
    bench->passt = 0;
}

/* Without its peer it ends by itself. */
static inline void wait_for_passt_to_end(struct bench *bench)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (waitpid(bench->passt, NULL, WNOHANG) == bench->passt) {
            bench->passt = 0;
            return;
        }
        usleep(1000);
    }
    kill_passt(bench);
    fail_msg("passt does not end");
}

/* --- The card --- */

/* As `godwit run` does, once passt listens. */
static inline void connect_card(struct bench *bench)
{
    struct vmm_virtio_net_config config = {
        .net = {.kind = VMM_NET_PASST, .fd = -1, .path = bench->path},
        .virtio = driver_init(&bench->driver, false)};
    int r = -ENOENT;

    memcpy(config.net.mac, GUEST_MAC, 6);
    for (int i = 0; i < PATIENCE_MS && (r == -ENOENT || r == -ECONNREFUSED);
         i++) {
        usleep(1000);
        r = vmm_virtio_net_init(&bench->net, &config, NULL);
    }
    assert_int_equal(r, 0);
    bench->driver.device = &bench->net.device;
}

static inline void offer_rx(struct bench *bench, uint32_t head)
{
    put(&bench->driver, 0, head, RX_AT(head), RX_BYTES, DESC_F_WRITE, 0);
    offer(&bench->driver, 0, (uint16_t)head);
}

static inline void start_card(struct bench *bench)
{
    vmm_virtio_resume(&bench->net.device);
    driver_start(&bench->driver, FEATURES, N_RX);
    for (uint32_t head = 0; head < N_RX; head++) {
        offer_rx(bench, head);
    }
    set_reg(&bench->driver, 0x50, 0);
}

static inline struct bench *new_bench(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    strcpy(bench->folder, "/tmp/test-passt-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->path, sizeof(bench->path), "%s/socket", bench->folder);
    start_passt(bench);
    connect_card(bench);
    start_card(bench);
    return bench;
}

static inline void free_bench(struct bench *bench)
{
    vmm_virtio_net_deinit(&bench->net);
    driver_deinit(&bench->driver);
    if (bench->passt) {
        wait_for_passt_to_end(bench);
    }
    unlink(bench->path);
    rmdir(bench->folder);
    free(bench);
}

/* --- Frames --- */

/* Lends room for a frame that the guest sends next. */
static inline uint8_t *tx_frame(struct bench *bench)
{
    uint8_t *packet = ram(&bench->driver, TX_AT);

    memset(packet, 0, 0x1000);
    return packet + HEADER;
}

static inline void send_frame(struct bench *bench, size_t bytes)
{
    struct driver *driver = &bench->driver;

    put(driver, 1, 0, TX_AT, HEADER + (uint32_t)bytes, 0, 0);
    offer(driver, 1, 0);
    run(driver, 1, (uint16_t)(used_idx(driver, 1) + 1));
}

/* Lends the next frame, or NULL if none comes in that time. */
static inline const uint8_t *next_frame(struct bench *bench, int timeout_ms,
                                        size_t *ret_bytes)
{
    struct driver *driver = &bench->driver;
    int64_t end = vmm_now_ns() + timeout_ms * INT64_C(1000000);
    uint32_t head;

    while (used_idx(driver, 0) == bench->n_seen) {
        if (vmm_now_ns() > end) {
            return NULL;
        }
        vmm_virtio_work(driver->device, 10);
    }
    *ret_bytes = used_len(driver, 0, bench->n_seen, &head) - HEADER;
    bench->n_seen++;
    assert_in_range(head, 0, N_RX - 1);
    offer_rx(bench, head);
    assert_int_equal(vmm_get_le16(ram(driver, RX_AT(head) + 10)), 1);
    return (const uint8_t *)ram(driver, RX_AT(head)) + HEADER;
}

/* Lends the next frame that has these bytes there; passt may send others. */
static inline const uint8_t *next_frame_with(struct bench *bench, size_t at,
                                             const char *found, size_t n_found,
                                             size_t *ret_bytes)
{
    const uint8_t *frame;

    do {
        frame = next_frame(bench, PATIENCE_MS, ret_bytes);
        assert_non_null(frame);
    } while (*ret_bytes < at + n_found ||
             memcmp(frame + at, found, n_found) != 0);
    return frame;
}

#endif
