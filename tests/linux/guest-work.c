/* SPDX-License-Identifier: MIT */
/*
 * What the Linux guest of the rig does while it is moved, each in a process of
 * its own: `memory`, `registers`, `disk` and `talk` check what they find
 * against what they know, and count. `answer` is the other end of `talk`, on
 * the host, where it outlives the machines.
 *
 * A count is a decimal number in a file, rewritten in place. Whatever is wrong
 * is said as a line that begins with ERROR, and ends the process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 16384,
    DISK_BLOCKS = 64,
    TALK_BYTES = 4096,
    PAGE = 4096,
    SPINS = 10 * 1000 * 1000, /* tens of milliseconds on an emulated CPU */
};

__attribute__((noreturn, format(printf, 1, 2))) static void
wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("ERROR: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    exit(1);
}

static void count(int fd, uint64_t n)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%20llu\n", (unsigned long long)n);

    if (pwrite(fd, text, (size_t)len, 0) != len) {
        wrong("count: %s", strerror(errno));
    }
}

static int open_count(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0644);

    if (fd < 0) {
        wrong("%s: %s", path, strerror(errno));
    }
    count(fd, 0);
    return fd;
}

/* A generator whose state is the whole pattern: splitmix64. */
static uint64_t mix(uint64_t seed)
{
    seed += 0x9e3779b97f4a7c15;
    seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
    seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
    return seed ^ (seed >> 31);
}

static void fill(uint64_t *words, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes / sizeof(*words); i++) {
        words[i] = mix(seed + i);
    }
}

static void check(const uint64_t *words, size_t bytes, uint64_t seed,
                  const char *what)
{
    for (size_t i = 0; i < bytes / sizeof(*words); i++) {
        if (words[i] != mix(seed + i)) {
            wrong("%s: word %zu is %llx, was %llx", what, i,
                  (unsigned long long)words[i],
                  (unsigned long long)mix(seed + i));
        }
    }
}

static void *pages(size_t bytes)
{
    void *memory = aligned_alloc(PAGE, bytes);

    if (!memory) {
        wrong("no memory");
    }
    memset(memory, 0, bytes);
    return memory;
}

/* memory COUNT MIB: all of it is checked and rewritten, over and over. */
static void memory(int fd, size_t mib)
{
    size_t n_pages = mib << 8;
    uint8_t *base = pages(mib << 20);

    for (size_t i = 0; i < n_pages; i++) {
        fill((uint64_t *)(base + i * PAGE), PAGE, i << 32);
    }
    for (uint64_t pass = 1;; pass++) {
        for (size_t i = 0; i < n_pages; i++) {
            uint64_t *page = (uint64_t *)(base + i * PAGE);

            check(page, PAGE, (i << 32) + pass - 1, "memory");
            fill(page, PAGE, (i << 32) + pass);
        }
        count(fd, pass);
        usleep(10000);
    }
}

#define LOAD_YMM(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define LOAD_ZMM(n) "vmovdqu64 " #n "*64(%[in]), %%zmm" #n "\n"
#define STORE_ZMM(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[out])\n"
#define FIRST_16(x)                                                           \
    x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) \
        x(14) x(15)
#define LAST_16(x)                                                          \
    x(16) x(17) x(18) x(19) x(20) x(21) x(22) x(23) x(24) x(25) x(26) x(27) \
        x(28) x(29) x(30) x(31)

/* All YMM registers hold `in` while a counter runs down, and give `out`. */
static void keep_in_ymm(const void *in, void *out)
{
    uint64_t spins = SPINS;

    __asm__ volatile(
        FIRST_16(LOAD_YMM) "1: dec %[spins]\n"
                           "jnz 1b\n" FIRST_16(STORE_YMM) "vzeroupper\n"
        : [spins] "+r"(spins)
        : [in] "r"(in), [out] "r"(out)
        : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
          "xmm14", "xmm15");
}

/* The same with the 32 ZMM registers. */
__attribute__((target("avx512f"))) static void keep_in_zmm(const void *in,
                                                           void *out)
{
    uint64_t spins = SPINS;

    __asm__ volatile(FIRST_16(LOAD_ZMM)
                         LAST_16(LOAD_ZMM) "1: dec %[spins]\n"
                                           "jnz 1b\n" FIRST_16(STORE_ZMM)
                                               LAST_16(STORE_ZMM) "vzeroupper\n"
                     : [spins] "+r"(spins)
                     : [in] "r"(in), [out] "r"(out)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                       "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17",
                       "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                       "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29",
                       "xmm30", "xmm31");
}

/*
 * registers COUNT SEED: values live in the vector registers, and nowhere else
 * that counts, for nearly all of the time.
 */
static void registers(int fd, uint64_t seed)
{
    int zmm = __builtin_cpu_supports("avx512f");
    size_t bytes = zmm ? 32 * 64 : 16 * 32;
    uint64_t in[32 * 8], out[32 * 8];

    if (!__builtin_cpu_supports("avx")) {
        wrong("this CPU has no AVX");
    }
    printf("registers %s\n", zmm ? "zmm" : "ymm");
    fflush(stdout);
    for (uint64_t pass = 1;; pass++) {
        fill(in, bytes, seed + (pass << 32));
        if (zmm) {
            keep_in_zmm(in, out);
        } else {
            keep_in_ymm(in, out);
        }
        check(out, bytes, seed + (pass << 32), "registers");
        count(fd, pass);
    }
}

/*
 * disk COUNT FILE: one block after the other is written past the page cache,
 * another one, written earlier, is read and checked, and at times all is
 * flushed.
 */
static void disk(int count_fd, const char *path)
{
    uint64_t written[DISK_BLOCKS] = {0}, *block = pages(BLOCK_BYTES);
    int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0644);

    if (fd < 0) {
        wrong("%s: %s", path, strerror(errno));
    }
    for (uint64_t n = 1;; n++) {
        size_t to = n % DISK_BLOCKS, from = n * 7 % DISK_BLOCKS;

        fill(block, BLOCK_BYTES, n << 32);
        if (pwrite(fd, block, BLOCK_BYTES, (off_t)(to * BLOCK_BYTES)) !=
            BLOCK_BYTES) {
            wrong("%s: write: %s", path, strerror(errno));
        }
        written[to] = n;
        if (written[from] != 0) {
            if (pread(fd, block, BLOCK_BYTES, (off_t)(from * BLOCK_BYTES)) !=
                BLOCK_BYTES) {
                wrong("%s: read: %s", path, strerror(errno));
            }
            check(block, BLOCK_BYTES, written[from] << 32, path);
        }
        if (n % 16 == 0 && fsync(fd) != 0) {
            wrong("%s: fsync: %s", path, strerror(errno));
        }
        count(count_fd, n);
    }
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        wrong("no address: %s", host);
    }
    return address;
}

static void transfer(ssize_t (*move)(int, void *, size_t), int fd, void *data,
                     const char *what)
{
    for (size_t done = 0; done < TALK_BYTES;) {
        ssize_t n = move(fd, (uint8_t *)data + done, TALK_BYTES - done);

        if (n <= 0) {
            wrong("%s after %zu bytes: %s", what, done,
                  n == 0 ? "end" : strerror(errno));
        }
        done += (size_t)n;
    }
}

static ssize_t write_some(int fd, void *data, size_t bytes)
{
    return write(fd, data, bytes);
}

/*
 * talk COUNT HOST PORT: over one connection, blocks go out and must come back.
 * An answer whose first word is 0 says that it is enough.
 */
static void talk(int count_fd, const char *host, const char *port)
{
    struct sockaddr_in address = address_of(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    uint64_t *block = pages(TALK_BYTES);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        wrong("connect: %s", strerror(errno));
    }
    for (uint64_t n = 1;; n++) {
        fill(block, TALK_BYTES, n << 32);
        block[0] = n;
        transfer(write_some, fd, block, "send");
        transfer(read, fd, block, "receive");
        if (block[0] == 0) {
            printf("told to end after %llu blocks\n", (unsigned long long)n);
            return;
        }
        if (block[0] != n) {
            wrong("block %llu came back for %llu", (unsigned long long)block[0],
                  (unsigned long long)n);
        }
        block[0] = mix(n << 32);
        check(block, TALK_BYTES, n << 32, "talk");
        count(count_fd, n);
        usleep(5000);
    }
}

/*
 * answer COUNT HOST PORT END: the other end of `talk`, for one connection.
 * Once the file END exists, the guest is told so.
 */
static void answer(int count_fd, const char *host, const char *port,
                   const char *end)
{
    struct sockaddr_in address = address_of(host, port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, on = 1;
    uint64_t *block = pages(TALK_BYTES);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0 || (fd = accept(listener, NULL, NULL)) < 0) {
        wrong("%s:%s: %s", host, port, strerror(errno));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    for (uint64_t n = 1;; n++) {
        transfer(read, fd, block, "receive");
        if (block[0] != n) {
            wrong("block %llu came after %llu", (unsigned long long)block[0],
                  (unsigned long long)n - 1);
        }
        if (access(end, F_OK) == 0) {
            block[0] = 0;
        }
        transfer(write_some, fd, block, "send");
        count(count_fd, n);
        if (block[0] == 0) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    int fd;

    if (argc < 4) {
        fprintf(stderr, "usage: guest-work memory COUNT MIB | registers COUNT "
                        "SEED | disk COUNT FILE |\n"
                        "       talk COUNT HOST PORT | answer COUNT HOST PORT "
                        "END\n");
        return 2;
    }
    fd = open_count(argv[2]);
    if (strcmp(what, "memory") == 0) {
        memory(fd, strtoul(argv[3], NULL, 0));
    } else if (strcmp(what, "registers") == 0) {
        registers(fd, strtoull(argv[3], NULL, 0));
    } else if (strcmp(what, "disk") == 0) {
        disk(fd, argv[3]);
    } else if (strcmp(what, "talk") == 0 && argc > 4) {
        talk(fd, argv[3], argv[4]);
    } else if (strcmp(what, "answer") == 0 && argc > 5) {
        answer(fd, argv[3], argv[4], argv[5]);
    } else {
        wrong("unknown work: %s", what);
    }
    return 0;
}
