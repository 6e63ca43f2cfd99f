/*
 * The rate limit: the workers together stay below it, and who waits for it
 * can be cancelled, and hears of another limit.
 */
#include "migrate/rate.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "migrate/migration.h"

#define MIB (UINT64_C(1) << 20)
#define N_WORKERS 8u

/* Of a migration what waits are about. */
struct scene {
    struct gw_migration migration;
    struct gw_rate rate;
};

/* What a worker pays, piece by piece, and how that ended. */
struct worker {
    struct scene *scene;
    pthread_t thread;
    uint64_t bytes;
    unsigned int n_times;
    int result;
};

static void scene_init(struct scene *s, uint64_t bandwidth_bps)
{
    pthread_condattr_t attr;

    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->migration.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->migration.changed_cond, &attr);
    pthread_condattr_destroy(&attr);
    s->migration.settings.max_bandwidth = bandwidth_bps;
    gw_rate_init(&s->rate, &s->migration);
}

static void scene_deinit(struct scene *s)
{
    gw_rate_deinit(&s->rate);
    pthread_cond_destroy(&s->migration.changed_cond);
    pthread_mutex_destroy(&s->migration.lock);
}

static void *work(void *opaque)
{
    struct worker *worker = opaque;
    unsigned int i;

    for (i = 0; worker->result == 0 && i < worker->n_times; i++) {
        worker->result = gw_rate_pay(&worker->scene->rate, worker->bytes, NULL);
    }
    return NULL;
}

static void begin(struct scene *s, struct worker *workers, uint64_t bytes,
                  unsigned int n_times)
{
    unsigned int i;

    for (i = 0; i < N_WORKERS; i++) {
        workers[i] =
            (struct worker){.scene = s, .bytes = bytes, .n_times = n_times};
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static void end(struct worker *workers, int result)
{
    unsigned int i;

    for (i = 0; i < N_WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].result, result);
    }
}

static void change(struct scene *s, bool cancel, uint64_t bandwidth_bps)
{
    pthread_mutex_lock(&s->migration.lock);
    s->migration.is_cancelled = cancel;
    s->migration.settings.max_bandwidth = bandwidth_bps;
    pthread_cond_broadcast(&s->migration.changed_cond);
    pthread_mutex_unlock(&s->migration.lock);
}

static void test_rate__workers_share_the_limit(void **state)
{
    struct worker workers[N_WORKERS];
    uint64_t start = gw_now_ns();
    struct scene s;

    (void)state;
    scene_init(&s, 320 * MIB);
    begin(&s, workers, MIB, 10);
    end(workers, 0);
    /* 80 MiB last 250 ms; 40 ms may be owed, or saved up before. */
    assert_true(gw_now_ns() - start >= 210000000);
    scene_deinit(&s);
}

static void test_rate__no_limit_no_wait(void **state)
{
    struct worker workers[N_WORKERS];
    uint64_t start = gw_now_ns();
    struct scene s;

    (void)state;
    scene_init(&s, 0);
    begin(&s, workers, UINT64_C(1) << 50, 1000);
    end(workers, 0);
    scene_deinit(&s);
    /* At a limit of 1 it would last for ever; nothing is owed later. */
    scene_init(&s, 1);
    assert_int_equal(gw_rate_pay(&s.rate, 0, NULL), 0);
    scene_deinit(&s);
    assert_true(gw_now_ns() - start < UINT64_C(20000000000));
}

static void test_rate__cancel_ends_all_waits(void **state)
{
    struct worker workers[N_WORKERS];
    struct gw_error *error = NULL;
    struct scene s;

    (void)state;
    scene_init(&s, 1);
    begin(&s, workers, MIB, 1);
    usleep(20000);
    change(&s, true, 1);
    end(workers, -ECANCELED);
    assert_int_equal(gw_rate_pay(&s.rate, 0, &error), -ECANCELED);
    assert_string_equal(gw_error_text(error), "the migration was cancelled");
    gw_error_free(error);
    scene_deinit(&s);
}

/* What was owed at the old limit is forgiven. */
static void test_rate__another_limit_ends_all_waits(void **state)
{
    struct worker workers[N_WORKERS];
    struct scene s;

    (void)state;
    scene_init(&s, 1);
    begin(&s, workers, MIB, 1);
    usleep(20000);
    change(&s, false, 1000000 * MIB);
    end(workers, 0);
    begin(&s, workers, MIB, 10);
    end(workers, 0);
    change(&s, false, 0);
    begin(&s, workers, MIB, 10);
    end(workers, 0);
    scene_deinit(&s);
}

/* The limit changes at once after the first who asks was told the old one. */
static struct scene *changes_when_asked;

uint64_t __real_gw_migration_max_bandwidth(struct gw_migration *migration);
uint64_t __wrap_gw_migration_max_bandwidth(struct gw_migration *migration);

uint64_t __wrap_gw_migration_max_bandwidth(struct gw_migration *migration)
{
    uint64_t bandwidth_bps = __real_gw_migration_max_bandwidth(migration);
    struct scene *s = changes_when_asked;

    if (s) {
        changes_when_asked = NULL;
        change(s, false, 1000000 * MIB);
    }
    return bandwidth_bps;
}

/* A change that nobody waited for yet is not missed: 12 days are owed. */
static void test_rate__no_change_is_missed(void **state)
{
    uint64_t start = gw_now_ns();
    struct scene s;

    (void)state;
    scene_init(&s, 1);
    changes_when_asked = &s;
    assert_int_equal(gw_rate_pay(&s.rate, MIB, NULL), 0);
    assert_int_equal(gw_rate_pay(&s.rate, MIB, NULL), 0);
    assert_true(gw_now_ns() - start < UINT64_C(20000000000));
    scene_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate__workers_share_the_limit),
        cmocka_unit_test(test_rate__no_limit_no_wait),
        cmocka_unit_test(test_rate__cancel_ends_all_waits),
        cmocka_unit_test(test_rate__another_limit_ends_all_waits),
        cmocka_unit_test(test_rate__no_change_is_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
