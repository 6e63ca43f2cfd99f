/*
 * The page pipeline: every pending page is told once, of the right kind, by
 * any number of workers; holes are not filled; the first failure ends it.
 */
#include "ram/pipeline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pool.h"
#include "ram/block.h"

#define PAGE ((size_t)GW_TARGET_PAGE_SIZE)

/* Blocks as texts, a letter for each page, and what the sink was told. */
struct scene {
    struct gw_ram_block *blocks[2];
    struct gw_bitmap pending[2];
    struct gw_page_set sets[2];
    size_t n_sets;
    char *seen[2];
    atomic_uint n_begun, n_flushed;
    unsigned int n_workers;
    uint64_t next[256]; /* of each worker: pages only go up */
    uint64_t fail_at;   /* page of the first block that cannot be put */
    bool guest_runs;
    uint64_t touch_at; /* page that the guest fills when its chunk begins */
};

/* 'x': data; '0': touched and zero; '.': never touched. */
static struct gw_ram_block *make_block(const char *pages)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram", .used_length = strlen(pages) * PAGE,
                    .flags = GW_RAM_SHARED);
    int fd = memfd_create("ram", MFD_CLOEXEC);
    struct gw_ram_block *block = NULL;
    size_t i;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(strlen(pages) * PAGE)), 0);
    attr.fd = fd;
    assert_int_equal(gw_ram_block_new(&attr, &block, NULL), 0);
    close(fd);
    for (i = 0; pages[i]; i++) {
        if (pages[i] != '.') {
            /* The last byte: all of the page has to be looked at. */
            block->host[i * PAGE + PAGE - 1] = pages[i] == 'x';
        }
    }
    return block;
}

static void add_block(struct scene *s, const char *pages)
{
    size_t i = s->n_sets++;
    uint64_t n = strlen(pages);

    s->blocks[i] = make_block(pages);
    assert_int_equal(gw_bitmap_init(&s->pending[i], n), 0);
    gw_bitmap_set_range(&s->pending[i], 0, n);
    s->sets[i] = (struct gw_page_set){s->blocks[i], &s->pending[i]};
    s->seen[i] = calloc(n + 1, 1);
    memset(s->seen[i], '-', n);
}

static void scene_deinit(struct scene *s)
{
    size_t i;

    for (i = 0; i < s->n_sets; i++) {
        gw_ram_block_free(s->blocks[i]);
        gw_bitmap_deinit(&s->pending[i]);
        free(s->seen[i]);
    }
}

static int on_begin(void *opaque, unsigned int worker,
                    const struct gw_chunk *chunk, struct gw_error **errp)
{
    struct scene *s = opaque;

    assert_true(worker < s->n_workers);
    assert_int_equal(chunk->first % GW_CHUNK_PAGES, 0);
    if (s->guest_runs && chunk->first <= s->touch_at &&
        s->touch_at < chunk->end) {
        s->blocks[0]->host[s->touch_at * PAGE] = 1;
    }
    atomic_fetch_add(&s->n_begun, 1);
    return 0;
}

static int on_put(void *opaque, unsigned int worker,
                  const struct gw_extent *extent, struct gw_error **errp)
{
    static const char letters[] = {'x', '0', '.'};
    struct scene *s = opaque;
    uint64_t place = ((uint64_t)extent->set << 40) + extent->first;

    assert_ptr_equal(extent->block, s->blocks[extent->set]);
    assert_true(place >= s->next[worker]);
    s->next[worker] = place + extent->n_pages;
    if (extent->set == 0 && extent->first <= s->fail_at &&
        s->fail_at < extent->first + extent->n_pages) {
        return gw_error_set(errp, -EIO, "page %u does not fit",
                            (unsigned int)s->fail_at);
    }
    for (uint64_t i = 0; i < extent->n_pages; i++) {
        char *seen = &s->seen[extent->set][extent->first + i];

        assert_int_equal(*seen, '-');
        *seen = letters[extent->kind];
    }
    return 0;
}

static int on_flush(void *opaque, unsigned int worker, struct gw_error **errp)
{
    struct scene *s = opaque;

    atomic_fetch_add(&s->n_flushed, 1);
    return 0;
}

static int run(struct scene *s, unsigned int n_threads, bool finds_zero,
               struct gw_error **errp)
{
    static const struct gw_page_sink sink = {on_begin, on_put, on_flush};
    struct gw_pipeline *pipeline = NULL;
    int r;

    s->n_workers = n_threads ? n_threads : 1;
    assert_int_equal(
        gw_pipeline_new(n_threads, finds_zero, &sink, s, &pipeline, NULL), 0);
    assert_int_equal(gw_pipeline_n_workers(pipeline), s->n_workers);
    r = gw_pipeline_run(pipeline, s->sets, s->n_sets, s->guest_runs, errp);
    gw_pipeline_free(pipeline);
    assert_int_equal(s->n_flushed, s->n_workers);
    return r;
}

/* A block of many chunks with all kinds of pages in runs of all lengths. */
static char *mixed_pages(size_t n)
{
    char *pages = calloc(n + 1, 1);
    unsigned int seed = 7;
    size_t i = 0;

    while (i < n) {
        size_t len = (size_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 9 : 700) + 1;
        char letter = "x0."[rand_r(&seed) % 3];

        for (; len > 0 && i < n; len--) {
            pages[i++] = letter;
        }
    }
    return pages;
}

static void check_all_told(unsigned int n_threads)
{
    struct scene s = {.fail_at = UINT64_MAX};
    char *pages = mixed_pages(3001);
    struct stat before, after;

    add_block(&s, pages);
    add_block(&s, "x.0");
    assert_int_equal(fstat(s.blocks[0]->fd, &before), 0);
    assert_int_equal(run(&s, n_threads, true, NULL), 0);
    assert_string_equal(s.seen[0], pages);
    assert_string_equal(s.seen[1], "x.0");
    assert_int_equal(gw_bitmap_count(&s.pending[0]), 0);
    assert_int_equal(s.n_begun, 3001 / GW_CHUNK_PAGES + 1 + 1);
    assert_int_equal(fstat(s.blocks[0]->fd, &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
    scene_deinit(&s);
    free(pages);
}

static void test_pipeline__tells_all_pages_once(void **state)
{
    static const unsigned int n_threads[] = {0, 1, 2, 7, 255};

    for (size_t i = 0; i < sizeof(n_threads) / sizeof(*n_threads); i++) {
        check_all_told(n_threads[i]);
    }
}

static void test_pipeline__tells_only_pending_pages(void **state)
{
    struct scene s = {.fail_at = UINT64_MAX};
    char *pages = mixed_pages(2000);
    size_t i;

    add_block(&s, pages);
    for (i = 0; i < 2000; i++) {
        if (i % 3 == 0 || (i > 400 && i < 1500)) {
            gw_bitmap_clear(&s.pending[0], i);
            pages[i] = '-';
        }
    }
    assert_int_equal(run(&s, 2, true, NULL), 0);
    assert_string_equal(s.seen[0], pages);
    scene_deinit(&s);
    free(pages);
}

/* Touched pages are data then, and nothing else is. */
static void test_pipeline__need_not_find_zero(void **state)
{
    struct scene s = {.fail_at = UINT64_MAX};

    add_block(&s, "x0x00..0x.");
    assert_int_equal(run(&s, 0, false, NULL), 0);
    assert_string_equal(s.seen[0], "xxxxx..xx.");
    scene_deinit(&s);
}

/*
 * A write right before the tracker was armed is one that it does not report:
 * the page may not be taken for the hole that it was a moment ago.
 */
static void test_pipeline__asks_for_holes_after_arming(void **state)
{
    struct scene s = {
        .fail_at = UINT64_MAX, .guest_runs = true, .touch_at = 1000};
    char *pages = malloc(2001);

    memset(pages, '.', 2000);
    pages[2000] = '\0';
    add_block(&s, pages);
    pages[1000] = 'x';
    assert_int_equal(run(&s, 0, true, NULL), 0);
    assert_string_equal(s.seen[0], pages);
    scene_deinit(&s);
    free(pages);
}

static void test_pipeline__ends_at_the_first_failure(void **state)
{
    static const unsigned int n_threads[] = {0, 4};

    for (size_t i = 0; i < 2; i++) {
        struct scene s = {.fail_at = 700};
        struct gw_error *error = NULL;
        char *pages = mixed_pages(100000);

        add_block(&s, pages);
        assert_int_equal(run(&s, n_threads[i], true, &error), -EIO);
        assert_string_equal(gw_error_text(error), "page 700 does not fit");
        /* Far from all was begun, and what failed is still pending. */
        assert_true(s.n_begun < 390);
        assert_true(gw_bitmap_test(&s.pending[0], 700));
        gw_error_free(error);
        scene_deinit(&s);
        free(pages);
    }
}

static void count_up(void *opaque, unsigned int index)
{
    atomic_uint *counts = opaque;

    atomic_fetch_add(&counts[index], 1);
}

static void test_pool__runs_each_worker_once_a_round(void **state)
{
    static const unsigned int n_threads[] = {0, 1, 3};

    for (size_t i = 0; i < 3; i++) {
        atomic_uint counts[4] = {0};
        struct gw_pool *pool = NULL;
        unsigned int n, round;

        assert_int_equal(gw_pool_new(n_threads[i], "worker", &pool, NULL), 0);
        n = gw_pool_n_workers(pool);
        assert_int_equal(n, n_threads[i] ? n_threads[i] : 1);
        for (round = 1; round <= 100; round++) {
            gw_pool_run(pool, count_up, counts);
            for (unsigned int w = 0; w < 4; w++) {
                assert_int_equal(counts[w], w < n ? round : 0);
            }
        }
        gw_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline__tells_all_pages_once),
        cmocka_unit_test(test_pipeline__tells_only_pending_pages),
        cmocka_unit_test(test_pipeline__need_not_find_zero),
        cmocka_unit_test(test_pipeline__asks_for_holes_after_arming),
        cmocka_unit_test(test_pipeline__ends_at_the_first_failure),
        cmocka_unit_test(test_pool__runs_each_worker_once_a_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
