/*
 * Queued page I/O when the disk fails and signals come: no transfer that is
 * incomplete is ever taken for a success. The faults are real ones, of a file
 * system that answers as it is told.
 */
#include "channel/queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "faulty-file.h"
#include "queue-scene.h"

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

    KIT_CHECK(r == expected || expected == 1, "%d, expected %d", r, expected);
    if (r == 0) {
        KIT_CHECK(!gw_queue_failed_at(s->queue, &offset), "failed in secret");
        return;
    }
    KIT_CHECK(gw_queue_failed_at(s->queue, &offset) && offset < N_PAGES * PAGE,
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
    KIT_CHECK(scene_open(s, outgoing, 3), "FUSE has direct I/O");
    f->plan->at = k;
    f->plan->result = answer;
    f->plan->sticks = sticks;
    r = move_pages(s, outgoing ? data : to, outgoing, &error);
    KIT_CHECK(f->plan->n_requests > k, "the fault was not met");
    check_result(s, r, expected_result(s, outgoing, answer), error);
    if (r == 0) {
        KIT_CHECK(
            memcmp(outgoing ? f->plan->data : to, data, N_PAGES * PAGE) == 0,
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
        return KIT_CANNOT;
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
        return KIT_CANNOT;
    }
    strcpy(s.path, f.path);
    for (k = 0; k < 4; k++) {
        faulty_file_reset(&f);
        KIT_CHECK(scene_open(&s, true, 2), "FUSE has direct I/O");
        f.plan->at = 0;
        f.plan->sticks = true;
        f.plan->result = sizes[k];
        for (i = 0; i < 64; i++) {
            iov[i] = (struct iovec){data + i * PAGE, PAGE};
        }
        KIT_CHECK(gw_queue_write(s.queue, iov, 64, PAGE, NULL) == 0 &&
                      gw_queue_drain(s.queue, NULL) == 0,
                  "pieces of %d", sizes[k]);
        KIT_CHECK(f.plan->n_requests >= 64 * PAGE / (unsigned int)sizes[k],
                  "it was not told to move %d at a time", sizes[k]);
        KIT_CHECK(memcmp(f.plan->data + PAGE, data, 64 * PAGE) == 0,
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
    KIT_CHECK(pthread_create(&storm->thread, NULL, send_signals, storm) == 0,
              "no thread");
}

static void storm_end(struct storm *storm)
{
    storm->stop = true;
    pthread_join(storm->thread, NULL);
    signal(SIGUSR1, SIG_IGN);
    KIT_CHECK(n_signals > 10, "%u signals", n_signals);
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
        return KIT_CANNOT;
    }
    strcpy(s.path, f.path);
    KIT_CHECK(scene_open(&s, true, 2), "FUSE");
    f.plan->patience_us = 100;
    storm_begin(&storm);
    for (i = 0; i < 256; i++) {
        KIT_CHECK(write_one(&s, data + i * PAGE, PAGE, i * PAGE, NULL) == 0,
                  "write %zu", i);
    }
    storm_end(&storm);
    KIT_CHECK(f.plan->n_interrupted > 0, "nothing was interrupted");
    KIT_CHECK(memcmp(f.plan->data, data, 256 * PAGE) == 0, "other bytes");
    scene_close(&s);
    f.plan->patience_us = 0;
    KIT_CHECK(scene_open(&s, false, 2), "FUSE");
    f.plan->n_interrupted = 0;
    f.plan->patience_us = 100;
    storm_begin(&storm);
    for (i = 0; i < 256; i++) {
        KIT_CHECK(read_one(&s, to + i * PAGE, PAGE, i * PAGE, NULL) == 0,
                  "read %zu", i);
    }
    storm_end(&storm);
    KIT_CHECK(f.plan->n_interrupted > 0, "nothing was interrupted");
    KIT_CHECK(memcmp(to, data, 256 * PAGE) == 0, "other bytes");
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

/* ---- Its end ---- */

/* The same of operations that fail: each in turn, all but one, all. */
static int free_failing(bool direct)
{
    uint8_t *data = random_pages(N_PAGES, 42);
    struct faulty_file f;
    struct scene s = {.direct = direct};
    uint64_t k;
    size_t i;

    if (!faulty_file_init(&f)) {
        return KIT_CANNOT;
    }
    strcpy(s.path, f.path);
    for (k = 0; k < N_PAGES; k++) {
        faulty_file_reset(&f);
        f.plan->is_cached = true;
        KIT_CHECK(scene_open(&s, true, N_PAGES), "FUSE has direct I/O");
        f.plan->at = k;
        f.plan->result = k % 2 ? -EIO : 100;
        f.plan->sticks = k % 3 == 0;
        for (i = 0; i < N_PAGES; i++) {
            int r = write_piece(&s, data + i * PAGE, PAGE, i * PAGE, NULL);

            KIT_CHECK(r == 0 || r == -EIO, "%d", r);
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
        return KIT_CANNOT;
    }
    strcpy(s.path, f.path);
    KIT_CHECK(scene_open(&s, true, 2), "FUSE");
    KIT_CHECK(write_one(&s, data, N_PAGES * PAGE, 0, NULL) == 0, "write");
    /* It has no holes: zeros are written, in as many steps as it takes. */
    f.plan->at = f.plan->n_requests;
    f.plan->result = 5000;
    f.plan->sticks = true;
    KIT_CHECK(gw_channel_punch(s.channel, 3 * PAGE, 4 * PAGE, &error) == 0,
              "%s", gw_error_text(error));
    KIT_CHECK(memcmp(f.plan->data + 3 * PAGE, zero, 4 * PAGE) == 0, "not zero");
    KIT_CHECK(memcmp(f.plan->data, data, 3 * PAGE) == 0 &&
                  memcmp(f.plan->data + 7 * PAGE, data + 7 * PAGE,
                         (N_PAGES - 7) * PAGE) == 0,
              "others were changed");
    f.plan->result = -EIO;
    r = gw_channel_punch(s.channel, 0, PAGE, &error);
    KIT_CHECK(r == -EIO, "%d", r);
    KIT_CHECK(strcmp(gw_error_text(error),
                     "Unable to write to file descriptor: "
                     "Input/output error") == 0,
              "%s", gw_error_text(error));
    error = gw_error_free(error);
    /* Longer, never shorter; and no further than files may be. */
    KIT_CHECK(gw_channel_extend(s.channel, 20 * PAGE, NULL) == 0, "extend");
    KIT_CHECK(f.plan->size == 20 * PAGE, "extend");
    KIT_CHECK(gw_channel_extend(s.channel, 4 * PAGE, NULL) == 0, "extend");
    KIT_CHECK(f.plan->size == 20 * PAGE, "it was cut off");
    r = gw_channel_extend(s.channel, FAULTY_MAX_SIZE + 1, &error);
    KIT_CHECK(r == -EFBIG, "%d", r);
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
        cmocka_unit_test(test_queue__answers_of_the_disk),
        cmocka_unit_test(test_queue__answers_of_the_disk_direct),
        cmocka_unit_test(test_queue__goes_on_after_short_transfers),
        cmocka_unit_test(test_queue__signal_storm),
        cmocka_unit_test(test_queue__signal_storm_direct),
        cmocka_unit_test(test_queue__freed_while_operations_fail),
        cmocka_unit_test(test_channel__punches_and_extends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
