/*
 * Device sections that a real QEMU wrote under KVM: our tables read them to
 * the last byte and write them again byte for byte; what we derive is what
 * QEMU derived.
 */
#include "vmstate-helpers.h"

#include "clock.h"
#include "cpu_state.h"
#include "ioapic.h"
#include "kvm.h"
#include "serial.h"

#define SECTION_FULL 0x04
#define SECTION_FOOTER 0x7e

static uint8_t devices[8192];
static size_t devices_size;

/* The device sections begin with the section's type and id. */
static int read_devices(void **state)
{
    FILE *file = fopen(VMM_TEST_DATA "/qemu-10.0-kvm-2cpu.devices", "rb");

    assert_non_null(file);
    devices_size = fread(devices, 1, sizeof(devices), file);
    fclose(file);
    assert_int_equal(devices[0], SECTION_FULL);
    assert_int_equal(devices[devices_size - 1], 0);
    return 0;
}

/*
 * The data of a section, by header and footer: both with the same id, the
 * next section (or the end) behind.
 */
static const uint8_t *find_section(const char *name, uint8_t instance,
                                   size_t *ret_size)
{
    size_t len = strlen(name);

    for (size_t at = 0; at + 14 + len < devices_size; at++) {
        const uint8_t *header = devices + at;
        size_t data = at + 14 + len;

        if (header[0] != SECTION_FULL || header[5] != len ||
            memcmp(header + 6, name, len) != 0 || header[9 + len] != instance) {
            continue;
        }
        for (size_t end = data; end + 5 < devices_size; end++) {
            if (devices[end] == SECTION_FOOTER &&
                memcmp(devices + end + 1, header + 1, 4) == 0 &&
                (devices[end + 5] == SECTION_FULL || devices[end + 5] == 0)) {
                *ret_size = end - data;
                return devices + data;
            }
        }
    }
    fail_msg("no section '%s' %u", name, instance);
    return NULL;
}

static void expect_same(const struct gw_vmstate *vmstate, uint8_t instance,
                        void *state)
{
    size_t size = 0;
    const uint8_t *data = find_section(vmstate->name, instance, &size);

    expect_loaded(vmstate, state, vmstate->version, data, size);
    expect_saved(vmstate, state, data, size);
}

static void test_qemu__clocks(void **state)
{
    struct vmm_clock clock = {0};
    struct vmm_kvmclock kvmclock = {0};

    expect_same(&vmm_clock_vmstate, 0, &clock);
    assert_true(clock.stopped_ns > 0);
    expect_same(&vmm_kvmclock_vmstate, 0, &kvmclock);
    assert_true(kvmclock.clock > 0);
}

static void test_qemu__vcpus(void **state)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct vmm_cpu cpu;

        vmm_cpu_init(&cpu);
        expect_same(&vmm_cpu_common_vmstate, i, &cpu);
        expect_same(&vmm_cpu_vmstate, i, &cpu);
        assert_int_equal(vmm_cpu_hflags(&cpu), cpu.hflags);
        assert_int_equal(cpu.hflags2, 0x101);
        assert_int_equal(cpu.a20_mask, -1);
    }
}

static void test_qemu__apics(void **state)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct vmm_apic apic = {0};
        struct vmm_apic derived;

        expect_same(&vmm_apic_vmstate, i, &apic);
        assert_int_equal(apic.id, i);
        derived = apic;
        derived.count_shift = 0;
        derived.next_time = 1;
        derived.timer_expiry = 1;
        vmm_apic_derive_times(&derived, apic.load_time);
        assert_int_equal(derived.count_shift, apic.count_shift);
        assert_int_equal(derived.next_time, apic.next_time);
        assert_int_equal(derived.timer_expiry, apic.timer_expiry);
    }
}

static void test_qemu__ioapic_and_serial(void **state)
{
    struct vmm_ioapic_state ioapic = {0};
    struct vmm_serial_state serial = {0};

    expect_same(&vmm_ioapic_vmstate, 0, &ioapic);
    /* beat uses pin 4 and nothing else. */
    assert_int_equal(ioapic.entries[4] & VMM_RTE_MASKED, 0);
    expect_same(&vmm_serial_vmstate, 0, &serial);
    assert_int_equal(serial.lsr & VMM_LSR_TEMT, VMM_LSR_TEMT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qemu__clocks),
        cmocka_unit_test(test_qemu__vcpus),
        cmocka_unit_test(test_qemu__apics),
        cmocka_unit_test(test_qemu__ioapic_and_serial),
    };

    return cmocka_run_group_tests(tests, read_devices, NULL);
}
