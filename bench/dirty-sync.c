/*
 * How long it takes the library's tracker (write-protection and PAGEMAP_SCAN)
 * to begin, and to find the dirty pages of a large memory; and to find out
 * which of its pages exist at all. With memory that is all touched, in small
 * pages and in huge ones, shared, and mostly untouched.
 *
 * Usage: dirty-sync [--json] [--mib N] [--pages N] [--rounds N]
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "ram/bitmap.h"
#include "ram/block.h"
#include "ram/populated.h"
#include "ram/write_scan.h"

#define PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)
/* In sparse memory one page of so many is touched. */
#define SPARSE 64u

struct options {
    bool json;
    uint64_t mib;
    uint64_t n_dirty;
    unsigned int rounds;
};

struct shape {
    const char *name;
    uint32_t flags;
    int advice; /* of madvise */
    bool memfd;
    bool sparse;
};

static const struct shape shapes[] = {
    {"anonymous, 4 KiB", 0, MADV_NOHUGEPAGE, false, false},
    {"anonymous, 2 MiB", 0, MADV_HUGEPAGE, false, false},
    {"anonymous, sparse", 0, MADV_NOHUGEPAGE, false, true},
    {"memfd", GW_RAM_SHARED, MADV_NOHUGEPAGE, true, false},
    {"memfd, sparse", GW_RAM_SHARED, MADV_NOHUGEPAGE, true, true},
};

/* Best times, ns. */
struct result {
    uint64_t start;     /* protecting all of it */
    uint64_t sync;      /* with n_dirty dirty pages */
    uint64_t idle;      /* with none */
    uint64_t populated; /* all runs */
    uint64_t stop;
};

static void fail(const char *what)
{
    fprintf(stderr, "dirty-sync: %s\n", what);
    exit(1);
}

static struct gw_ram_block *make_block(const struct options *options,
                                       const struct shape *shape)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram", .used_length = options->mib << 20,
                    .flags = shape->flags);
    struct gw_ram_block *block = NULL;
    uint64_t step = shape->sparse ? SPARSE : 1;

    if (shape->memfd) {
        attr.fd = memfd_create("ram", MFD_CLOEXEC);
        if (attr.fd < 0 || ftruncate(attr.fd, (off_t)attr.used_length) < 0) {
            fail("memfd");
        }
    }
    if (gw_ram_block_new(&attr, &block, NULL) < 0) {
        fail("memory");
    }
    if (attr.fd >= 0) {
        close(attr.fd);
    }
    madvise(block->host, block->max_length, shape->advice);
    for (uint64_t page = 0; page < block->max_length / PAGE; page += step) {
        block->host[page * PAGE] = 1;
    }
    return block;
}

static uint64_t time_sync(const struct gw_write_scan *scan,
                          const struct gw_ram_block *block,
                          struct gw_bitmap *dirty, uint64_t *ret_n)
{
    uint64_t begin = gw_now_ns();
    uint64_t end;

    if (gw_write_scan_sync(scan, block, dirty->words, dirty->n_bits, NULL) <
        0) {
        fail("sync");
    }
    end = gw_now_ns();
    *ret_n = gw_bitmap_count(dirty);
    gw_bitmap_clear_range(dirty, 0, dirty->n_bits);
    return end - begin;
}

static uint64_t time_populated(const struct gw_ram_block *block)
{
    struct gw_populated populated;
    uint64_t begin = gw_now_ns();
    uint64_t n_pages = block->max_length / PAGE;
    bool is_hole;

    gw_populated_init(&populated, block);
    for (uint64_t at = 0; at < n_pages;) {
        at = gw_populated_run(&populated, at, n_pages, &is_hole);
    }
    gw_populated_deinit(&populated);
    return gw_now_ns() - begin;
}

/* Dirties pages at equal distances, among those that were touched. */
static uint64_t write_pages(const struct options *options,
                            const struct shape *shape,
                            const struct gw_ram_block *block)
{
    uint64_t step = shape->sparse ? SPARSE : 1;
    uint64_t n = block->max_length / PAGE / step;
    uint64_t n_dirty = gw_min_u64(options->n_dirty, n);

    for (uint64_t i = 0; i < n_dirty; i++) {
        block->host[i * (n / n_dirty) * step * PAGE]++;
    }
    return n_dirty;
}

static void keep_best(uint64_t *best, uint64_t ns)
{
    *best = *best ? gw_min_u64(*best, ns) : ns;
}

static void measure_round(const struct options *options,
                          const struct shape *shape,
                          const struct gw_ram_block *block,
                          struct gw_bitmap *dirty, struct result *result)
{
    struct gw_write_scan scan;
    uint64_t begin = gw_now_ns();
    uint64_t n_written, n;

    if (gw_write_scan_open(&scan, NULL) < 0 ||
        gw_write_scan_add(&scan, block, NULL) < 0) {
        fail("start");
    }
    keep_best(&result->start, gw_now_ns() - begin);
    /* The first splits huge pages; measured are those that follow. */
    write_pages(options, shape, block);
    time_sync(&scan, block, dirty, &n);
    n_written = write_pages(options, shape, block);
    keep_best(&result->sync, time_sync(&scan, block, dirty, &n));
    if (n != n_written) {
        fail("the dirty pages are not those that were written");
    }
    keep_best(&result->idle, time_sync(&scan, block, dirty, &n));
    keep_best(&result->populated, time_populated(block));
    begin = gw_now_ns();
    gw_write_scan_close(&scan);
    keep_best(&result->stop, gw_now_ns() - begin);
}

static void print_row(const struct options *options, const struct shape *shape,
                      const struct result *result)
{
    const struct {
        const char *name;
        uint64_t ns;
    } times[] = {
        {"start_ms", result->start},         {"sync_ms", result->sync},
        {"idle_ms", result->idle},           {"stop_ms", result->stop},
        {"populated_ms", result->populated},
    };

    if (options->json) {
        printf("%s\n  {\"memory\": \"%s\"", shape == shapes ? "" : ",",
               shape->name);
    } else {
        printf("%-18s", shape->name);
    }
    for (size_t i = 0; i < GW_ARRAY_SIZE(times); i++) {
        double ms = (double)times[i].ns / 1e6;

        if (options->json) {
            printf(", \"%s\": %.3f", times[i].name, ms);
        } else {
            printf(" %9.2f", ms);
        }
    }
    printf(options->json ? "}" : "\n");
}

static void measure(const struct options *options, const struct shape *shape)
{
    struct gw_ram_block *block = make_block(options, shape);
    struct gw_bitmap dirty = {0};
    struct result result = {0};

    if (gw_bitmap_init(&dirty, block->max_length / PAGE) < 0) {
        fail("bitmap");
    }
    for (unsigned int i = 0; i < options->rounds; i++) {
        if (i > 0 && shape->advice == MADV_HUGEPAGE) {
            /* Huge pages again, if the host has them. */
            gw_ram_block_free(block);
            block = make_block(options, shape);
        }
        measure_round(options, shape, block, &dirty, &result);
    }
    print_row(options, shape, &result);
    gw_bitmap_deinit(&dirty);
    gw_ram_block_free(block);
}

static int run(const struct options *options)
{
    struct gw_error *error = NULL;

    if (gw_write_scan_probe(&error) < 0) {
        printf("%s\n", gw_error_text(error));
        gw_error_free(error);
        return 77;
    }
    if (options->json) {
        printf("{\"mib\": %llu, \"dirty_pages\": %llu, \"rows\": [",
               (unsigned long long)options->mib,
               (unsigned long long)options->n_dirty);
    } else {
        printf("%llu MiB, %llu dirty pages, ms\n%-18s %9s %9s %9s %9s %9s\n",
               (unsigned long long)options->mib,
               (unsigned long long)options->n_dirty, "memory", "start", "sync",
               "idle", "stop", "populated");
    }
    for (size_t i = 0; i < GW_ARRAY_SIZE(shapes); i++) {
        measure(options, &shapes[i]);
    }
    printf(options->json ? "\n]}\n" : "");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"json", no_argument, NULL, 'j'},
        {"mib", required_argument, NULL, 'm'},
        {"pages", required_argument, NULL, 'p'},
        {"rounds", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.mib = 1024, .n_dirty = 1000, .rounds = 5};
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'j':
            options.json = true;
            break;
        case 'm':
            options.mib = strtoul(optarg, NULL, 10);
            break;
        case 'p':
            options.n_dirty = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.rounds = (unsigned int)strtoul(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    if (options.mib < 2 || options.mib > 1u << 20 || !options.n_dirty ||
        !options.rounds) {
        fprintf(stderr, "dirty-sync: --mib 2 to 1048576, --pages and "
                        "--rounds from 1\n");
        return 2;
    }
    return run(&options);
}
