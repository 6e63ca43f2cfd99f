/*
 * Queues that are told of through descriptors: what an accelerator's kernel
 * does is done here by a write to them.
 */
#include "virtio-driver.h"

#include <errno.h>

#include "virtio_balloon.h"
#include "virtio_set.h"

#define MODERN VMM_VIRTIO_BIT(VMM_VIRTIO_F_VERSION_1)

struct bench {
    struct driver driver;
    struct vmm_virtio_balloon balloon;
    int fd;
};

static struct bench *new_bench(bool legacy)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct vmm_virtio_balloon_config config = {
        .virtio = driver_init(&bench->driver, legacy)};

    assert_int_equal(vmm_virtio_balloon_init(&bench->balloon, &config, NULL),
                     0);
    bench->driver.device = &bench->balloon.device;
    assert_int_equal(
        vmm_virtio_notify_open(bench->driver.device, 0, &bench->fd, NULL), 0);
    vmm_virtio_resume(bench->driver.device);
    driver_start(&bench->driver, legacy ? 0 : MODERN, 16);
    put(&bench->driver, 0, 0, DATA_AT, 4, 0, 0);
    return bench;
}

static void free_bench(struct bench *bench)
{
    vmm_virtio_balloon_deinit(&bench->balloon);
    driver_deinit(&bench->driver);
    free(bench);
}

static void tell(struct bench *bench)
{
    uint64_t one = 1;

    assert_int_equal(write(bench->fd, &one, sizeof(one)), sizeof(one));
}

/* Until nothing is due any more. */
static void settle(struct bench *bench)
{
    for (int i = 0; i < 10; i++) {
        vmm_virtio_work(bench->driver.device, 0);
    }
}

static void test_notify__wakes_the_device(void **state)
{
    for (int legacy = 0; legacy < 2; legacy++) {
        struct bench *bench = new_bench(legacy);

        settle(bench);
        offer(&bench->driver, 0, 0);
        settle(bench);
        assert_int_equal(used_idx(&bench->driver, 0), 0);
        tell(bench);
        settle(bench);
        assert_int_equal(used_idx(&bench->driver, 0), 1);
        assert_true(bench->driver.device->started);
        free_bench(bench);
    }
}

/* Told of before the vCPUs stopped, and in nobody else's hands. */
static void test_notify__a_pause_takes_what_was_told(void **state)
{
    struct bench *bench = new_bench(false);

    settle(bench);
    offer(&bench->driver, 0, 0);
    tell(bench);
    vmm_virtio_pause(bench->driver.device);
    assert_int_equal(used_idx(&bench->driver, 0), 1);
    free_bench(bench);
}

/* A worker, and pauses at any moment of its round. */
static void test_notify__nothing_is_lost_with_a_worker(void **state)
{
    struct bench *bench = new_bench(false);
    struct vmm_virtio *device = bench->driver.device;

    assert_int_equal(vmm_virtio_start(device, NULL), 0);
    for (uint16_t i = 1; i <= 2000; i++) {
        offer(&bench->driver, 0, 0);
        tell(bench);
        if (i % 3 == 0) {
            sched_yield();
        }
        vmm_virtio_pause(device);
        assert_int_equal(used_idx(&bench->driver, 0), i);
        vmm_virtio_resume(device);
    }
    vmm_virtio_stop(device);
    free_bench(bench);
}

static void test_notify__of_a_queue_that_is_not_set_up(void **state)
{
    struct bench *bench = new_bench(true);

    set_reg(&bench->driver, 0x70, 0);
    settle(bench);
    tell(bench);
    settle(bench);
    assert_int_equal(bench->driver.device->kicked, 0);
    assert_false(bench->driver.device->started);
    free_bench(bench);
}

static void test_notify__of_queues_without_a_descriptor(void **state)
{
    struct bench *bench = new_bench(false);
    struct gw_error *error = NULL;
    int fd = -1;

    assert_int_equal(
        vmm_virtio_notify_open(bench->driver.device, 3, &fd, &error), -ERANGE);
    assert_string_equal(gw_error_text(error), "queue 3 has no descriptor");
    gw_error_free(error);
    assert_int_equal(vmm_virtio_notify_open(bench->driver.device,
                                            VMM_VIRTIO_NOTIFIERS, &fd, NULL),
                     -ERANGE);
    assert_int_equal(fd, -1);
    free_bench(bench);
}

/* What the accelerator is asked for; it refuses values above `accepted`. */
struct accel {
    uint32_t accepted;
    uint64_t gpas[64];
    uint32_t values[64];
    unsigned int n;
};

static int add(void *opaque, uint64_t gpa, uint32_t value, int fd)
{
    struct accel *accel = opaque;

    assert_true(fd >= 0);
    accel->gpas[accel->n] = gpa;
    accel->values[accel->n++] = value;
    return value <= accel->accepted ? 0 : -ENOTSUP;
}

static void test_notify__addresses_of_a_set(void **state)
{
    struct driver driver;
    struct vmm_virtio_config config = driver_init(&driver, true);
    struct vmm_virtio_options options = {
        .n_devices = 2,
        .devices = {{.kind = VMM_VIRTIO_BALLOON, .slot = -1},
                    {.kind = VMM_VIRTIO_RNG, .slot = 2}}};
    struct vmm_virtio_place place = {
        .memory = config.memory, .ioapic = config.ioapic, .first_pin = 5};
    struct vmm_virtio_set *set = calloc(1, sizeof(*set));
    struct accel accel = {.accepted = 1};

    assert_int_equal(vmm_virtio_set_init(set, &options, &place, NULL), 0);
    assert_int_equal(vmm_virtio_set_notify(set, add, &accel, NULL), 0);
    assert_int_equal(accel.n, 4 + 1);
    for (unsigned int i = 0; i < 4; i++) {
        assert_int_equal(accel.gpas[i], 0xfeb00e50);
        assert_int_equal(accel.values[i], i);
        assert_true((set->slots[7]->notify_fds[i] >= 0) == (i <= 1));
    }
    assert_int_equal(accel.gpas[4], 0xfeb00450);
    assert_int_equal(accel.values[4], 0);
    vmm_virtio_set_deinit(set);
    free(set);
    driver_deinit(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify__wakes_the_device),
        cmocka_unit_test(test_notify__a_pause_takes_what_was_told),
        cmocka_unit_test(test_notify__nothing_is_lost_with_a_worker),
        cmocka_unit_test(test_notify__of_a_queue_that_is_not_set_up),
        cmocka_unit_test(test_notify__of_queues_without_a_descriptor),
        cmocka_unit_test(test_notify__addresses_of_a_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
