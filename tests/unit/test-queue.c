/*
 * Queued page I/O, by both engines: every byte in its place, the ends and
 * limits of files, and the queue without a ring.
 */
#include "channel/queue.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "queue-scene.h"

/* ---- Everything works ---- */

static void check_moves(bool direct)
{
    struct scene s;
    uint64_t seed;
    bool opens = true;

    scene_init(&s, direct);
    for (seed = 1; opens && seed <= 8; seed++) {
        opens = round_trip(&s, (unsigned int)(1 + seed * seed % 17), seed);
    }
    scene_deinit(&s);
    if (!opens) {
        skip();
    }
}

static void test_queue__moves_every_byte(void **state)
{
    (void)state;
    check_moves(false);
}

static void test_queue__moves_every_byte_direct(void **state)
{
    (void)state;
    check_moves(true);
}

/* Through the page cache nothing has to be aligned. */
static void test_queue__moves_pieces_of_any_size(void **state)
{
    static const size_t sizes[] = {1, 4095, 7, 4097, 10000, 3};
    uint8_t *from = random_pages(8, 3);
    struct iovec iov[6];
    struct scene s;
    size_t size = 0;
    size_t i;

    (void)state;
    scene_init(&s, false);
    assert_true(scene_open(&s, true, 4));
    for (i = 0; i < 6; i++) {
        iov[i] = (struct iovec){from + size, sizes[i]};
        size += sizes[i];
    }
    assert_int_equal(gw_queue_write(s.queue, iov, 6, 0, NULL), 0);
    assert_int_equal(gw_queue_drain(s.queue, NULL), 0);
    check_file(s.path, from, size);
    free(from);
    scene_deinit(&s);
}

/* ---- Limits and ends of files ---- */

static int limit_size(bool direct)
{
    /* A write that reaches across it is short; the next one fails. */
    const struct rlimit limit = {10 * PAGE, 10 * PAGE};
    uint8_t *data = random_pages(N_PAGES, 4);
    struct gw_error *error = NULL;
    struct scene s;
    int r;

    signal(SIGXFSZ, SIG_IGN);
    scene_init(&s, direct);
    if (!scene_open(&s, true, 2)) {
        scene_deinit(&s);
        return KIT_CANNOT;
    }
    KIT_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit");
    r = write_one(&s, data, N_PAGES * PAGE, 0, &error);
    check_failed(&s, r, -EFBIG, error,
                 "Unable to write to file descriptor: File too large");
    check_file(s.path, data, 10 * PAGE);
    free(data);
    scene_deinit(&s);
    return 0;
}

static void test_queue__file_too_large(void **state)
{
    (void)state;
    in_child(limit_size, false);
}

static void test_queue__file_too_large_direct(void **state)
{
    (void)state;
    in_child(limit_size, true);
}

static int fill_disk(bool direct)
{
    char directory[] = "/tmp/godwit-queue-XXXXXX";
    uint8_t *data = random_pages(256, 5);
    struct gw_error *error = NULL;
    uint64_t at = 0;
    struct scene s = {.direct = direct};
    int r = 0;

    KIT_CHECK(mkdtemp(directory), "%s: %s", directory, strerror(errno));
    if (!kit_child_mount(directory, "size=3m")) {
        rmdir(directory);
        return KIT_CANNOT;
    }
    snprintf(s.path, sizeof(s.path), "%s/file", directory);
    close(open(s.path, O_CREAT | O_WRONLY, 0600));
    if (scene_open(&s, true, 4)) {
        for (; r == 0 && at < 16 * 256 * PAGE; at += 256 * PAGE) {
            r = write_piece(&s, data, 256 * PAGE, at, &error);
        }
        r = r < 0 ? r : gw_queue_drain(s.queue, &error);
        check_failed(
            &s, r, -ENOSPC, error,
            "Unable to write to file descriptor: No space left on device");
    } else {
        r = KIT_CANNOT;
    }
    free(data);
    scene_deinit(&s);
    umount(directory);
    rmdir(directory);
    return r == KIT_CANNOT ? KIT_CANNOT : 0;
}

static void test_queue__disk_full(void **state)
{
    (void)state;
    in_child(fill_disk, false);
}

static void test_queue__disk_full_direct(void **state)
{
    (void)state;
    in_child(fill_disk, true);
}

/* Reads N_PAGES pages from `offset` of a file of `size` bytes. */
static bool check_truncated(bool direct, size_t size, uint64_t offset)
{
    uint64_t end = offset > size ? offset : size;
    uint8_t *data = random_pages(N_PAGES, 6);
    uint8_t *to = alloc_pages(N_PAGES);
    struct gw_error *error = NULL;
    char text[128];
    struct scene s;
    bool opens;

    scene_init(&s, direct);
    assert_int_equal(truncate(s.path, 0), 0);
    s.direct = false;
    assert_true(scene_open(&s, true, 1));
    assert_int_equal(write_one(&s, data, size, 0, NULL), 0);
    scene_close(&s);
    s.direct = direct;
    opens = scene_open(&s, false, 3);
    if (opens) {
        int r = read_one(&s, to, N_PAGES * PAGE, offset, &error);

        snprintf(text, sizeof(text),
                 "the data ends at offset %#llx, %zu more bytes expected",
                 (unsigned long long)end,
                 (size_t)(offset + N_PAGES * PAGE - end));
        check_failed(&s, r, -ENODATA, error, text);
        assert_memory_equal(to, data + offset, end - offset);
    }
    free(data);
    free(to);
    scene_deinit(&s);
    return opens;
}

static void check_ends(bool direct)
{
    if (!check_truncated(direct, 10 * PAGE, 0)) {
        skip();
    }
    check_truncated(direct, 10 * PAGE, 2 * PAGE);
    check_truncated(direct, 10 * PAGE + 512, 2 * PAGE);
    check_truncated(direct, 10 * PAGE + 100, 2 * PAGE);
    check_truncated(direct, 10 * PAGE, 10 * PAGE);
    check_truncated(direct, 10 * PAGE, 11 * PAGE);
    check_truncated(direct, 10 * PAGE - 1, 9 * PAGE);
}

static void test_queue__data_ends(void **state)
{
    (void)state;
    check_ends(false);
}

static void test_queue__data_ends_direct(void **state)
{
    (void)state;
    check_ends(true);
}

/* ---- Without a ring ---- */

/* io_uring_setup answers with this error. */
static void forbid_rings(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K,
                 SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = code};

    KIT_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
              "no filter: %s", strerror(errno));
}

/* The same file moves, and the queue says how. */
static int move_without_ring(struct scene *s)
{
    bool opens = scene_open(s, true, 8);

    if (opens) {
        KIT_CHECK(strcmp(gw_queue_engine(s->queue), "preadv") == 0, "engine %s",
                  gw_queue_engine(s->queue));
        scene_close(s);
        KIT_CHECK(round_trip(s, 8, 30), "opened once");
    }
    scene_deinit(s);
    return opens ? 0 : KIT_CANNOT;
}

static int without_permission(bool direct)
{
    struct scene s;

    scene_init(&s, direct);
    forbid_rings(EPERM);
    return move_without_ring(&s);
}

static int without_system_call(bool direct)
{
    struct scene s;

    scene_init(&s, direct);
    forbid_rings(ENOSYS);
    return move_without_ring(&s);
}

static int without_memory(bool direct)
{
    struct scene s;

    scene_init(&s, direct);
    forbid_rings(ENOMEM);
    return move_without_ring(&s);
}

static void test_queue__works_without_permission(void **state)
{
    (void)state;
    in_child(without_permission, true);
}

static void test_queue__works_without_the_system_call(void **state)
{
    (void)state;
    in_child(without_system_call, true);
}

static void test_queue__works_without_memory_for_a_ring(void **state)
{
    (void)state;
    in_child(without_memory, true);
}

/* The number of descriptors is at its limit. */
static int without_descriptors(bool direct)
{
    struct rlimit limit = {0, 0};
    struct gw_error *error = NULL;
    uint8_t *data = random_pages(N_PAGES, 31);
    struct scene s;

    scene_init(&s, direct);
    if (!scene_open(&s, true, 2)) {
        scene_deinit(&s);
        return KIT_CANNOT;
    }
    s.queue = gw_queue_free(s.queue);
    setrlimit(RLIMIT_NOFILE, &limit);
    KIT_CHECK(gw_queue_new(s.channel, 2, &s.queue, &error) == 0, "%s",
              gw_error_text(error));
    KIT_CHECK(strcmp(gw_queue_engine(s.queue), "preadv") == 0, "engine %s",
              gw_queue_engine(s.queue));
    KIT_CHECK(write_one(&s, data, N_PAGES * PAGE, 0, NULL) == 0, "write");
    free(data);
    scene_deinit(&s);
    return 0;
}

static void test_queue__works_without_a_descriptor_for_a_ring(void **state)
{
    (void)state;
    in_child(without_descriptors, true);
}

/* A ring is what direct I/O gets where it can, and the cache never. */
static void test_queue__says_its_engine(void **state)
{
    struct scene s;
    bool has_ring = false;

    (void)state;
    scene_init(&s, false);
    assert_true(scene_open(&s, true, 2));
    assert_string_equal(gw_queue_engine(s.queue), "preadv");
    scene_close(&s);
    s.direct = true;
    if (scene_open(&s, true, 2)) {
        has_ring = strcmp(gw_queue_engine(s.queue), "io_uring") == 0;
    }
    scene_deinit(&s);
    if (!has_ring) {
        print_message("# no direct I/O with io_uring here\n");
        skip();
    }
}

/* ---- Its end ---- */

static void check_cancel(bool direct)
{
    uint8_t *data = random_pages(N_PAGES, 40);
    struct gw_error *error = NULL;
    struct scene s;

    scene_init(&s, direct);
    if (!scene_open(&s, true, 4)) {
        free(data);
        scene_deinit(&s);
        skip();
    }
    assert_int_equal(write_piece(&s, data, 4 * PAGE, 0, NULL), 0);
    gw_channel_cancel(s.channel);
    assert_int_equal(write_piece(&s, data, PAGE, 4 * PAGE, &error), -ECANCELED);
    assert_string_equal(gw_error_text(error), "cancelled");
    error = gw_error_free(error);
    assert_int_equal(read_piece(&s, data, PAGE, 0, &error), -ECANCELED);
    gw_error_free(error);
    /* What was begun before is brought to its end. */
    assert_int_equal(gw_queue_drain(s.queue, NULL), 0);
    check_file(s.path, data, 4 * PAGE);
    free(data);
    scene_deinit(&s);
}

static void test_queue__cancelled(void **state)
{
    (void)state;
    check_cancel(false);
}

static void test_queue__cancelled_direct(void **state)
{
    (void)state;
    check_cancel(true);
}

/* The memory is not used any more when the queue is gone. */
static void test_queue__freed_with_operations_under_way(void **state)
{
    uint8_t *data = random_pages(256, 41);
    uint8_t *to = alloc_pages(256);
    struct scene s;
    unsigned int i;

    (void)state;
    scene_init(&s, true);
    if (!scene_open(&s, true, 16)) {
        free(data);
        free(to);
        scene_deinit(&s);
        skip();
    }
    for (i = 0; i < 16; i++) {
        assert_int_equal(write_piece(&s, data + i * 16 * PAGE, 16 * PAGE,
                                     i * 16 * PAGE, NULL),
                         0);
    }
    scene_close(&s);
    check_file(s.path, data, 256 * PAGE);
    assert_true(scene_open(&s, false, 16));
    for (i = 0; i < 16; i++) {
        assert_int_equal(
            read_piece(&s, to + i * 16 * PAGE, 16 * PAGE, i * 16 * PAGE, NULL),
            0);
    }
    scene_close(&s);
    assert_memory_equal(to, data, 256 * PAGE);
    free(data);
    free(to);
    scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue__moves_every_byte),
        cmocka_unit_test(test_queue__moves_every_byte_direct),
        cmocka_unit_test(test_queue__moves_pieces_of_any_size),
        cmocka_unit_test(test_queue__file_too_large),
        cmocka_unit_test(test_queue__file_too_large_direct),
        cmocka_unit_test(test_queue__disk_full),
        cmocka_unit_test(test_queue__disk_full_direct),
        cmocka_unit_test(test_queue__data_ends),
        cmocka_unit_test(test_queue__data_ends_direct),
        cmocka_unit_test(test_queue__works_without_permission),
        cmocka_unit_test(test_queue__works_without_the_system_call),
        cmocka_unit_test(test_queue__works_without_memory_for_a_ring),
        cmocka_unit_test(test_queue__works_without_a_descriptor_for_a_ring),
        cmocka_unit_test(test_queue__says_its_engine),
        cmocka_unit_test(test_queue__cancelled),
        cmocka_unit_test(test_queue__cancelled_direct),
        cmocka_unit_test(test_queue__freed_with_operations_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
