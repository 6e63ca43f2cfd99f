/*
 * Where guest physical addresses are: RAM, and the firmware over it.
 */
#include "guest_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <godwit/machine.h>

#define FIRMWARE_BYTES 0x20000u

struct bench {
    struct vmm_memory ram;
    struct vmm_firmware firmware;
    struct vmm_guest_memory guest;
};

static void set_up(struct bench *bench, uint64_t bytes, uint64_t firmware)
{
    struct vmm_memory_config config = {.bytes = bytes};

    assert_int_equal(vmm_memory_init(&bench->ram, &config, NULL), 0);
    assert_int_equal(vmm_firmware_init(&bench->firmware, firmware, NULL), 0);
    vmm_guest_memory_init(&bench->guest, &bench->ram, &bench->firmware);
}

static void tear_down(struct bench *bench)
{
    vmm_firmware_deinit(&bench->firmware);
    vmm_memory_deinit(&bench->ram);
}

static void expect_range(const struct bench *bench, unsigned int i,
                         uint64_t gpa, uint64_t bytes, const uint8_t *host)
{
    const struct vmm_memory_range *range = &bench->guest.ranges[i];

    assert_int_equal(range->gpa, gpa);
    assert_int_equal(range->bytes, bytes);
    assert_ptr_equal(range->host, host);
}

/* The memory slots of the reference, 1.2, for 128 MiB and 128 KiB. */
static void test_guest_memory__has_the_firmware_over_ram(void **state)
{
    struct bench bench;

    set_up(&bench, 128 << 20, FIRMWARE_BYTES);
    assert_int_equal(bench.guest.n_ranges, 4);
    expect_range(&bench, 0, 0, 0xe0000, bench.ram.host);
    expect_range(&bench, 1, 0xe0000, 0x20000, bench.firmware.host);
    expect_range(&bench, 2, 0x100000, (128 << 20) - 0x100000,
                 bench.ram.host + 0x100000);
    expect_range(&bench, 3, 0xfffe0000, 0x20000, bench.firmware.host);
    tear_down(&bench);
}

static void test_guest_memory__goes_on_at_4_gib(void **state)
{
    struct bench bench;

    set_up(&bench, 5ull << 30, FIRMWARE_BYTES);
    assert_int_equal(bench.guest.n_ranges, 5);
    expect_range(&bench, 4, 0x100000000, 2ull << 30,
                 bench.ram.host + 0xc0000000);
    tear_down(&bench);
    set_up(&bench, 5ull << 30, 0);
    assert_int_equal(bench.guest.n_ranges, 2);
    expect_range(&bench, 0, 0, 0xc0000000, bench.ram.host);
    tear_down(&bench);
    set_up(&bench, 1 << 20, 0);
    vmm_guest_memory_init(&bench.guest, &bench.ram, NULL);
    assert_int_equal(bench.guest.n_ranges, 1);
    tear_down(&bench);
}

static void test_guest_memory__finds_addresses(void **state)
{
    struct bench bench;
    const struct vmm_guest_memory *guest = &bench.guest;
    uint64_t bytes;

    set_up(&bench, 2 << 20, FIRMWARE_BYTES);
    assert_ptr_equal(vmm_guest_memory_from(guest, 0xdffff, &bytes),
                     bench.ram.host + 0xdffff);
    assert_int_equal(bytes, 1);
    assert_ptr_equal(vmm_guest_memory_from(guest, 0xe0000, &bytes),
                     bench.firmware.host);
    assert_int_equal(bytes, FIRMWARE_BYTES);
    assert_ptr_equal(vmm_guest_memory_from(guest, 0xffffffff, &bytes),
                     bench.firmware.host + FIRMWARE_BYTES - 1);
    assert_int_equal(bytes, 1);
    assert_null(vmm_guest_memory_from(guest, 2 << 20, &bytes));
    assert_null(vmm_guest_memory_from(guest, UINT64_MAX, &bytes));
    tear_down(&bench);
}

/* A device may use what lies in one piece, wherever that is. */
static void test_guest_memory__lends_what_is_in_one_piece(void **state)
{
    struct bench bench;
    const struct vmm_guest_memory *guest = &bench.guest;

    set_up(&bench, 2 << 20, FIRMWARE_BYTES);
    assert_ptr_equal(vmm_guest_memory_at(guest, 0xeff00, 0x100),
                     bench.firmware.host + 0xff00);
    assert_ptr_equal(vmm_guest_memory_at(guest, 0xdff00, 0x100),
                     bench.ram.host + 0xdff00);
    assert_null(vmm_guest_memory_at(guest, 0xdff00, 0x101));
    assert_null(vmm_guest_memory_at(guest, 0xfff00, 0x101));
    assert_null(vmm_guest_memory_at(guest, (2 << 20) - 4, 5));
    assert_null(vmm_guest_memory_at(guest, 0xe0000, UINT64_MAX));
    tear_down(&bench);
}

/* And back, below 1 MiB for what shows twice. */
static void test_guest_memory__tells_addresses(void **state)
{
    struct bench bench;
    const struct vmm_guest_memory *guest = &bench.guest;

    set_up(&bench, 2 << 20, FIRMWARE_BYTES);
    assert_int_equal(vmm_guest_memory_gpa(guest, bench.ram.host + 0x1234),
                     0x1234);
    assert_int_equal(vmm_guest_memory_gpa(guest, bench.ram.host + 0x1ffffe),
                     0x1ffffe);
    assert_int_equal(vmm_guest_memory_gpa(guest, bench.firmware.host + 7),
                     0xe0007);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_memory__has_the_firmware_over_ram),
        cmocka_unit_test(test_guest_memory__goes_on_at_4_gib),
        cmocka_unit_test(test_guest_memory__finds_addresses),
        cmocka_unit_test(test_guest_memory__lends_what_is_in_one_piece),
        cmocka_unit_test(test_guest_memory__tells_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
