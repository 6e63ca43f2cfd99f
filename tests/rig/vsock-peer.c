/*
 * One end of connections between a guest and its host, over vsock or over the
 * unix sockets of `godwit run --vsock`:
 *
 *   vsock-peer echo vsock PORT        vsock-peer echo unix PATH
 *   vsock-peer ask vsock CID PORT     vsock-peer ask unix PATH PORT
 *
 * `echo` sends back what comes in, on any number of connections. `ask` sends
 * 128 KiB, checks what comes back, and says "ask N ok", once a second; when
 * the connection is lost it says so and makes another.
 */
#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES (128u << 10)
#define PATIENCE_MS 20000

union address {
    struct sockaddr any;
    struct sockaddr_vm vm;
    struct sockaddr_un un;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static union address vsock_address(uint32_t cid, const char *port)
{
    return (union address){
        .vm = {.svm_family = AF_VSOCK,
               .svm_cid = cid,
               .svm_port = (uint32_t)strtoul(port, NULL, 10)}};
}

static union address unix_address(const char *path)
{
    union address address = {.un = {.sun_family = AF_UNIX}};

    snprintf(address.un.sun_path, sizeof(address.un.sun_path), "%s", path);
    return address;
}

static socklen_t size_of(const union address *address)
{
    return address->any.sa_family == AF_UNIX ? sizeof(address->un)
                                             : sizeof(address->vm);
}

static bool send_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t part = send(fd, bytes, n, MSG_NOSIGNAL);

        if (part < 0) {
            return false;
        }
        bytes += part;
        n -= (size_t)part;
    }
    return true;
}

static void echo_one(int fd)
{
    static uint8_t bytes[65536];
    ssize_t n;

    do {
        n = read(fd, bytes, sizeof(bytes));
    } while (n > 0 && send_all(fd, bytes, (size_t)n));
}

static void echo(const union address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM, 0);

    signal(SIGCHLD, SIG_IGN);
    if (fd < 0 || bind(fd, &address->any, size_of(address)) < 0 ||
        listen(fd, 8) < 0) {
        die("listen");
    }
    for (;;) {
        int peer = accept(fd, NULL, NULL);

        if (peer < 0) {
            die("accept");
        }
        if (fork() == 0) {
            echo_one(peer);
            exit(0);
        }
        close(peer);
    }
}

/* A line each way; nothing behind it. */
static bool greet(int fd, const char *port)
{
    char line[64] = "";
    size_t n = 0;

    dprintf(fd, "CONNECT %s\n", port);
    while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1) {
        if (line[n++] == '\n') {
            return strncmp(line, "OK ", 3) == 0;
        }
    }
    return false;
}

/* With a port of the guest, its name is said first. */
static int call(const union address *address, const char *port)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM, 0);

    if (fd < 0) {
        die("socket");
    }
    if (connect(fd, &address->any, size_of(address)) == 0 &&
        (!port || greet(fd, port))) {
        return fd;
    }
    close(fd);
    return -1;
}

/* Both ways, as far as it goes; false at the end. */
static bool move_some(int fd, short events, const uint8_t *out, size_t *sent,
                      uint8_t *in, size_t *received)
{
    ssize_t n;

    if (events & POLLOUT) {
        n = send(fd, out + *sent, BLOCK_BYTES - *sent,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        *sent += n > 0 ? (size_t)n : 0;
        if (n < 0 && errno != EAGAIN) {
            return false;
        }
    }
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        n = recv(fd, in + *received, BLOCK_BYTES - *received, MSG_DONTWAIT);
        *received += n > 0 ? (size_t)n : 0;
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            return false;
        }
    }
    return true;
}

static bool exchange(int fd, uint64_t seed)
{
    static uint8_t out[BLOCK_BYTES];
    static uint8_t in[BLOCK_BYTES];
    size_t sent = 0;
    size_t received = 0;

    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        out[i] = (uint8_t)(seed >> 56);
    }
    while (received < BLOCK_BYTES) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        ready.events |= sent < BLOCK_BYTES ? POLLOUT : 0;
        if (poll(&ready, 1, PATIENCE_MS) <= 0) {
            printf("ask: ERROR: %zu sent, %zu received\n", sent, received);
            return false;
        }
        if (!move_some(fd, ready.revents, out, &sent, in, &received)) {
            return false;
        }
    }
    if (memcmp(in, out, BLOCK_BYTES) != 0) {
        printf("ask: ERROR: other data\n");
    }
    return true;
}

static void ask(const union address *address, const char *port)
{
    unsigned int n = 1;
    int fd = -1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;; sleep(1)) {
        struct timespec now;

        if (fd < 0) {
            fd = call(address, port);
            if (fd >= 0) {
                printf("ask: connected\n");
            }
            continue;
        }
        clock_gettime(CLOCK_REALTIME, &now);
        if (exchange(fd, (uint64_t)now.tv_nsec)) {
            printf("ask %u ok\n", n++);
        } else {
            printf("ask: lost\n");
            close(fd);
            fd = -1;
        }
    }
}

int main(int argc, char **argv)
{
    bool asks = argc == 5 && strcmp(argv[1], "ask") == 0;
    bool echoes = argc == 4 && strcmp(argv[1], "echo") == 0;
    bool vsock = argc > 2 && strcmp(argv[2], "vsock") == 0;
    union address address;

    if (!asks && !echoes) {
        fprintf(stderr, "usage: vsock-peer echo vsock PORT | unix PATH\n"
                        "       vsock-peer ask vsock CID PORT | unix PATH "
                        "PORT\n");
        return 2;
    }
    if (vsock) {
        address =
            asks ? vsock_address((uint32_t)strtoul(argv[3], NULL, 10), argv[4])
                 : vsock_address(VMADDR_CID_ANY, argv[3]);
    } else {
        address = unix_address(argv[3]);
    }
    if (asks) {
        ask(&address, vsock ? NULL : argv[4]);
    } else {
        echo(&address);
    }
    return 0;
}
