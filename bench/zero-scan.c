/*
 * How fast zero pages are found, beside how fast this machine's memory can
 * be read at all: both in the same run, on the same buffer, one thread.
 *
 * Usage: zero-scan [--json] [--mib N] [--rounds N] [--small-pages]
 *
 * GB/s is 10^9 bytes of memory classified (or read, or copied) per second,
 * the best of the rounds. Pages that differ at once are classified faster
 * than memory can be read; that is what looking at the ends first is for.
 */
#include <getopt.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "ram/zero.h"

#define PAGE GW_ZERO_PAGE_SIZE
/* Pages per call of the scan: 1 MiB, as the page pipeline does. */
#define CHUNK_PAGES 256u

struct options {
    size_t mib;
    unsigned int rounds;
    bool small_pages;
    bool json;
};

struct buffer {
    uint8_t *data;
    size_t n_pages;
};

/* What a page looks like, and how many pages must be found zero. */
struct shape {
    const char *name;
    bool zero;
    size_t offset; /* of its one byte that is not zero */
};

static const struct shape shapes[] = {
    {"zero", true, 0},
    {"nonzero-at-start", false, 0},
    {"nonzero-in-middle", false, PAGE / 2},
    {"nonzero-at-end", false, PAGE - 1},
};

/* Keeps the compiler from dropping a result. */
static void keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

static double gb_per_s(size_t bytes, uint64_t ns)
{
    return (double)bytes / (double)ns;
}

__attribute__((target("avx2"))) static void read_avx2(const struct buffer *b)
{
    const __m256i *at = (const __m256i *)(const void *)b->data;
    const __m256i *end = at + b->n_pages * PAGE / sizeof(*at);
    __m256i sums[4] = {0};
    size_t i;

    for (; at < end; at += 4) {
        for (i = 0; i < 4; i++) {
            sums[i] = _mm256_add_epi64(sums[i], at[i]);
        }
    }
    sums[0] = _mm256_add_epi64(_mm256_add_epi64(sums[0], sums[1]),
                               _mm256_add_epi64(sums[2], sums[3]));
    keep((uint64_t)_mm256_extract_epi64(sums[0], 0));
}

static void read_words(const struct buffer *b)
{
    const uint64_t *at = (const uint64_t *)(const void *)b->data;
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < b->n_pages * PAGE / sizeof(*at); i++) {
        sum += at[i];
    }
    keep(sum);
}

static double measure_read(const struct buffer *b, unsigned int rounds)
{
    double best = 0;

    while (rounds--) {
        uint64_t start = gw_now_ns();
        double rate;

        if (__builtin_cpu_supports("avx2")) {
            read_avx2(b);
        } else {
            read_words(b);
        }
        rate = gb_per_s(b->n_pages * PAGE, gw_now_ns() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* Half of the buffer to its other half; counts the bytes copied. */
static double measure_copy(const struct buffer *b, unsigned int rounds)
{
    size_t half = b->n_pages / 2 * PAGE;
    double best = 0;

    while (rounds--) {
        uint64_t start = gw_now_ns();
        double rate;

        memcpy(b->data, b->data + half, half);
        keep(b->data[0]);
        rate = gb_per_s(half, gw_now_ns() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

static void make_shape(const struct buffer *b, const struct shape *shape)
{
    size_t i;

    memset(b->data, 0, b->n_pages * PAGE);
    for (i = 0; i < b->n_pages && !shape->zero; i++) {
        b->data[i * PAGE + shape->offset] = 1;
    }
}

static void check(const struct shape *shape, const unsigned long *zero)
{
    size_t i;

    for (i = 0; i < CHUNK_PAGES / 64; i++) {
        if (zero[i] != (shape->zero ? ~0ul : 0)) {
            fprintf(stderr, "zero-scan: wrong result for '%s'\n", shape->name);
            exit(1);
        }
    }
}

static double measure_scan(const struct buffer *b, const struct shape *shape,
                           const struct gw_zero_variant *variant,
                           unsigned int rounds)
{
    unsigned long zero[CHUNK_PAGES / 64];
    double best = 0;

    while (rounds--) {
        uint64_t start = gw_now_ns();
        double rate;
        size_t i;

        for (i = 0; i < b->n_pages; i += CHUNK_PAGES) {
            variant->scan(b->data + i * PAGE, CHUNK_PAGES, zero);
            check(shape, zero);
        }
        rate = gb_per_s(b->n_pages * PAGE, gw_now_ns() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

static struct buffer make_buffer(const struct options *options)
{
    size_t bytes = options->mib << 20;
    struct buffer b = {.n_pages = bytes / PAGE};

    b.data = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.data == MAP_FAILED) {
        perror("zero-scan: mmap");
        exit(1);
    }
    madvise(b.data, bytes,
            options->small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    memset(b.data, 1, bytes);
    return b;
}

static void print_row(const struct options *options, const char *what,
                      const char *variant, double rate, double read_rate)
{
    if (options->json) {
        printf(",\n  {\"what\": \"%s\", \"variant\": \"%s\", "
               "\"gb_per_s\": %.2f, \"of_read\": %.2f}",
               what, variant, rate, rate / read_rate);
    } else {
        printf("%-18s %-9s %8.2f GB/s %6.2f\n", what, variant, rate,
               rate / read_rate);
    }
}

static void run(const struct options *options)
{
    struct buffer b = make_buffer(options);
    double read_rate = measure_read(&b, options->rounds);
    const struct gw_zero_variant *variant;
    size_t i;
    size_t j;

    if (options->json) {
        printf("{\"mib\": %zu, \"huge_pages\": %s, \"chosen\": \"%s\",\n"
               " \"read_gb_per_s\": %.2f,\n \"rows\": [\n  {}",
               options->mib, options->small_pages ? "false" : "true",
               gw_zero_variant_best()->name, read_rate);
    } else {
        printf("%zu MiB, %s pages, one thread; chosen here: %s\n", options->mib,
               options->small_pages ? "4 KiB" : "2 MiB",
               gw_zero_variant_best()->name);
        printf("%-18s %-9s %13s %6s\n", "what", "variant", "speed", "/read");
    }
    print_row(options, "read", "-", read_rate, read_rate);
    print_row(options, "memcpy", "-", measure_copy(&b, options->rounds),
              read_rate);
    for (i = 0; i < GW_ARRAY_SIZE(shapes); i++) {
        make_shape(&b, &shapes[i]);
        for (j = 0; (variant = gw_zero_variant_at(j)); j++) {
            if (variant->supported()) {
                print_row(
                    options, shapes[i].name, variant->name,
                    measure_scan(&b, &shapes[i], variant, options->rounds),
                    read_rate);
            }
        }
    }
    printf(options->json ? "\n ]}\n" : "");
    munmap(b.data, b.n_pages * PAGE);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"json", no_argument, NULL, 'j'},
        {"mib", required_argument, NULL, 'm'},
        {"rounds", required_argument, NULL, 'r'},
        {"small-pages", no_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.mib = 1024, .rounds = 5};
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'j':
            options.json = true;
            break;
        case 'm':
            options.mib = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.rounds = (unsigned int)strtoul(optarg, NULL, 10);
            break;
        case 's':
            options.small_pages = true;
            break;
        default:
            return 2;
        }
    }
    if (options.mib < 2 || options.mib > 1u << 20 || !options.rounds) {
        fprintf(stderr, "zero-scan: --mib 2 to 1048576, --rounds from 1\n");
        return 2;
    }
    run(&options);
    return 0;
}
