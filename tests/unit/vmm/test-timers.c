/*
 * Timers of devices: what fires, when, and that a stop holds.
 */
#include "timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"
#include "util.h"

#define MS INT64_C(1000000)

/* A timer that arms itself again, so many times. */
struct ticker {
    struct vmm_timers *timers;
    struct vmm_timer timer;
    const struct vmm_clock *clock;
    int64_t period_ns;
    int64_t next;
    atomic_uint left;
    atomic_uint n_fired;
    /* It fired before its time. */
    atomic_bool early;
};

static int64_t now_of(const struct ticker *ticker)
{
    return ticker->timer.clock == VMM_TIMER_VM ? vmm_clock_now(ticker->clock)
                                               : vmm_host_time_ns();
}

static void on_fire(void *opaque)
{
    struct ticker *ticker = opaque;

    if (now_of(ticker) < ticker->next) {
        atomic_store(&ticker->early, true);
    }
    ticker->next += ticker->period_ns;
    if (atomic_fetch_sub(&ticker->left, 1) > 1) {
        vmm_timers_set(ticker->timers, &ticker->timer, ticker->next);
    }
    atomic_fetch_add(&ticker->n_fired, 1);
}

static void nap(int64_t ns)
{
    struct timespec time = {.tv_nsec = ns};

    nanosleep(&time, NULL);
}

static void wait_for(const struct ticker *ticker, unsigned int n_fired)
{
    for (int i = 0; i < 20000 && atomic_load(&ticker->n_fired) < n_fired; i++) {
        nap(MS);
    }
    assert_int_equal(atomic_load(&ticker->n_fired), n_fired);
}

static void add(struct ticker *ticker, struct vmm_timers *timers,
                const struct vmm_clock *clock, enum vmm_timer_clock by,
                unsigned int n, int64_t period_ns)
{
    ticker->timers = timers;
    ticker->clock = clock;
    ticker->period_ns = period_ns;
    atomic_init(&ticker->left, n);
    atomic_init(&ticker->n_fired, 0);
    atomic_init(&ticker->early, false);
    vmm_timers_add(timers, &ticker->timer, by, on_fire, ticker);
    ticker->next = now_of(ticker) + period_ns;
    vmm_timers_set(timers, &ticker->timer, ticker->next);
}

static void test_timers__fire_by_both_clocks(void **state)
{
    struct vmm_clock clock = {0};
    struct vmm_timers timers;
    struct ticker guest;
    struct ticker host;

    assert_int_equal(vmm_timers_init(&timers, &clock, NULL), 0);
    vmm_clock_start(&clock);
    add(&guest, &timers, &clock, VMM_TIMER_VM, 20, MS);
    add(&host, &timers, &clock, VMM_TIMER_HOST, 5, 4 * MS);
    vmm_timers_start(&timers);
    wait_for(&guest, 20);
    wait_for(&host, 5);
    assert_false(atomic_load(&guest.early) || atomic_load(&host.early));
    vmm_timers_deinit(&timers);
}

static void test_timers__stand_while_stopped(void **state)
{
    struct vmm_clock clock = {0};
    struct vmm_timers timers;
    struct ticker guest;

    assert_int_equal(vmm_timers_init(&timers, &clock, NULL), 0);
    add(&guest, &timers, &clock, VMM_TIMER_VM, 1000000, MS / 10);
    nap(5 * MS);
    assert_int_equal(atomic_load(&guest.n_fired), 0);
    for (int i = 0; i < 10; i++) {
        unsigned int n_fired;

        vmm_clock_start(&clock);
        vmm_timers_start(&timers);
        nap(2 * MS);
        vmm_timers_stop(&timers);
        vmm_clock_stop(&clock);
        n_fired = atomic_load(&guest.n_fired);
        nap(2 * MS);
        assert_int_equal(atomic_load(&guest.n_fired), n_fired);
    }
    vmm_timers_deinit(&timers);
}

static void test_timers__an_earlier_one_is_not_kept_waiting(void **state)
{
    struct vmm_clock clock = {0};
    struct vmm_timers timers;
    struct ticker late;
    struct ticker soon;

    assert_int_equal(vmm_timers_init(&timers, &clock, NULL), 0);
    vmm_clock_start(&clock);
    vmm_timers_start(&timers);
    add(&late, &timers, &clock, VMM_TIMER_VM, 1, 3600 * 1000 * MS);
    nap(2 * MS);
    add(&soon, &timers, &clock, VMM_TIMER_HOST, 1, MS);
    wait_for(&soon, 1);
    assert_int_equal(atomic_load(&late.n_fired), 0);
    /* Not armed any more: it never fires. */
    vmm_timers_set(&timers, &late.timer, -1);
    vmm_timers_deinit(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers__fire_by_both_clocks),
        cmocka_unit_test(test_timers__stand_while_stopped),
        cmocka_unit_test(test_timers__an_earlier_one_is_not_kept_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
