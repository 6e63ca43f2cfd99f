/*
 * Holes of shared memory: found exactly, never filled by a save, and never
 * claimed where they cannot be known.
 */
#include "ram/populated.h"

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

/* The runs must be those of the text, remembered or asked for each time. */
static void check_walk(const char *data, bool forget)
{
    struct gw_ram_block *block = make_block(data, GW_RAM_SHARED, true);
    struct gw_populated populated;
    uint64_t n = strlen(data);
    uint64_t first;
    uint64_t end;

    gw_populated_init(&populated, block);
    for (first = 0; first < n; first++) {
        for (end = first + 1; end <= n; end++) {
            bool is_hole = data[first] == 'x';
            uint64_t expected = first;

            if (forget) {
                gw_populated_deinit(&populated);
                gw_populated_init(&populated, block);
            }

            while (expected < end && data[expected] == data[first]) {
                expected++;
            }
            assert_int_equal(gw_populated_run(&populated, first, end, &is_hole),
                             expected);
            assert_int_equal(is_hole, data[first] != 'x');
        }
    }
    gw_populated_deinit(&populated);
    gw_ram_block_free(block);
}

static void check_runs(const char *data)
{
    check_walk(data, false);
    check_walk(data, true);
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

/* Private memory may differ from the file; without a file there is none. */
static void test_populated__claims_nothing_of_private_memory(void **state)
{
    (void)state;
    check_unknown(0, true);
    check_unknown(0, false);
    check_unknown(GW_RAM_SHARED, false);
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
        cmocka_unit_test(test_populated__claims_nothing_of_private_memory),
        cmocka_unit_test(test_populated__leaves_the_position),
        cmocka_unit_test(test_populated__asks_once_for_a_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
