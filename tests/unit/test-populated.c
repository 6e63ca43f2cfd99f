/*
 * Holes of guest memory: found exactly, never filled by a save, and never
 * claimed where they cannot be known.
 */
#include "ram/populated.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "ram/block.h"

#define PAGE ((uint64_t)GW_TARGET_PAGE_SIZE)
/* Pages of the file before the block. */
#define BEFORE 3u

/* A block of n pages in a memfd, page p populated if data[p] is set. */
static struct gw_ram_block *make_block(const char *data, uint32_t flags,
                                       bool with_fd)
{
    uint64_t n = strlen(data);
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram", .used_length = n * PAGE, .flags = flags);
    int fd = memfd_create("ram", MFD_CLOEXEC);
    struct gw_ram_block *block = NULL;
    uint64_t i;

    assert_true(fd >= 0);
    /* Data on both sides of the block must not matter. */
    assert_int_equal(pwrite(fd, "x", 1, (off_t)((BEFORE - 1) * PAGE)), 1);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)((BEFORE + n) * PAGE)), 1);
    for (i = 0; i < n; i++) {
        if (data[i] == 'x') {
            assert_int_equal(pwrite(fd, "x", 1, (off_t)((BEFORE + i) * PAGE)),
                             1);
        }
    }
    attr.fd = with_fd ? fd : -1;
    attr.fd_offset = with_fd ? BEFORE * PAGE : 0;
    assert_int_equal(gw_ram_block_new(&attr, &block, NULL), 0);
    close(fd);
    return block;
}

/*
 * The same of private memory: 'x' has data, 'z' was only read and has the
 * kernel's zero page. Either the library's own mapping or the caller's.
 */
static struct gw_ram_block *make_private(const char *data, bool own,
                                         uint8_t **ret_host)
{
    uint64_t size = strlen(data) * PAGE;
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram", .used_length = size,
                    .flags = own ? 0 : (uint32_t)GW_RAM_ANONYMOUS);
    struct gw_ram_block *block = NULL;
    volatile uint8_t *host;

    *ret_host = NULL;
    if (!own) {
        *ret_host = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(*ret_host, MAP_FAILED);
        attr.host = *ret_host;
    }
    assert_int_equal(gw_ram_block_new(&attr, &block, NULL), 0);
    /* Or one touched page may bring 511 others. */
    madvise(block->host, size, MADV_NOHUGEPAGE);
    host = block->host;
    for (uint64_t i = 0; data[i]; i++) {
        if (data[i] == 'x') {
            host[i * PAGE] = 1;
        } else if (data[i] == 'z') {
            assert_int_equal(host[i * PAGE], 0);
        }
    }
    return block;
}

static bool is_hole_text(enum gw_populated_source source, char what)
{
    return what == '.' || (what == 'z' && source == GW_POPULATED_SCAN);
}

/* What is done between two questions. */
enum between {
    NOTHING,
    FORGET_HOLES,
    START_ANEW,
};

/* Pages [first, expected) are alike; the answer may come in pieces. */
static void check_run(struct gw_populated *populated, uint64_t first,
                      uint64_t end, uint64_t expected, bool hole)
{
    while (first < expected) {
        bool is_hole = !hole;
        uint64_t next = gw_populated_run(populated, first, end, &is_hole);

        assert_int_equal(is_hole, hole);
        assert_in_range(next, first + 1, expected);
        first = next;
    }
}

/* The runs must be those of the text, remembered or asked for each time. */
static void check_walk(struct gw_ram_block *block, const char *data,
                       enum gw_populated_source source, enum between between)
{
    struct gw_populated populated;
    uint64_t n = strlen(data);
    uint64_t first;
    uint64_t end;

    gw_populated_init(&populated, block);
    for (first = 0; first < n; first++) {
        bool hole = is_hole_text(source, data[first]);

        for (end = first + 1; end <= n; end++) {
            uint64_t expected = first;

            if (between == START_ANEW) {
                gw_populated_deinit(&populated);
                gw_populated_init(&populated, block);
            } else if (between == FORGET_HOLES) {
                gw_populated_forget_holes(&populated);
            }
            if (source == GW_POPULATED_ENTRIES &&
                populated.source == GW_POPULATED_SCAN) {
                populated.source = source;
            }
            assert_int_equal(populated.source, source);
            while (expected < end &&
                   is_hole_text(source, data[expected]) == hole) {
                expected++;
            }
            check_run(&populated, first, end, expected, hole);
            assert_int_equal(gw_populated_next_data(&populated, first, end),
                             hole ? expected : first);
        }
    }
    gw_populated_deinit(&populated);
}

static void check_walks(struct gw_ram_block *block, const char *data,
                        enum gw_populated_source source)
{
    check_walk(block, data, source, START_ANEW);
    check_walk(block, data, source, FORGET_HOLES);
}

static void check_runs(const char *data)
{
    struct gw_ram_block *block = make_block(data, GW_RAM_SHARED, true);

    check_walks(block, data, GW_POPULATED_SEEK);
    check_walk(block, data, GW_POPULATED_SEEK, NOTHING);
    gw_ram_block_free(block);
}

static void test_populated__finds_holes(void **state)
{
    (void)state;
    check_runs("x");
    check_runs(".");
    check_runs("x.x..xx...x");
    check_runs("....x......");
    check_runs("xxxx..");
}

/* PAGEMAP_SCAN is of Linux 6.7. */
static bool kernel_scans(void)
{
    struct gw_populated populated;
    struct gw_ram_block *block;
    bool is_hole;
    bool scans;
    uint8_t *own;

    block = make_private("x", true, &own);
    gw_populated_init(&populated, block);
    gw_populated_run(&populated, 0, 1, &is_hole);
    scans = populated.source == GW_POPULATED_SCAN;
    gw_populated_deinit(&populated);
    gw_ram_block_free(block);
    return scans;
}

static void check_private(const char *data, enum gw_populated_source source,
                          bool own)
{
    uint8_t *host;
    struct gw_ram_block *block = make_private(data, own, &host);

    check_walks(block, data, source);
    gw_ram_block_free(block);
    if (host) {
        munmap(host, strlen(data) * PAGE);
    }
}

static void check_all_private(enum gw_populated_source source)
{
    check_private("x", source, true);
    check_private(".", source, true);
    check_private("x.x..xx...x", source, true);
    check_private("..x.z.xzx.zz..", source, false);
    check_private("zzx", source, false);
    check_private("xxxx..", source, true);
}

static void test_populated__finds_untouched_private_memory(void **state)
{
    (void)state;
    if (!kernel_scans()) {
        print_message("# PAGEMAP_SCAN is missing\n");
        skip();
    }
    check_all_private(GW_POPULATED_SCAN);
}

static void test_populated__finds_it_on_older_kernels(void **state)
{
    (void)state;
    check_all_private(GW_POPULATED_ENTRIES);
}

/* More runs than one question brings, and more entries than one read. */
static void test_populated__finds_all_of_many_runs(void **state)
{
    static const enum gw_populated_source sources[] = {GW_POPULATED_SCAN,
                                                       GW_POPULATED_ENTRIES};
    char data[2001] = "";
    struct gw_ram_block *block;
    struct gw_populated populated;
    char seen[2001] = "";
    bool is_hole;
    uint8_t *own;

    (void)state;
    memset(data, '.', 2000);
    for (unsigned int i = 0; i < 400; i += 2) {
        data[i] = 'x';
    }
    memset(data + 1100, 'x', 700);
    block = make_private(data, true, &own);
    for (size_t i = 0; i < 2; i++) {
        gw_populated_init(&populated, block);
        populated.source = sources[i];
        for (uint64_t at = 0, next; at < 2000; at = next) {
            next = gw_populated_run(&populated, at, 2000, &is_hole);
            assert_true(next > at && next <= 2000);
            memset(seen + at, is_hole ? '.' : 'x', next - at);
        }
        assert_string_equal(seen, data);
        gw_populated_deinit(&populated);
    }
    gw_ram_block_free(block);
}

/* A page that appears after an answer: seen once the holes are forgotten. */
static void check_forgetting(struct gw_ram_block *block,
                             enum gw_populated_source source)
{
    struct gw_populated populated;
    bool is_hole = false;

    gw_populated_init(&populated, block);
    populated.source = source;
    assert_int_equal(gw_populated_run(&populated, 0, 4, &is_hole), 4);
    assert_true(is_hole);
    *(volatile uint8_t *)(block->host + 2 * PAGE) = 1;
    gw_populated_forget_holes(&populated);
    assert_int_equal(gw_populated_run(&populated, 0, 4, &is_hole), 2);
    assert_true(is_hole);
    assert_int_equal(gw_populated_run(&populated, 2, 4, &is_hole), 3);
    assert_false(is_hole);
    gw_populated_deinit(&populated);
    gw_ram_block_free(block);
}

static void test_populated__forgets_holes(void **state)
{
    uint8_t *own;

    (void)state;
    check_forgetting(make_block("....", GW_RAM_SHARED, true),
                     GW_POPULATED_SEEK);
    check_forgetting(make_private("....", true, &own), GW_POPULATED_ENTRIES);
    if (kernel_scans()) {
        check_forgetting(make_private("....", true, &own), GW_POPULATED_SCAN);
    }
}

static void check_unknown(uint32_t flags, bool with_fd)
{
    struct gw_ram_block *block = make_block("..x..", flags, with_fd);
    struct gw_populated populated;
    bool is_hole = true;

    gw_populated_init(&populated, block);
    assert_int_equal(gw_populated_run(&populated, 1, 5, &is_hole), 5);
    assert_false(is_hole);
    gw_populated_deinit(&populated);
    gw_ram_block_free(block);
}

/*
 * Private memory may differ from its file; of shared memory without a file,
 * and of the caller's that nobody vouches for, nothing is known.
 */
static void test_populated__claims_nothing_else(void **state)
{
    static uint8_t memory[2 * GW_TARGET_PAGE_SIZE]
        __attribute__((aligned(GW_TARGET_PAGE_SIZE)));
    struct gw_ram_attr attr = GW_RAM_ATTR(.idstr = "ram", .host = memory,
                                          .used_length = sizeof(memory));
    struct gw_ram_block *block = NULL;
    struct gw_populated populated;
    bool is_hole = true;

    (void)state;
    check_unknown(0, true);
    check_unknown(GW_RAM_SHARED, false);
    assert_int_equal(gw_ram_block_new(&attr, &block, NULL), 0);
    gw_populated_init(&populated, block);
    assert_int_equal(gw_populated_run(&populated, 0, 2, &is_hole), 2);
    assert_false(is_hole);
    gw_populated_deinit(&populated);
    gw_ram_block_free(block);
}

/* The flag says private and without a file: nothing else goes with it. */
static void test_populated__refuses_anonymous_files(void **state)
{
    struct gw_ram_attr attr = GW_RAM_ATTR(.idstr = "ram", .used_length = PAGE,
                                          .flags = GW_RAM_ANONYMOUS);
    struct gw_ram_block *block = NULL;
    struct gw_error *error = NULL;

    (void)state;
    attr.flags |= GW_RAM_SHARED;
    assert_int_equal(gw_ram_block_new(&attr, &block, &error), -EINVAL);
    assert_string_equal(gw_error_text(error),
                        "RAM block 'ram': anonymous memory is private and has "
                        "no descriptor");
    gw_error_free(error);
    attr.flags = GW_RAM_ANONYMOUS;
    attr.fd = 0;
    assert_int_equal(gw_ram_block_new(&attr, &block, NULL), -EINVAL);
}

/* The position of the embedder's descriptor is its own. */
static void test_populated__leaves_the_position(void **state)
{
    struct gw_ram_block *block = make_block("..x..", GW_RAM_SHARED, true);
    struct gw_populated populated;
    bool is_hole;

    (void)state;
    assert_int_equal(lseek(block->fd, 77, SEEK_SET), 77);
    gw_populated_init(&populated, block);
    gw_populated_run(&populated, 0, 5, &is_hole);
    gw_populated_deinit(&populated);
    assert_int_equal(lseek(block->fd, 0, SEEK_CUR), 77);
    gw_ram_block_free(block);
}

/* Finding a run's end costs its length: in pieces it is asked for once. */
static void test_populated__asks_once_for_a_run(void **state)
{
    struct gw_ram_block *block = make_block("xxxx..", GW_RAM_SHARED, true);
    struct gw_populated populated;
    bool is_hole;

    (void)state;
    gw_populated_init(&populated, block);
    assert_int_equal(gw_populated_run(&populated, 0, 1, &is_hole), 1);
    assert_int_equal(lseek(populated.fd, 1, SEEK_SET), 1);
    assert_int_equal(gw_populated_run(&populated, 1, 6, &is_hole), 4);
    assert_int_equal(lseek(populated.fd, 0, SEEK_CUR), 1);
    gw_populated_deinit(&populated);
    gw_ram_block_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_populated__finds_holes),
        cmocka_unit_test(test_populated__finds_untouched_private_memory),
        cmocka_unit_test(test_populated__finds_it_on_older_kernels),
        cmocka_unit_test(test_populated__finds_all_of_many_runs),
        cmocka_unit_test(test_populated__forgets_holes),
        cmocka_unit_test(test_populated__claims_nothing_else),
        cmocka_unit_test(test_populated__refuses_anonymous_files),
        cmocka_unit_test(test_populated__leaves_the_position),
        cmocka_unit_test(test_populated__asks_once_for_a_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
