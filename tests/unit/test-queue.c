/*
 * Queued page I/O, by both engines: every byte in its place, and no transfer
 * that is incomplete is ever taken for a success. The faults are real ones:
 * limits, full and truncated files, a file system that answers with errors,
 * signals, and system calls that are not permitted.
 */
#include "channel/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../flow/kit-rng.h"
#include "channel/channel.h"
#include "channel/fd.h"
#include "faulty-file.h"

#define PAGE ((size_t)4096)
#define N_PAGES ((size_t)16)
/* Exit status of a child that could not set the stage. */
#define CANNOT 77

/* Also in children, where cmocka's assertions mean nothing. */
#define CHECK(condition, ...)                                               \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* A queue on a file, for one direction, and what goes through it. */
struct scene {
    char path[128];
    bool direct;
    struct gw_channel *channel;
    struct gw_queue *queue;
};

static void scene_init(struct scene *s, bool direct)
{
    *s = (struct scene){.path = "/var/tmp/godwit-queue-XXXXXX",
                        .direct = direct};
    close(mkstemp(s->path));
}

/* False where the file system has no direct I/O. */
static bool scene_open(struct scene *s, bool outgoing, unsigned int depth)
{
    struct gw_error *error = NULL;
    int fd = open(s->path, O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0, "%s: %s", s->path, strerror(errno));
    if (gw_fd_channel_open(fd, outgoing, s->direct, &s->channel, &error) < 0) {
        CHECK(s->direct, "%s", gw_error_text(error));
        print_message("%s\n", gw_error_text(error));
        gw_error_free(error);
        close(fd);
        return false;
    }
    CHECK(gw_queue_new(s->channel, depth, &s->queue, &error) == 0, "%s",
          gw_error_text(error));
    return true;
}

static void scene_close(struct scene *s)
{
    s->queue = gw_queue_free(s->queue);
    s->channel = gw_channel_free(s->channel);
}

static void scene_deinit(struct scene *s)
{
    scene_close(s);
    unlink(s->path);
}

static uint8_t *alloc_pages(size_t n_pages)
{
    uint8_t *pages = aligned_alloc(PAGE, n_pages * PAGE);

    CHECK(pages, "out of memory");
    memset(pages, 0, n_pages * PAGE);
    return pages;
}

/* Pages of random bytes, the same for the same seed. */
static uint8_t *random_pages(size_t n_pages, uint64_t seed)
{
    struct kit_rng rng = {.state = seed};
    uint8_t *pages = alloc_pages(n_pages);

    kit_random_bytes(&rng, pages, n_pages * PAGE);
    return pages;
}

static int write_piece(struct scene *s, uint8_t *data, size_t size,
                       uint64_t offset, struct gw_error **errp)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};

    return gw_queue_write(s->queue, &iov, 1, offset, errp);
}

static int read_piece(struct scene *s, uint8_t *data, size_t size,
                      uint64_t offset, struct gw_error **errp)
{
    struct iovec iov = {.iov_base = data, .iov_len = size};

    return gw_queue_read(s->queue, &iov, 1, offset, errp);
}

/* One operation to its end. */
static int write_one(struct scene *s, uint8_t *data, size_t size,
                     uint64_t offset, struct gw_error **errp)
{
    int r = write_piece(s, data, size, offset, errp);

    return r < 0 ? r : gw_queue_drain(s->queue, errp);
}

static int read_one(struct scene *s, uint8_t *data, size_t size,
                    uint64_t offset, struct gw_error **errp)
{
    int r = read_piece(s, data, size, offset, errp);

    return r < 0 ? r : gw_queue_drain(s->queue, errp);
}

/* Every call says the same from now on, and does nothing. */
static void check_sticks(struct scene *s, int code, const char *text)
{
    uint8_t *page = alloc_pages(1);
    struct gw_error *error = NULL;
    uint64_t offset;
    unsigned int i;

    CHECK(gw_queue_failed_at(s->queue, &offset), "it has forgotten");
    for (i = 0; i < 6; i++) {
        int r = i % 3 == 0   ? write_piece(s, page, PAGE, 0, &error)
                : i % 3 == 1 ? read_piece(s, page, PAGE, 0, &error)
                             : gw_queue_drain(s->queue, &error);

        CHECK(r == code, "%d, expected %d", r, code);
        CHECK(gw_error_code(error) == code, "%d", gw_error_code(error));
        CHECK(strcmp(gw_error_text(error), text) == 0, "'%s', not '%s'",
              gw_error_text(error), text);
        error = gw_error_free(error);
    }
    free(page);
}

static void check_failed(struct scene *s, int r, int code,
                         struct gw_error *error, const char *text)
{
    CHECK(r == code, "%d, expected %d: %s", r, code, gw_error_text(error));
    CHECK(strcmp(gw_error_text(error), text) == 0, "'%s', not '%s'",
          gw_error_text(error), text);
    gw_error_free(error);
    check_sticks(s, code, text);
}

/* The file's contents are these, and no more. */
static void check_file(const char *path, const uint8_t *expected, size_t size)
{
    uint8_t *found = malloc(size + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    CHECK(fd >= 0 && fstat(fd, &st) == 0, "cannot open %s", path);
    CHECK((size_t)st.st_size == size, "%lld bytes, expected %zu",
          (long long)st.st_size, size);
    CHECK(pread(fd, found, size + 1, 0) == (ssize_t)size, "cannot read");
    CHECK(memcmp(found, expected, size) == 0, "other contents");
    close(fd);
    free(found);
}

/* Runs `body` in a child, which may change limits, mounts and filters. */
static void in_child(int (*body)(bool direct), bool direct)
{
    pid_t pid;
    int status;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int result = body(direct);

        fflush(NULL);
        _exit(result);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- Everything works ---- */

/* Splits n_pages into 1 to 128 pieces, in memory from `data` on. */
static unsigned int split(struct kit_rng *rng, uint8_t *data, size_t n_pages,
                          struct iovec *iov)
{
    size_t most = n_pages < GW_QUEUE_IOV_MAX ? n_pages : GW_QUEUE_IOV_MAX;
    unsigned int n = (unsigned int)(1 + kit_below(rng, most));
    unsigned int i;

    for (i = 0; i < n; i++) {
        size_t pages =
            i + 1 < n ? 1 + kit_below(rng, n_pages - (n - i) + 1) : n_pages;

        iov[i] = (struct iovec){.iov_base = data, .iov_len = pages * PAGE};
        data += pages * PAGE;
        n_pages -= pages;
    }
    return n;
}

/* Moves all pages by operations of 1 to 200 of them, in pieces. */
static void move_all(struct scene *s, struct kit_rng *rng, uint8_t *data,
                     size_t n_pages, bool outgoing)
{
    struct iovec iov[GW_QUEUE_IOV_MAX];
    size_t at, n;
    int r;

    for (at = 0; at < n_pages; at += n) {
        unsigned int n_iov;

        n = 1 + kit_below(rng, 200);
        n = n < n_pages - at ? n : n_pages - at;
        n_iov = split(rng, data + at * PAGE, n, iov);
        r = outgoing ? gw_queue_write(s->queue, iov, n_iov, at * PAGE, NULL)
                     : gw_queue_read(s->queue, iov, n_iov, at * PAGE, NULL);
        CHECK(r == 0, "%d", r);
        /* They are copied. */
        memset(iov, 0, sizeof(iov));
    }
    r = gw_queue_drain(s->queue, NULL);
    CHECK(r == 0, "%d", r);
}

/* False: no direct I/O here. */
static bool round_trip(struct scene *s, unsigned int depth, uint64_t seed)
{
    struct kit_rng rng = {.state = seed};
    size_t n_pages = 500 + kit_below(&rng, 500);
    uint8_t *from = random_pages(n_pages, seed);
    uint8_t *to = alloc_pages(n_pages);
    bool opens = scene_open(s, true, depth);

    if (opens) {
        move_all(s, &rng, from, n_pages, true);
        scene_close(s);
        check_file(s->path, from, n_pages * PAGE);
        CHECK(scene_open(s, false, depth), "opened once");
        move_all(s, &rng, to, n_pages, false);
        CHECK(memcmp(from, to, n_pages * PAGE) == 0, "read other bytes");
        scene_close(s);
    }
    free(from);
    free(to);
    return opens;
}

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
        return CANNOT;
    }
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit");
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

    /* A mount that only this process sees, and that ends with it. */
    if (!mkdtemp(directory) || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", directory, "tmpfs", 0, "size=3m") < 0) {
        print_message("cannot mount a small tmpfs: %s\n", strerror(errno));
        rmdir(directory);
        return CANNOT;
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
        r = CANNOT;
    }
    free(data);
    scene_deinit(&s);
    umount(directory);
    rmdir(directory);
    return r == CANNOT ? CANNOT : 0;
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

/* ---- A file system that answers as it is told ---- */

/* A page each; what was told is the result. */
static int move_pages(struct scene *s, uint8_t *data, bool outgoing,
                      struct gw_error **errp)
{
    uint64_t at;
    int r = 0;

    for (at = 0; r == 0 && at < N_PAGES * PAGE; at += PAGE) {
        r = outgoing ? write_piece(s, data + at, PAGE, at, errp)
                     : read_piece(s, data + at, PAGE, at, errp);
    }
    return r < 0 ? r : gw_queue_drain(s->queue, errp);
}

/* What must come of an answer; 0: success; 1: that, or any failure. */
static int expected_result(const struct scene *s, bool outgoing, int answer)
{
    if (answer == -EINTR || answer == -EAGAIN) {
        return 0;
    }
    if (answer < 0) {
        return answer;
    }
    /* Below the ring the kernel itself goes on, or gives up. */
    if (s->direct) {
        return 1;
    }
    return answer > 0 ? 0 : outgoing ? -ENOSPC : -ENODATA;
}

static void check_result(struct scene *s, int r, int expected,
                         const struct gw_error *error)
{
    uint64_t offset;

    CHECK(r == expected || expected == 1, "%d, expected %d", r, expected);
    if (r == 0) {
        CHECK(!gw_queue_failed_at(s->queue, &offset), "failed in secret");
        return;
    }
    CHECK(gw_queue_failed_at(s->queue, &offset) && offset < N_PAGES * PAGE,
          "no place");
    check_sticks(s, r, gw_error_text(error));
}

/*
 * N_PAGES operations of one page, the k-th of them (or all from it on) with
 * a certain answer: told is a failure, or all is in its place.
 */
static void check_answer(struct scene *s, struct faulty_file *f, bool outgoing,
                         uint64_t k, int answer, bool sticks)
{
    uint8_t *data = random_pages(N_PAGES, k + 1);
    uint8_t *to = alloc_pages(N_PAGES);
    struct gw_error *error = NULL;
    int r;

    faulty_file_reset(f);
    f->plan->is_cached = s->direct;
    f->plan->size = outgoing ? 0 : N_PAGES * PAGE;
    memcpy(f->plan->data, data, f->plan->size);
    CHECK(scene_open(s, outgoing, 3), "FUSE has direct I/O");
    f->plan->at = k;
    f->plan->result = answer;
    f->plan->sticks = sticks;
    r = move_pages(s, outgoing ? data : to, outgoing, &error);
    CHECK(f->plan->n_requests > k, "the fault was not met");
    check_result(s, r, expected_result(s, outgoing, answer), error);
    if (r == 0) {
        CHECK(memcmp(outgoing ? f->plan->data : to, data, N_PAGES * PAGE) == 0,
              "answer %d to %llu: other bytes", answer, (unsigned long long)k);
    }
    gw_error_free(error);
    scene_close(s);
    free(data);
    free(to);
}

static int answer_all(bool direct)
{
    /* What the k-th request gets; or each from it on. */
    static const int once[] = {-EIO, -ENOSPC, -EDQUOT, 0,      1,
                               512,  4095,    -EINTR,  -EAGAIN};
    static const int for_ever[] = {-EIO, 0, 1000};
    struct faulty_file f;
    struct scene s = {.direct = direct};
    uint64_t k;
    size_t i;

    if (!faulty_file_init(&f)) {
        return CANNOT;
    }
    strcpy(s.path, f.path);
    for (k = 0; k < N_PAGES; k += 3) {
        for (i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
            check_answer(&s, &f, true, k, once[i], false);
            check_answer(&s, &f, false, k, once[i], false);
        }
        for (i = 0; i < sizeof(for_ever) / sizeof(for_ever[0]); i++) {
            check_answer(&s, &f, true, k, for_ever[i], true);
            check_answer(&s, &f, false, k, for_ever[i], true);
        }
    }
    faulty_file_deinit(&f);
    return 0;
}

static void test_queue__answers_of_the_disk(void **state)
{
    (void)state;
    in_child(answer_all, false);
}

static void test_queue__answers_of_the_disk_direct(void **state)
{
    (void)state;
    in_child(answer_all, true);
}

/* An operation of many pieces that moves a few odd bytes at a time. */
static int nibble(bool direct)
{
    static const int sizes[] = {4096, 8192 + 512, 777, 4095};
    uint8_t *data = random_pages(64, 9);
    struct iovec iov[64];
    struct faulty_file f;
    struct scene s = {.direct = direct};
    size_t i, k;

    if (!faulty_file_init(&f)) {
        return CANNOT;
    }
    strcpy(s.path, f.path);
    for (k = 0; k < 4; k++) {
        faulty_file_reset(&f);
        CHECK(scene_open(&s, true, 2), "FUSE has direct I/O");
        f.plan->at = 0;
        f.plan->sticks = true;
        f.plan->result = sizes[k];
        for (i = 0; i < 64; i++) {
            iov[i] = (struct iovec){data + i * PAGE, PAGE};
        }
        CHECK(gw_queue_write(s.queue, iov, 64, PAGE, NULL) == 0 &&
                  gw_queue_drain(s.queue, NULL) == 0,
              "pieces of %d", sizes[k]);
        CHECK(f.plan->n_requests >= 64 * PAGE / (unsigned int)sizes[k],
              "it was not told to move %d at a time", sizes[k]);
        CHECK(memcmp(f.plan->data + PAGE, data, 64 * PAGE) == 0,
              "pieces of %d: other bytes", sizes[k]);
        scene_close(&s);
    }
    free(data);
    faulty_file_deinit(&f);
    return 0;
}

static void test_queue__goes_on_after_short_transfers(void **state)
{
    (void)state;
    in_child(nibble, false);
}

/* ---- Signals ---- */

struct storm {
    pthread_t victim;
    pthread_t thread;
    atomic_bool stop;
};

static atomic_uint n_signals;

static void count_signal(int signal_number)
{
    (void)signal_number;
    n_signals++;
}

static void *send_signals(void *opaque)
{
    struct storm *storm = opaque;

    while (!storm->stop) {
        pthread_kill(storm->victim, SIGUSR1);
        usleep(50);
    }
    return NULL;
}

static void storm_begin(struct storm *storm)
{
    const struct sigaction action = {.sa_handler = count_signal};

    n_signals = 0;
    storm->stop = false;
    storm->victim = pthread_self();
    sigaction(SIGUSR1, &action, NULL);
    CHECK(pthread_create(&storm->thread, NULL, send_signals, storm) == 0,
          "no thread");
}

static void storm_end(struct storm *storm)
{
    storm->stop = true;
    pthread_join(storm->thread, NULL);
    signal(SIGUSR1, SIG_IGN);
    CHECK(n_signals > 10, "%u signals", n_signals);
}

/* System calls end with EINTR now and then: the file system sees to it. */
static int weather_plain(bool direct)
{
    uint8_t *data = random_pages(256, 10);
    uint8_t *to = alloc_pages(256);
    struct faulty_file f;
    struct storm storm;
    struct scene s = {.direct = direct};
    size_t i;

    if (!faulty_file_init(&f)) {
        return CANNOT;
    }
    strcpy(s.path, f.path);
    CHECK(scene_open(&s, true, 2), "FUSE");
    f.plan->patience_us = 100;
    storm_begin(&storm);
    for (i = 0; i < 256; i++) {
        CHECK(write_one(&s, data + i * PAGE, PAGE, i * PAGE, NULL) == 0,
              "write %zu", i);
    }
    storm_end(&storm);
    CHECK(f.plan->n_interrupted > 0, "nothing was interrupted");
    CHECK(memcmp(f.plan->data, data, 256 * PAGE) == 0, "other bytes");
    scene_close(&s);
    f.plan->patience_us = 0;
    CHECK(scene_open(&s, false, 2), "FUSE");
    f.plan->n_interrupted = 0;
    f.plan->patience_us = 100;
    storm_begin(&storm);
    for (i = 0; i < 256; i++) {
        CHECK(read_one(&s, to + i * PAGE, PAGE, i * PAGE, NULL) == 0,
              "read %zu", i);
    }
    storm_end(&storm);
    CHECK(f.plan->n_interrupted > 0, "nothing was interrupted");
    CHECK(memcmp(to, data, 256 * PAGE) == 0, "other bytes");
    scene_close(&s);
    faulty_file_deinit(&f);
    free(data);
    free(to);
    return 0;
}

static void test_queue__signal_storm(void **state)
{
    (void)state;
    in_child(weather_plain, false);
}

/* Waiting for the ring is what the signals interrupt. */
static void test_queue__signal_storm_direct(void **state)
{
    struct storm storm;
    struct scene s;
    bool opens = true;
    uint64_t seed;

    (void)state;
    scene_init(&s, true);
    storm_begin(&storm);
    for (seed = 20; opens && (seed < 24 || n_signals <= 10); seed++) {
        opens = round_trip(&s, 4, seed);
    }
    while (n_signals <= 10) {
        usleep(100);
    }
    storm_end(&storm);
    scene_deinit(&s);
    if (!opens) {
        skip();
    }
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

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
          "no filter: %s", strerror(errno));
}

/* The same file moves, and the queue says how. */
static int move_without_ring(struct scene *s)
{
    bool opens = scene_open(s, true, 8);

    if (opens) {
        CHECK(strcmp(gw_queue_engine(s->queue), "preadv") == 0, "engine %s",
              gw_queue_engine(s->queue));
        scene_close(s);
        CHECK(round_trip(s, 8, 30), "opened once");
    }
    scene_deinit(s);
    return opens ? 0 : CANNOT;
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
        return CANNOT;
    }
    s.queue = gw_queue_free(s.queue);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(gw_queue_new(s.channel, 2, &s.queue, &error) == 0, "%s",
          gw_error_text(error));
    CHECK(strcmp(gw_queue_engine(s.queue), "preadv") == 0, "engine %s",
          gw_queue_engine(s.queue));
    CHECK(write_one(&s, data, N_PAGES * PAGE, 0, NULL) == 0, "write");
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
        print_message("no direct I/O with io_uring here\n");
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

/* The same of operations that fail: each in turn, all but one, all. */
static int free_failing(bool direct)
{
    uint8_t *data = random_pages(N_PAGES, 42);
    struct faulty_file f;
    struct scene s = {.direct = direct};
    uint64_t k;
    size_t i;

    if (!faulty_file_init(&f)) {
        return CANNOT;
    }
    strcpy(s.path, f.path);
    for (k = 0; k < N_PAGES; k++) {
        faulty_file_reset(&f);
        f.plan->is_cached = true;
        CHECK(scene_open(&s, true, N_PAGES), "FUSE has direct I/O");
        f.plan->at = k;
        f.plan->result = k % 2 ? -EIO : 100;
        f.plan->sticks = k % 3 == 0;
        for (i = 0; i < N_PAGES; i++) {
            int r = write_piece(&s, data + i * PAGE, PAGE, i * PAGE, NULL);

            CHECK(r == 0 || r == -EIO, "%d", r);
        }
        scene_close(&s);
        gw_queue_free(NULL);
    }
    free(data);
    faulty_file_deinit(&f);
    return 0;
}

static void test_queue__freed_while_operations_fail(void **state)
{
    (void)state;
    in_child(free_failing, true);
}

/* ---- What channels do to files beside it ---- */

static int channel_on_faulty(bool direct)
{
    uint8_t *data = random_pages(N_PAGES, 50);
    struct gw_error *error = NULL;
    struct faulty_file f;
    struct scene s = {.direct = direct};
    uint8_t *zero = alloc_pages(4);
    int r;

    if (!faulty_file_init(&f)) {
        return CANNOT;
    }
    strcpy(s.path, f.path);
    CHECK(scene_open(&s, true, 2), "FUSE");
    CHECK(write_one(&s, data, N_PAGES * PAGE, 0, NULL) == 0, "write");
    /* It has no holes: zeros are written, in as many steps as it takes. */
    f.plan->at = f.plan->n_requests;
    f.plan->result = 5000;
    f.plan->sticks = true;
    CHECK(gw_channel_punch(s.channel, 3 * PAGE, 4 * PAGE, &error) == 0, "%s",
          gw_error_text(error));
    CHECK(memcmp(f.plan->data + 3 * PAGE, zero, 4 * PAGE) == 0, "not zero");
    CHECK(memcmp(f.plan->data, data, 3 * PAGE) == 0 &&
              memcmp(f.plan->data + 7 * PAGE, data + 7 * PAGE,
                     (N_PAGES - 7) * PAGE) == 0,
          "others were changed");
    f.plan->result = -EIO;
    r = gw_channel_punch(s.channel, 0, PAGE, &error);
    CHECK(r == -EIO, "%d", r);
    CHECK(strcmp(gw_error_text(error), "Unable to write to file descriptor: "
                                       "Input/output error") == 0,
          "%s", gw_error_text(error));
    error = gw_error_free(error);
    /* Longer, never shorter; and no further than files may be. */
    CHECK(gw_channel_extend(s.channel, 20 * PAGE, NULL) == 0, "extend");
    CHECK(f.plan->size == 20 * PAGE, "extend");
    CHECK(gw_channel_extend(s.channel, 4 * PAGE, NULL) == 0, "extend");
    CHECK(f.plan->size == 20 * PAGE, "it was cut off");
    r = gw_channel_extend(s.channel, FAULTY_MAX_SIZE + 1, &error);
    CHECK(r == -EFBIG, "%d", r);
    gw_error_free(error);
    scene_close(&s);
    faulty_file_deinit(&f);
    free(data);
    free(zero);
    return 0;
}

static void test_channel__punches_and_extends(void **state)
{
    (void)state;
    in_child(channel_on_faulty, false);
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
        cmocka_unit_test(test_queue__answers_of_the_disk),
        cmocka_unit_test(test_queue__answers_of_the_disk_direct),
        cmocka_unit_test(test_queue__goes_on_after_short_transfers),
        cmocka_unit_test(test_queue__signal_storm),
        cmocka_unit_test(test_queue__signal_storm_direct),
        cmocka_unit_test(test_queue__works_without_permission),
        cmocka_unit_test(test_queue__works_without_the_system_call),
        cmocka_unit_test(test_queue__works_without_memory_for_a_ring),
        cmocka_unit_test(test_queue__works_without_a_descriptor_for_a_ring),
        cmocka_unit_test(test_queue__says_its_engine),
        cmocka_unit_test(test_queue__cancelled),
        cmocka_unit_test(test_queue__cancelled_direct),
        cmocka_unit_test(test_queue__freed_with_operations_under_way),
        cmocka_unit_test(test_queue__freed_while_operations_fail),
        cmocka_unit_test(test_channel__punches_and_extends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
