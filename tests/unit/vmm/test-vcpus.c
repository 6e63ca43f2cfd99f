/*
 * The vCPU threads: what runs, and that a pause holds.
 */
#include "vcpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define N_VCPUS 3

struct fake {
    atomic_bool kicked[N_VCPUS];
    atomic_ulong steps[N_VCPUS];
    atomic_ulong parks[N_VCPUS];
    /* Runs that were begun. */
    atomic_ulong runs[N_VCPUS];
    /* Nudged by its own thread once it has begun. */
    struct vmm_vcpus *nudged;
};

static void arm(void *opaque, unsigned int index)
{
    struct fake *fake = opaque;

    atomic_store(&fake->kicked[index], false);
}

static void run(void *opaque, unsigned int index)
{
    struct fake *fake = opaque;
    struct timespec nap = {.tv_nsec = 10000};

    atomic_fetch_add(&fake->runs[index], 1);
    if (fake->nudged) {
        vmm_vcpus_nudge(fake->nudged, index);
    }
    while (!atomic_load(&fake->kicked[index])) {
        atomic_fetch_add(&fake->steps[index], 1);
        nanosleep(&nap, NULL);
    }
}

static void kick(void *opaque, unsigned int index)
{
    struct fake *fake = opaque;

    atomic_store(&fake->kicked[index], true);
}

static void park(void *opaque, unsigned int index)
{
    struct fake *fake = opaque;

    atomic_fetch_add(&fake->parks[index], 1);
}

static const struct vmm_vcpu_ops ops = {
    .arm = arm, .run = run, .kick = kick, .park = park};

static unsigned long total(struct fake *fake)
{
    unsigned long n = 0;

    for (int i = 0; i < N_VCPUS; i++) {
        n += atomic_load(&fake->steps[i]);
    }
    return n;
}

static void test_vcpus__start_parked_and_pause_holds(void **state)
{
    struct timespec nap = {.tv_nsec = 200000};
    struct vmm_vcpus vcpus;
    struct fake fake = {0};

    assert_int_equal(vmm_vcpus_init(&vcpus, N_VCPUS, &ops, &fake, NULL), 0);
    nanosleep(&nap, NULL);
    assert_int_equal(total(&fake), 0);
    vmm_vcpus_pause(&vcpus);
    for (int i = 0; i < 200; i++) {
        unsigned long at_pause;

        vmm_vcpus_resume(&vcpus);
        if (i % 2) {
            nanosleep(&nap, NULL);
        }
        vmm_vcpus_pause(&vcpus);
        at_pause = total(&fake);
        if (i % 20 == 0) {
            nanosleep(&nap, NULL);
        }
        assert_int_equal(total(&fake), at_pause);
    }
    assert_true(total(&fake) > 0);
    vmm_vcpus_deinit(&vcpus);
}

static void test_vcpus__end_while_running(void **state)
{
    struct vmm_vcpus vcpus;
    struct fake fake = {0};

    assert_int_equal(vmm_vcpus_init(&vcpus, N_VCPUS, &ops, &fake, NULL), 0);
    vmm_vcpus_resume(&vcpus);
    vmm_vcpus_deinit(&vcpus);
    vmm_vcpus_deinit(&vcpus);
}

static void test_vcpus__requested_pause_comes(void **state)
{
    struct vmm_vcpus vcpus;
    struct fake fake = {0};
    unsigned long at_pause;

    assert_int_equal(vmm_vcpus_init(&vcpus, N_VCPUS, &ops, &fake, NULL), 0);
    vmm_vcpus_resume(&vcpus);
    vmm_vcpus_request_pause(&vcpus);
    vmm_vcpus_pause(&vcpus);
    at_pause = total(&fake);
    vmm_vcpus_signal(&vcpus, 0);
    assert_int_equal(total(&fake), at_pause);
    vmm_vcpus_deinit(&vcpus);
}

static void wait_for(const atomic_ulong *n, unsigned long least)
{
    struct timespec nap = {.tv_nsec = 100000};

    for (int i = 0; i < 100000 && atomic_load(n) < least; i++) {
        nanosleep(&nap, NULL);
    }
    assert_true(atomic_load(n) >= least);
}

static void test_vcpus__a_nudge_begins_another_run(void **state)
{
    struct vmm_vcpus vcpus;
    struct fake fake = {0};

    assert_int_equal(vmm_vcpus_init(&vcpus, N_VCPUS, &ops, &fake, NULL), 0);
    /* Parked: it will look by itself before it runs. */
    vmm_vcpus_nudge(&vcpus, 0);
    assert_false(atomic_load(&fake.kicked[0]));
    vmm_vcpus_resume(&vcpus);
    wait_for(&fake.runs[0], 1);
    wait_for(&fake.runs[1], 1);
    for (unsigned long i = 1; i <= 100; i++) {
        vmm_vcpus_nudge(&vcpus, 0);
        wait_for(&fake.runs[0], i + 1);
    }
    assert_int_equal(atomic_load(&fake.runs[1]), 1);
    vmm_vcpus_nudge(&vcpus, N_VCPUS);
    vmm_vcpus_pause(&vcpus);
    assert_int_equal(atomic_load(&fake.parks[0]), 1);
    vmm_vcpus_deinit(&vcpus);
    /* Nobody is there any more. */
    vmm_vcpus_nudge(&vcpus, 0);
}

/* It is out of its run already, and looks before the next. */
static void test_vcpus__its_own_thread_is_not_nudged(void **state)
{
    struct vmm_vcpus vcpus;
    struct fake fake = {.nudged = &vcpus};

    assert_int_equal(vmm_vcpus_init(&vcpus, N_VCPUS, &ops, &fake, NULL), 0);
    vmm_vcpus_resume(&vcpus);
    wait_for(&fake.steps[0], 10);
    assert_int_equal(atomic_load(&fake.runs[0]), 1);
    vmm_vcpus_deinit(&vcpus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vcpus__start_parked_and_pause_holds),
        cmocka_unit_test(test_vcpus__end_while_running),
        cmocka_unit_test(test_vcpus__requested_pause_comes),
        cmocka_unit_test(test_vcpus__a_nudge_begins_another_run),
        cmocka_unit_test(test_vcpus__its_own_thread_is_not_nudged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
