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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vcpus__start_parked_and_pause_holds),
        cmocka_unit_test(test_vcpus__end_while_running),
        cmocka_unit_test(test_vcpus__requested_pause_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
