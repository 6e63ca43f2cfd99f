/*
 * The MP table: what qboot writes for two CPUs (dumped from guest memory of
 * QEMU 10.0.2, microvm,acpi=off), and the rules of the specification.
 */
#include "mp_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot.h"
#include "util.h"

#define MAX_BYTES 2048u

/* Entries of qboot's table, from 0x9fc3c on; QEMU's CPU model qemu64. */
static const uint8_t qboot_entries[] = {
    0x00, 0x00, 0x14, 0x03, 0xb1, 0x0f, 0x06, 0x00, 0xfd, 0xfb, 0x8b, 0x17,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x14, 0x01,
    0xb1, 0x0f, 0x06, 0x00, 0xfd, 0xfb, 0x8b, 0x17, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x49, 0x53, 0x41, 0x20, 0x20, 0x20,
    0x02, 0x03, 0x14, 0x01, 0x00, 0x00, 0xc0, 0xfe, 0x03, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x03, 0x02, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x01,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x03, 0x03, 0x03, 0x03, 0x00, 0x00, 0x00,
    0x00, 0x04, 0x03, 0x04, 0x03, 0x00, 0x00, 0x00, 0x00, 0x05, 0x03, 0x05,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x06, 0x03, 0x06, 0x03, 0x00, 0x00, 0x00,
    0x00, 0x07, 0x03, 0x07, 0x03, 0x00, 0x00, 0x00, 0x00, 0x08, 0x03, 0x08,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x09, 0x03, 0x09, 0x03, 0x00, 0x00, 0x00,
    0x00, 0x0a, 0x03, 0x0a, 0x03, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x03, 0x0b,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x03, 0x0c, 0x03, 0x00, 0x00, 0x00,
    0x00, 0x0d, 0x03, 0x0d, 0x03, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x03, 0x0e,
    0x03, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x03, 0x0f, 0x04, 0x03, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0xff, 0x01};

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;

    while (size-- > 0) {
        total = (uint8_t)(total + *bytes++);
    }
    return total;
}

static void test_mp_table__entries_are_qboots(void **state)
{
    const struct vmm_mp_config config = {
        .n_cpus = 2, .cpu_signature = 0x00060fb1, .cpu_features = 0x178bfbfd};
    uint8_t table[MAX_BYTES];
    uint8_t expected[sizeof(qboot_entries)];

    memcpy(expected, qboot_entries, sizeof(expected));
    /* qboot gives the I/O APIC another version than its register has. */
    expected[50] = 0x20;
    assert_int_equal(vmm_mp_table_bytes(2), 16 + 44 + sizeof(qboot_entries));
    vmm_mp_table_write(&config, table);
    assert_memory_equal(table + 60, expected, sizeof(expected));
}

/* Chapter 4.1: the pointer. */
static void test_mp_table__pointer(void **state)
{
    const struct vmm_mp_config config = {.n_cpus = 1};
    uint8_t table[MAX_BYTES];

    vmm_mp_table_write(&config, table);
    assert_memory_equal(table, "_MP_", 4);
    assert_int_equal(vmm_get_le32(table + 4), 0x9fc10);
    assert_int_equal(table[8], 1);
    assert_int_equal(table[9], 4);
    assert_int_equal(sum(table, 16), 0);
    /* A table is there, and no IMCR. */
    assert_int_equal(table[11] | table[12], 0);
}

/* Chapter 4.2: lengths, counts and sums, for each number of CPUs. */
static void test_mp_table__header(void **state)
{
    for (unsigned int n = 1; n <= 64; n++) {
        const struct vmm_mp_config config = {.n_cpus = n};
        uint8_t table[MAX_BYTES];
        const uint8_t *header = table + 16;
        size_t size;
        unsigned int n_entries = 0;

        memset(table, 0xee, sizeof(table));
        vmm_mp_table_write(&config, table);
        size = header[4] | (size_t)header[5] << 8;
        assert_memory_equal(header, "PCMP", 4);
        assert_int_equal(16 + size, vmm_mp_table_bytes(n));
        assert_int_equal(table[16 + size], 0xee);
        assert_int_equal(header[6], 4);
        assert_int_equal(sum(header, size), 0);
        assert_int_equal(vmm_get_le32(header + 36), 0xfee00000);
        for (size_t at = 44; at < size; n_entries++) {
            assert_true(header[at] <= 4);
            at += header[at] == 0 ? 20 : 8;
        }
        assert_int_equal(header[34] | header[35] << 8, n_entries);
        assert_int_equal(n_entries, n + 1 + 1 + 15 + 2);
        /* The I/O APIC's id is none of a CPU's. */
        assert_int_equal(header[44 + 20 * n + 8 + 1], n + 1);
    }
}

static int boot(struct vmm_memory *memory, const struct vmm_boot_config *config)
{
    struct vmm_boot result;

    return vmm_boot_load(memory, config, &result, NULL);
}

/* A 32-bit ELF image of one segment, which is entered at its start. */
static void make_elf(uint8_t image[4096], uint32_t address)
{
    memset(image, 0, 4096);
    memcpy(image,
           "\x7f"
           "ELF\1\1\1",
           7);
    vmm_put_le16(image + 16, 2);
    vmm_put_le16(image + 18, 3);
    vmm_put_le32(image + 20, 1);
    vmm_put_le32(image + 24, address);
    vmm_put_le32(image + 28, 52);
    vmm_put_le16(image + 40, 52);
    vmm_put_le16(image + 42, 32);
    vmm_put_le16(image + 44, 1);
    vmm_put_le32(image + 52, 1);
    vmm_put_le32(image + 56, 1024);
    vmm_put_le32(image + 60, address);
    vmm_put_le32(image + 64, address);
    vmm_put_le32(image + 68, 16);
    vmm_put_le32(image + 72, 16);
}

static void test_mp_table__is_written_by_a_start_without_acpi(void **state)
{
    struct vmm_memory_config backing = {.bytes = 16 << 20};
    uint8_t image[4096];
    struct vmm_boot_config config = {
        .image = vmm_contents_lend(image, sizeof(image)),
        .cmdline = "",
        .mp = {.n_cpus = 4}};
    struct vmm_memory memory;

    assert_int_equal(vmm_memory_init(&memory, &backing, NULL), 0);
    make_elf(image, 0x100000);
    assert_int_equal(boot(&memory, &config), 0);
    assert_memory_equal(memory.host + 0x9fc00, "_MP_", 4);
    assert_memory_equal(memory.host + 0x9fc10, "PCMP", 4);
    /* Nothing may be loaded over it. */
    make_elf(image, 0x9fc00 + (uint32_t)vmm_mp_table_bytes(4) - 1);
    assert_true(boot(&memory, &config) < 0);
    make_elf(image, 0x9fc00 + (uint32_t)vmm_mp_table_bytes(4));
    assert_int_equal(boot(&memory, &config), 0);
    vmm_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mp_table__entries_are_qboots),
        cmocka_unit_test(test_mp_table__pointer),
        cmocka_unit_test(test_mp_table__header),
        cmocka_unit_test(test_mp_table__is_written_by_a_start_without_acpi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
