/*
 * Dirty tracking by pagemap, on real memory of every kind: what was written
 * is reported, nothing else is, and what was never touched stays so. And the
 * marks of reported writes, with a tracker that knows nothing by itself.
 */
#include "machine/tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/machine.h"
#include "ram/block.h"
#include "ram/pagemap.h"
#include "ram/write_scan.h"

#define PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)
/* Not a multiple of 64, and several page tables. */
#define N_PAGES 2500u

static int do_nothing(void *opaque, struct gw_error **errp)
{
    return 0;
}

static const struct gw_machine_ops machine_ops = {
    .pause = do_nothing,
    .resume = do_nothing,
};

enum kind {
    ANONYMOUS,     /* the library's */
    VOUCHED,       /* the caller's, with GW_RAM_ANONYMOUS */
    UNKNOWN,       /* the caller's, nothing said */
    SHARED,        /* shared and without a file */
    MEMFD,         /* shared */
    MEMFD_PRIVATE, /* a private view of a memfd */
    DISK,          /* a shared file */
    DISK_PRIVATE,  /* a private view of a file */
    N_KINDS,
};

static const char *const kind_names[N_KINDS] = {
    "anonymous", "vouched", "unknown", "shared",
    "memfd",     "private", "disk",    "disk, private",
};

struct setup {
    struct gw_machine *machine;
    struct gw_ram_block *block;
    struct gw_bitmap dirty;
    uint8_t *own;
};

static int open_disk(void)
{
    const char *folder = getenv("TMPDIR");
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/gw-tracker-XXXXXX",
             folder ? folder : "/tmp");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static bool is_shared(enum kind kind)
{
    return kind == SHARED || kind == MEMFD || kind == DISK;
}

static int open_kind(enum kind kind)
{
    int fd = -1;

    if (kind == MEMFD || kind == MEMFD_PRIVATE) {
        fd = memfd_create("ram", MFD_CLOEXEC);
    } else if (kind == DISK || kind == DISK_PRIVATE) {
        fd = open_disk();
    } else {
        return -1;
    }
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(N_PAGES * PAGE)), 0);
    return fd;
}

static void add_block(struct setup *setup, enum kind kind)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram", .used_length = N_PAGES * PAGE);
    int fd = open_kind(kind);

    attr.fd = fd;
    attr.flags = is_shared(kind) ? (uint32_t)GW_RAM_SHARED : 0;
    if (kind == VOUCHED || kind == UNKNOWN) {
        setup->own = mmap(NULL, N_PAGES * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(setup->own, MAP_FAILED);
        attr.host = setup->own;
        attr.flags |= kind == VOUCHED ? (uint32_t)GW_RAM_ANONYMOUS : 0;
    }
    assert_int_equal(
        gw_ram_block_add(setup->machine, &attr, &setup->block, NULL), 0);
    if (fd >= 0) {
        close(fd);
    }
    /* Or one touched page may bring 511 others. */
    madvise(setup->block->host, N_PAGES * PAGE, MADV_NOHUGEPAGE);
}

static void set_up(struct setup *setup, enum kind kind)
{
    *setup = (struct setup){0};
    setup->machine = gw_machine_new("test", &machine_ops, NULL);
    assert_non_null(setup->machine);
    add_block(setup, kind);
    assert_int_equal(gw_bitmap_init(&setup->dirty, N_PAGES), 0);
}

static void tear_down(struct setup *setup)
{
    gw_machine_free(setup->machine);
    gw_bitmap_deinit(&setup->dirty);
    if (setup->own) {
        munmap(setup->own, N_PAGES * PAGE);
    }
}

static void skip_without_pagemap(void)
{
    struct gw_error *error = NULL;
    int r = gw_write_scan_probe(&error);

    if (r < 0) {
        assert_int_equal(r, -ENOTSUP);
        print_message("# %s\n", gw_error_text(error));
        gw_error_free(error);
        skip();
    }
}

static void start(struct setup *setup)
{
    assert_int_equal(gw_machine_track_by_pagemap(setup->machine, NULL), 0);
    assert_true(gw_machine_has_tracker(setup->machine));
    assert_int_equal(gw_machine_tracker_start(setup->machine, NULL), 0);
}

static void write_page(struct setup *setup, uint64_t page)
{
    atomic_fetch_add((atomic_uchar *)setup->block->host + page * PAGE + 7, 1);
}

static uint8_t read_page(struct setup *setup, uint64_t page)
{
    return atomic_load((atomic_uchar *)setup->block->host + page * PAGE);
}

/* Syncs into an empty bitmap. */
static void sync_dirty(struct setup *setup)
{
    gw_bitmap_clear_range(&setup->dirty, 0, N_PAGES);
    assert_int_equal(gw_machine_tracker_sync(setup->machine, setup->block,
                                             &setup->dirty, NULL),
                     0);
}

/* The pages that a sync reports, as "3 7-9 ". */
static const char *sync_text(struct setup *setup)
{
    static char text[4096];
    uint64_t first, end = 0;
    size_t len = 0;

    sync_dirty(setup);
    text[0] = '\0';
    while (gw_bitmap_next_run(&setup->dirty, end, &first, &end) &&
           len < sizeof(text) - 64) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                end == first + 1 ? "%llu " : "%llu-%llu ",
                                (unsigned long long)first,
                                (unsigned long long)end - 1);
    }
    return text;
}

/* Pages of the block's memory that exist: mapped, or in its file. */
static uint64_t count_pages(struct setup *setup)
{
    static unsigned char resident[N_PAGES];
    uint64_t n = 0;

    assert_int_equal(mincore(setup->block->host, N_PAGES * PAGE, resident), 0);
    for (unsigned int i = 0; i < N_PAGES; i++) {
        n += resident[i] & 1;
    }
    return n;
}

static void check_written(enum kind kind)
{
    struct setup setup;

    set_up(&setup, kind);
    write_page(&setup, 0);
    write_page(&setup, 3);
    write_page(&setup, 1000);
    start(&setup);
    /* What was there before is not dirty. */
    assert_string_equal(sync_text(&setup), "");
    write_page(&setup, 3);
    write_page(&setup, 63);
    write_page(&setup, 64);
    write_page(&setup, 2048);
    write_page(&setup, N_PAGES - 1);
    assert_string_equal(sync_text(&setup), "3 63-64 2048 2499 ");
    /* It is armed again by that, and by it only. */
    assert_string_equal(sync_text(&setup), "");
    write_page(&setup, 3);
    write_page(&setup, 1000);
    assert_string_equal(sync_text(&setup), "3 1000 ");
    gw_machine_tracker_stop(setup.machine);
    /* And once more from the start. */
    write_page(&setup, 4);
    assert_int_equal(gw_machine_tracker_start(setup.machine, NULL), 0);
    assert_string_equal(sync_text(&setup), "");
    write_page(&setup, 5);
    assert_string_equal(sync_text(&setup), "5 ");
    gw_machine_tracker_stop(setup.machine);
    tear_down(&setup);
}

static void test_pagemap__reports_what_was_written(void **state)
{
    (void)state;
    skip_without_pagemap();
    for (int kind = 0; kind < N_KINDS; kind++) {
        print_message("# %s\n", kind_names[kind]);
        check_written(kind);
    }
}

/* Pages that were read between are not written. */
static void check_read(enum kind kind)
{
    struct setup setup;

    set_up(&setup, kind);
    for (uint64_t i = 0; i < 600; i++) {
        write_page(&setup, i);
    }
    start(&setup);
    for (uint64_t i = 0; i < 600; i++) {
        assert_int_equal(read_page(&setup, i), 0);
    }
    write_page(&setup, 20);
    assert_string_equal(sync_text(&setup), "20 ");
    gw_machine_tracker_stop(setup.machine);
    tear_down(&setup);
}

static void test_pagemap__ignores_reads(void **state)
{
    (void)state;
    skip_without_pagemap();
    for (int kind = 0; kind < N_KINDS; kind++) {
        check_read(kind);
    }
}

/* A system call writes in the kernel, not in the program. */
static void test_pagemap__sees_system_calls(void **state)
{
    int ends[2];

    (void)state;
    skip_without_pagemap();
    assert_int_equal(pipe(ends), 0);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct setup setup;

        set_up(&setup, kind);
        write_page(&setup, 10);
        start(&setup);
        for (uint64_t page = 10; page < 12; page++) {
            assert_int_equal(write(ends[1], "hello", 5), 5);
            assert_int_equal(read(ends[0], setup.block->host + page * PAGE, 5),
                             5);
        }
        assert_string_equal(sync_text(&setup), "10-11 ");
        gw_machine_tracker_stop(setup.machine);
        tear_down(&setup);
    }
    close(ends[0]);
    close(ends[1]);
}

static void test_pagemap__populates_nothing(void **state)
{
    (void)state;
    skip_without_pagemap();
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct setup setup;
        struct stat before = {0};
        struct stat after = {0};
        uint64_t n_pages;

        set_up(&setup, kind);
        write_page(&setup, 1);
        n_pages = count_pages(&setup);
        assert_true(setup.block->fd < 0 ||
                    fstat(setup.block->fd, &before) == 0);
        start(&setup);
        sync_dirty(&setup);
        sync_dirty(&setup);
        gw_machine_tracker_stop(setup.machine);
        assert_int_equal(count_pages(&setup), n_pages);
        /* A disk is read ahead. */
        assert_true(kind >= DISK || n_pages == 1);
        assert_true(setup.block->fd < 0 || fstat(setup.block->fd, &after) == 0);
        assert_int_equal(after.st_blocks, before.st_blocks);
        tear_down(&setup);
    }
}

/*
 * Entries that the kernel drops (here because it is told to page out) must
 * not take the knowledge with them.
 */
static void check_dropped(enum kind kind)
{
    struct setup setup;

    set_up(&setup, kind);
    for (uint64_t i = 0; i < 40; i++) {
        write_page(&setup, i);
    }
    start(&setup);
    write_page(&setup, 5);
    write_page(&setup, 600);
    /* Writes back what it must, and unmaps what it can. */
    msync(setup.block->host, N_PAGES * PAGE, MS_SYNC);
    madvise(setup.block->host, N_PAGES * PAGE, MADV_PAGEOUT);
    sync_dirty(&setup);
    assert_true(gw_bitmap_test(&setup.dirty, 5));
    assert_true(gw_bitmap_test(&setup.dirty, 600));
    assert_int_equal(gw_bitmap_count(&setup.dirty), 2);
    assert_string_equal(sync_text(&setup), "");
    gw_machine_tracker_stop(setup.machine);
    tear_down(&setup);
}

static void test_pagemap__survives_dropped_entries(void **state)
{
    (void)state;
    skip_without_pagemap();
    for (int kind = 0; kind < N_KINDS; kind++) {
        print_message("# %s\n", kind_names[kind]);
        check_dropped(kind);
    }
}

/* The entries of shared memory go, its pages stay: all may be written. */
static void test_pagemap__takes_no_entry_for_written(void **state)
{
    struct setup setup;

    (void)state;
    skip_without_pagemap();
    set_up(&setup, MEMFD);
    write_page(&setup, 7);
    start(&setup);
    write_page(&setup, 8);
    write_page(&setup, 2000);
    assert_int_equal(madvise(setup.block->host, N_PAGES * PAGE, MADV_DONTNEED),
                     0);
    sync_dirty(&setup);
    assert_true(gw_bitmap_test(&setup.dirty, 8));
    assert_true(gw_bitmap_test(&setup.dirty, 2000));
    /* Holes of the file were not written for certain. */
    assert_false(gw_bitmap_test(&setup.dirty, 9));
    assert_false(gw_bitmap_test(&setup.dirty, 1000));
    assert_string_equal(sync_text(&setup), "");
    gw_machine_tracker_stop(setup.machine);
    tear_down(&setup);
}

/* Huge pages are written as a whole once, then page by page. */
static void test_pagemap__splits_huge_pages(void **state)
{
    struct setup setup;
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "huge", .used_length = (uint64_t)8 << 20);
    struct gw_bitmap dirty = {0};
    struct gw_ram_block *block;

    (void)state;
    skip_without_pagemap();
    set_up(&setup, ANONYMOUS);
    assert_int_equal(gw_ram_block_add(setup.machine, &attr, &block, NULL), 0);
    madvise(block->host, block->max_length, MADV_HUGEPAGE);
    memset(block->host, 1, block->max_length);
    assert_int_equal(gw_bitmap_init(&dirty, block->max_length / PAGE), 0);
    start(&setup);
    block->host[1000 * PAGE] = 2;
    assert_int_equal(
        gw_machine_tracker_sync(setup.machine, block, &dirty, NULL), 0);
    assert_true(gw_bitmap_test(&dirty, 1000));
    assert_int_equal(gw_bitmap_count(&dirty), 1);
    gw_machine_tracker_stop(setup.machine);
    gw_bitmap_deinit(&dirty);
    tear_down(&setup);
}

static void test_pagemap__leaves_read_only_blocks(void **state)
{
    struct setup setup;
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "rom", .used_length = 2 * PAGE,
                    .flags = GW_RAM_READONLY | GW_RAM_ANONYMOUS);
    unsigned long word = 0;
    struct gw_bitmap dirty = {.words = &word, .n_bits = 2};
    struct gw_ram_block *block;

    (void)state;
    skip_without_pagemap();
    set_up(&setup, ANONYMOUS);
    attr.host =
        mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(gw_ram_block_add(setup.machine, &attr, &block, NULL), 0);
    start(&setup);
    assert_int_equal(
        gw_machine_tracker_sync(setup.machine, block, &dirty, NULL), 0);
    assert_int_equal(word, 0);
    gw_ram_block_wrote(block, PAGE, 1);
    assert_int_equal(
        gw_machine_tracker_sync(setup.machine, block, &dirty, NULL), 0);
    assert_int_equal(word, 2);
    gw_machine_tracker_stop(setup.machine);
    tear_down(&setup);
    munmap(attr.host, 2 * PAGE);
}

/* Only one at a time, and none comes or goes under a migration. */
static void test_pagemap__is_refused_during_a_migration(void **state)
{
    struct gw_error *error = NULL;
    struct setup setup;

    (void)state;
    skip_without_pagemap();
    set_up(&setup, ANONYMOUS);
    assert_int_equal(gw_machine_acquire(setup.machine, NULL), 0);
    assert_int_equal(gw_machine_track_by_pagemap(setup.machine, &error),
                     -EBUSY);
    assert_string_equal(gw_error_text(error), "a migration is in progress");
    gw_error_free(error);
    gw_machine_release(setup.machine);
    assert_false(gw_machine_has_tracker(setup.machine));
    tear_down(&setup);
}

/* ---- Writers that do not wait ---- */

struct writer {
    struct setup *setup;
    atomic_bool quit;
    unsigned int seed;
    bool tells; /* with gw_ram_block_wrote */
};

static void *run_writer(void *opaque)
{
    struct writer *writer = opaque;
    struct setup *setup = writer->setup;

    while (!atomic_load(&writer->quit)) {
        uint64_t page = (uint64_t)rand_r(&writer->seed) % N_PAGES;

        write_page(setup, page);
        if (writer->tells) {
            gw_ram_block_wrote(setup->block, page * PAGE + 7, 1);
        }
    }
    return NULL;
}

static void copy_page(struct setup *setup, uint8_t *copy, uint64_t page)
{
    copy[page] =
        atomic_load((atomic_uchar *)setup->block->host + page * PAGE + 7);
}

/*
 * A migration in small: all pages, then what is dirty, while threads write;
 * after the last sync, with the threads gone, the copy is exact.
 */
static void check_copy(struct setup *setup, bool tells)
{
    static uint8_t copy[N_PAGES];
    struct writer writers[2];
    pthread_t threads[2];
    uint64_t page, end;

    for (unsigned int i = 0; i < 2; i++) {
        writers[i] =
            (struct writer){.setup = setup, .seed = i + 1, .tells = tells};
        assert_int_equal(
            pthread_create(&threads[i], NULL, run_writer, &writers[i]), 0);
    }
    assert_int_equal(gw_machine_tracker_start(setup->machine, NULL), 0);
    for (page = 0; page < N_PAGES; page++) {
        copy_page(setup, copy, page);
    }
    for (unsigned int round = 0; round < 30; round++) {
        if (round == 29) {
            for (unsigned int i = 0; i < 2; i++) {
                atomic_store(&writers[i].quit, true);
                pthread_join(threads[i], NULL);
            }
        }
        sync_dirty(setup);
        end = 0;
        while (gw_bitmap_next_run(&setup->dirty, end, &page, &end)) {
            for (; page < end; page++) {
                copy_page(setup, copy, page);
            }
        }
    }
    gw_machine_tracker_stop(setup->machine);
    for (page = 0; page < N_PAGES; page++) {
        uint8_t now = copy[page];

        copy_page(setup, copy, page);
        assert_int_equal(copy[page], now);
    }
}

static void test_pagemap__loses_no_write(void **state)
{
    (void)state;
    skip_without_pagemap();
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct setup setup;

        set_up(&setup, kind);
        assert_int_equal(gw_machine_track_by_pagemap(setup.machine, NULL), 0);
        check_copy(&setup, false);
        tear_down(&setup);
    }
}

/* ---- A tracker that knows nothing ---- */

struct counts {
    unsigned int starts, stops, syncs, arms;
    bool fails;
    unsigned long reported;
};

static int count_start(void *opaque, struct gw_error **errp)
{
    struct counts *counts = opaque;

    counts->starts++;
    return counts->fails ? gw_error_set(errp, -EIO, "it is broken") : 0;
}

static void count_stop(void *opaque)
{
    ((struct counts *)opaque)->stops++;
}

static int count_sync(void *opaque, struct gw_ram_block *block,
                      unsigned long *dirty, uint64_t n_pages,
                      struct gw_error **errp)
{
    struct counts *counts = opaque;

    counts->syncs++;
    dirty[(n_pages - 1) / 64] |= counts->reported;
    return counts->fails ? gw_error_set(errp, -EIO, "it is broken") : 0;
}

static int count_arm(void *opaque, struct gw_ram_block *block, uint64_t first,
                     uint64_t n_pages, struct gw_error **errp)
{
    struct counts *counts = opaque;

    counts->arms++;
    return counts->fails ? gw_error_set(errp, -EIO, "it is broken") : 0;
}

static const struct gw_tracker_ops count_ops = {
    .name = "counts",
    .start = count_start,
    .stop = count_stop,
    .sync = count_sync,
    .arm = count_arm,
};

static void test_tracker__is_called(void **state)
{
    struct counts counts = {.reported = ~0ul};
    struct setup setup;

    (void)state;
    set_up(&setup, ANONYMOUS);
    assert_false(gw_machine_has_tracker(setup.machine));
    assert_null(gw_machine_tracker_name(setup.machine));
    assert_int_equal(gw_machine_tracker_start(setup.machine, NULL), -EINVAL);
    gw_machine_set_tracker(setup.machine, &count_ops, &counts);
    assert_true(gw_machine_has_tracker(setup.machine));
    assert_string_equal(gw_machine_tracker_name(setup.machine), "counts");
    assert_int_equal(gw_machine_tracker_start(setup.machine, NULL), 0);
    assert_int_equal(
        gw_machine_tracker_arm(setup.machine, setup.block, 64, 64, NULL), 0);
    /* 2500 pages: 4 bits in the last word, whatever was reported there. */
    assert_string_equal(sync_text(&setup), "2496-2499 ");
    assert_int_equal(setup.dirty.words[2500 / 64], 0xf);
    gw_machine_tracker_stop(setup.machine);
    assert_int_equal(counts.starts, 1);
    assert_int_equal(counts.arms, 1);
    assert_int_equal(counts.syncs, 1);
    assert_int_equal(counts.stops, 1);
    gw_machine_set_tracker(setup.machine, NULL, NULL);
    assert_false(gw_machine_has_tracker(setup.machine));
    tear_down(&setup);
}

static void check_failure(int r, struct gw_error **error, const char *text)
{
    assert_int_equal(r, -EIO);
    assert_string_equal(gw_error_text(*error), text);
    gw_error_free(*error);
    *error = NULL;
}

static void test_tracker__failures_name_it(void **state)
{
    struct counts counts = {.fails = true};
    struct gw_error *error = NULL;
    struct setup setup;

    (void)state;
    set_up(&setup, ANONYMOUS);
    gw_machine_set_tracker(setup.machine, &count_ops, &counts);
    check_failure(gw_machine_tracker_start(setup.machine, &error), &error,
                  "dirty tracker counts: it is broken");
    check_failure(gw_machine_tracker_sync(setup.machine, setup.block,
                                          &setup.dirty, &error),
                  &error,
                  "dirty tracker counts, RAM block 'ram': it is broken");
    check_failure(
        gw_machine_tracker_arm(setup.machine, setup.block, 0, 64, &error),
        &error, "dirty tracker counts, RAM block 'ram': it is broken");
    /* Nothing is remembered after a start that failed. */
    gw_ram_block_wrote(setup.block, 0, PAGE);
    counts.fails = false;
    assert_string_equal(sync_text(&setup), "");
    tear_down(&setup);
}

static void test_wrote__marks_pages(void **state)
{
    struct counts counts = {0};
    struct setup setup;

    (void)state;
    set_up(&setup, ANONYMOUS);
    gw_machine_set_tracker(setup.machine, &count_ops, &counts);
    /* Without a start nothing happens. */
    gw_ram_block_wrote(setup.block, 0, PAGE);
    assert_int_equal(gw_machine_tracker_start(setup.machine, NULL), 0);
    assert_string_equal(sync_text(&setup), "");
    gw_ram_block_wrote(setup.block, 0, 0);
    assert_string_equal(sync_text(&setup), "");
    gw_ram_block_wrote(setup.block, 0, 1);
    gw_ram_block_wrote(setup.block, 2 * PAGE - 1, 2);
    gw_ram_block_wrote(setup.block, 60 * PAGE, 10 * PAGE);
    assert_string_equal(sync_text(&setup), "0-2 60-69 ");
    assert_string_equal(sync_text(&setup), "");
    /* Over several words, and beyond the block in all ways. */
    gw_ram_block_wrote(setup.block, 100 * PAGE, 200 * PAGE);
    gw_ram_block_wrote(setup.block, (N_PAGES - 1) * PAGE, UINT64_MAX);
    gw_ram_block_wrote(setup.block, N_PAGES * PAGE, 1);
    gw_ram_block_wrote(setup.block, UINT64_MAX, UINT64_MAX);
    assert_string_equal(sync_text(&setup), "100-299 2499 ");
    /* What nobody took does not come back after a new start. */
    gw_ram_block_wrote(setup.block, 0, 1);
    gw_machine_tracker_stop(setup.machine);
    gw_ram_block_wrote(setup.block, PAGE, 1);
    assert_int_equal(gw_machine_tracker_start(setup.machine, NULL), 0);
    assert_string_equal(sync_text(&setup), "");
    gw_machine_tracker_stop(setup.machine);
    tear_down(&setup);
}

static void test_wrote__loses_no_write(void **state)
{
    struct counts counts = {0};
    struct setup setup;

    (void)state;
    set_up(&setup, ANONYMOUS);
    gw_machine_set_tracker(setup.machine, &count_ops, &counts);
    check_copy(&setup, true);
    check_copy(&setup, true);
    tear_down(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pagemap__reports_what_was_written),
        cmocka_unit_test(test_pagemap__ignores_reads),
        cmocka_unit_test(test_pagemap__sees_system_calls),
        cmocka_unit_test(test_pagemap__populates_nothing),
        cmocka_unit_test(test_pagemap__survives_dropped_entries),
        cmocka_unit_test(test_pagemap__takes_no_entry_for_written),
        cmocka_unit_test(test_pagemap__splits_huge_pages),
        cmocka_unit_test(test_pagemap__leaves_read_only_blocks),
        cmocka_unit_test(test_pagemap__is_refused_during_a_migration),
        cmocka_unit_test(test_pagemap__loses_no_write),
        cmocka_unit_test(test_tracker__is_called),
        cmocka_unit_test(test_tracker__failures_name_it),
        cmocka_unit_test(test_wrote__marks_pages),
        cmocka_unit_test(test_wrote__loses_no_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
