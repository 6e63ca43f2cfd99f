/*
 * ACPI tables: lengths, sums and pointers after the loader script has run, and
 * the DSDT read back by a walker that shares no code with the writer.
 */
#include "acpi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acpi_loader.h"
#include "ged.h"
#include "ioapic.h"
#include "util.h"

#define GPA 0x7ffc000ull

/* The tables as a guest at GPA sees them. */
struct placed {
    struct vmm_acpi acpi;
    uint8_t *memory;
    uint64_t bytes;
    uint64_t rsdp;
};

static void place_config(struct placed *placed,
                         const struct vmm_acpi_config *config)
{
    assert_int_equal(vmm_acpi_init(&placed->acpi, NULL), 0);
    assert_int_equal(vmm_acpi_build(&placed->acpi, config, NULL), 0);
    placed->bytes = vmm_acpi_placed_bytes(&placed->acpi);
    placed->memory = calloc(1, placed->bytes);
    assert_non_null(placed->memory);
    assert_int_equal(
        vmm_acpi_place(&placed->acpi, placed->memory, GPA, &placed->rsdp, NULL),
        0);
}

static void place(struct placed *placed, unsigned int n_cpus, uint32_t slots)
{
    struct vmm_acpi_config config = {.n_cpus = n_cpus, .virtio_slots = slots};

    place_config(placed, &config);
}

static void release(struct placed *placed)
{
    free(placed->memory);
    vmm_acpi_deinit(&placed->acpi);
}

static const uint8_t *at(const struct placed *placed, uint64_t gpa)
{
    assert_true(gpa >= GPA && gpa < GPA + placed->bytes);
    return placed->memory + (gpa - GPA);
}

static void expect_sum(const uint8_t *bytes, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    assert_int_equal(sum, 0);
}

static const uint8_t *table(const struct placed *placed, uint64_t gpa,
                            const char *signature)
{
    const uint8_t *found = at(placed, gpa);

    assert_memory_equal(found, signature, 4);
    expect_sum(found, vmm_get_le32(found + 4));
    return found;
}

static const uint8_t *find_xsdt(const struct placed *placed)
{
    const uint8_t *rsdp = at(placed, placed->rsdp);

    assert_memory_equal(rsdp, "RSD PTR ", 8);
    assert_int_equal(rsdp[15], 2);
    assert_int_equal(vmm_get_le32(rsdp + 20), 36);
    expect_sum(rsdp, 20);
    expect_sum(rsdp, 36);
    return table(placed, vmm_get_le64(rsdp + 24), "XSDT");
}

static void test_acpi__pointers_and_sums(void **state)
{
    struct placed placed;
    const uint8_t *xsdt;
    const uint8_t *fadt;

    place(&placed, 1, 0);
    xsdt = find_xsdt(&placed);
    assert_int_equal(vmm_get_le32(xsdt + 4), 36 + 2 * 8);
    fadt = table(&placed, vmm_get_le64(xsdt + 36), "FACP");
    table(&placed, vmm_get_le64(xsdt + 44), "APIC");
    table(&placed, vmm_get_le64(fadt + 140), "DSDT");
    /* The narrow one, which SeaBIOS follows. */
    assert_int_equal(vmm_get_le32(fadt + 40), vmm_get_le64(fadt + 140));
    release(&placed);
}

/*
 * QEMU 10's script has 13 commands, and its tables 365 - 332 bytes more in the
 * DSDT of a machine with one disk (both read from a running machine): its own
 * contents, which a reset puts back there, must fit the sizes that we send.
 */
static void test_acpi__blobs_have_room_for_qemus(void **state)
{
    struct placed placed;
    const struct vmm_acpi_blob *tables;
    const uint8_t *xsdt;
    uint64_t used;

    place(&placed, 1, 0xff);
    tables = &placed.acpi.blobs[VMM_ACPI_TABLES];
    assert_int_equal(placed.acpi.blobs[VMM_ACPI_LOADER].size, 13 * 128);
    assert_int_equal(placed.acpi.blobs[VMM_ACPI_RSDP].size, 36);
    assert_int_equal(tables->size % 4096, 0);
    xsdt = find_xsdt(&placed);
    used = (uint64_t)(xsdt - placed.memory) + vmm_get_le32(xsdt + 4);
    assert_true(used + 8 * (365 - 332) <= tables->size);
    for (uint64_t at = used; at < tables->size; at++) {
        assert_int_equal(tables->host[at], 0);
    }
    release(&placed);
}

/* Hardware-reduced, power off and reset where the reference has them. */
static void test_acpi__fadt(void **state)
{
    struct placed placed;
    const uint8_t *fadt;

    place(&placed, 1, 0);
    fadt = table(&placed, vmm_get_le64(find_xsdt(&placed) + 36), "FACP");
    assert_int_equal(fadt[8], 6);
    assert_int_equal(vmm_get_le32(fadt + 4), 276);
    assert_true(vmm_get_le32(fadt + 112) & 1u << 20);
    assert_true(vmm_get_le32(fadt + 112) & 1u << 10);
    assert_int_equal(fadt[109], 0x24);
    assert_int_equal(vmm_get_le64(fadt + 116 + 4), 0xfea00202);
    assert_int_equal(fadt[128], 0x42);
    assert_int_equal(vmm_get_le64(fadt + 244 + 4), 0xfea00200);
    assert_int_equal(vmm_get_le64(fadt + 256 + 4), 0xfea00201);
    /* No PM1, no timer, no SCI. */
    assert_int_equal(fadt[46] | fadt[56] | fadt[64] | fadt[76], 0);
    release(&placed);
}

static void test_acpi__madt_has_all_cpus(void **state)
{
    static const uint8_t rest[] = {1, 12, 0, 0, 0, 0,    0xc0, 0xfe, 0,
                                   0, 0,  0, 4, 6, 0xff, 0,    0,    1};
    struct placed placed;
    const uint8_t *madt;

    place(&placed, 3, 0);
    madt = table(&placed, vmm_get_le64(find_xsdt(&placed) + 44), "APIC");
    assert_int_equal(vmm_get_le32(madt + 36), 0xfee00000);
    assert_int_equal(vmm_get_le32(madt + 40), 0);
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t cpu[8] = {0, 8, i, i, 1};

        assert_memory_equal(madt + 44 + 8 * i, cpu, 8);
    }
    assert_memory_equal(madt + 44 + 24, rest, sizeof(rest));
    assert_int_equal(vmm_get_le32(madt + 4), 44 + 24 + sizeof(rest));
    release(&placed);
}

/* Finds a name's device in the DSDT, and its resources. */
static const uint8_t *find_bytes(const uint8_t *in, size_t n, const void *what,
                                 size_t what_size)
{
    return memmem(in, n, what, what_size);
}

/* Bytes of a term whose length begins at `from`: specification, 20.2.4. */
static size_t package_bytes(const uint8_t *from)
{
    unsigned int more = from[0] >> 6;
    size_t length = from[0] & (more ? 0xfu : 0x3fu);

    for (unsigned int i = 0; i < more; i++) {
        length |= (size_t)from[1 + i] << (4 + 8 * i);
    }
    return length;
}

/* The whole DSDT is one scope of devices and the power-off package. */
static void test_acpi__dsdt_is_well_formed(void **state)
{
    struct placed placed;
    const uint8_t *dsdt;
    const uint8_t *term;
    const uint8_t *end;
    unsigned int devices = 0;

    place(&placed, 1, 0x81);
    dsdt =
        table(&placed,
              vmm_get_le64(table(&placed, vmm_get_le64(find_xsdt(&placed) + 36),
                                 "FACP") +
                           140),
              "DSDT");
    assert_int_equal(dsdt[36], 0x10);
    end = dsdt + 37 + package_bytes(dsdt + 37);
    term = dsdt + 37 + 3 + 5;
    assert_memory_equal(term - 5, "\\_SB_", 5);
    while (term < end) {
        assert_int_equal(term[0], 0x5b);
        assert_int_equal(term[1], 0x82);
        term += 2 + package_bytes(term + 2);
        devices++;
    }
    assert_ptr_equal(term, end);
    assert_int_equal(devices, 5);
    /* Name(\_S5, Package(4) { 5, 0, 0, 0 }) */
    assert_memory_equal(end, "\x08\\_S5_\x12", 7);
    assert_int_equal(package_bytes(end + 7), 3 + 1 + 2 + 3);
    assert_memory_equal(end + 10, "\4\x0a\5\0\0\0", 6);
    assert_ptr_equal(end + 16, dsdt + vmm_get_le32(dsdt + 4));
    release(&placed);
}

static void test_acpi__virtio_slots_and_their_interrupts(void **state)
{
    static const uint8_t slot7[] = {0x86, 9,  0, 1, 0,    0x0e, 0xb0, 0xfe,
                                    0,    2,  0, 0, 0x89, 6,    0,    1,
                                    1,    23, 0, 0, 0,    0x79, 0};
    static const uint8_t events[] = {0x89, 6, 0, 3, 1, 9, 0, 0, 0, 0x79, 0};
    struct placed placed;
    const struct vmm_acpi_blob *tables = &placed.acpi.blobs[VMM_ACPI_TABLES];

    place(&placed, 1, 0x80);
    assert_non_null(find_bytes(tables->host, tables->size, "VR07", 4));
    assert_null(find_bytes(tables->host, tables->size, "VR06", 4));
    assert_non_null(find_bytes(tables->host, tables->size, "LNRO0005", 9));
    assert_non_null(
        find_bytes(tables->host, tables->size, slot7, sizeof(slot7)));
    assert_non_null(
        find_bytes(tables->host, tables->size, events, sizeof(events)));
    /* EISA ids: PNP0501, PNP0C0C. */
    assert_non_null(
        find_bytes(tables->host, tables->size, "\x0c\x41\xd0\5\1", 5));
    assert_non_null(
        find_bytes(tables->host, tables->size, "\x0c\x41\xd0\x0c\x0c", 5));
    release(&placed);
}

/* The resources and the flag are those of QEMU 10.0.2 with rtc=on, pic=on. */
static void test_acpi__old_devices(void **state)
{
    static const uint8_t resources[] = {0x47, 1,    0x70, 0, 0x70, 0, 1,
                                        8,    0x22, 0,    1, 0x79, 0};
    struct vmm_acpi_config config = {
        .n_cpus = 1, .has_pic = true, .has_rtc = true};
    struct placed placed;
    const struct vmm_acpi_blob *tables = &placed.acpi.blobs[VMM_ACPI_TABLES];
    const uint8_t *xsdt;

    place(&placed, 1, 0);
    assert_null(find_bytes(tables->host, tables->size, "RTC_", 4));
    release(&placed);
    place_config(&placed, &config);
    xsdt = find_xsdt(&placed);
    assert_int_equal(
        vmm_get_le32(table(&placed, vmm_get_le64(xsdt + 44), "APIC") + 40), 1);
    /* No VGA, but a clock in CMOS. */
    assert_int_equal(table(&placed, vmm_get_le64(xsdt + 36), "FACP")[109],
                     0x04);
    assert_non_null(find_bytes(tables->host, tables->size, "RTC_", 4));
    /* PNP0B00 */
    assert_non_null(
        find_bytes(tables->host, tables->size, "\x0c\x41\xd0\x0b\x00", 5));
    assert_non_null(
        find_bytes(tables->host, tables->size, resources, sizeof(resources)));
    release(&placed);
}

static void expect_bad_script(struct placed *placed)
{
    struct gw_error *error = NULL;

    assert_int_equal(vmm_acpi_place(&placed->acpi, placed->memory, GPA,
                                    &placed->rsdp, &error),
                     -EBADMSG);
    assert_non_null(strstr(gw_error_text(error), "malformed"));
    gw_error_free(error);
}

static void test_acpi__a_script_that_points_outside_is_refused(void **state)
{
    struct placed placed;
    uint8_t *script;
    uint32_t bytes;

    place(&placed, 1, 0);
    script = placed.acpi.blobs[VMM_ACPI_LOADER].host;
    bytes = (uint32_t)placed.acpi.blobs[VMM_ACPI_TABLES].size;
    script[4 * 128 + VMM_LOADER_SUM_BYTES + 2] = 0xff;
    expect_bad_script(&placed);
    script[4 * 128] = 9;
    expect_bad_script(&placed);
    vmm_put_le32(script + 3 * 128 + VMM_LOADER_POINTER_OFFSET, bytes - 7);
    expect_bad_script(&placed);
    vmm_put_le32(script + 2 * 128 + VMM_LOADER_POINTER_OFFSET, bytes - 3);
    expect_bad_script(&placed);
    vmm_put_le32(script + 2 * 128 + VMM_LOADER_POINTER_OFFSET, 0);
    script[2 * 128 + VMM_LOADER_POINTER_BYTES] = 2;
    expect_bad_script(&placed);
    script[VMM_LOADER_FILE] = 'x';
    expect_bad_script(&placed);
    release(&placed);
}

static void test_acpi__sizes_that_come_in_are_checked(void **state)
{
    struct gw_error *error = NULL;
    struct vmm_acpi acpi;

    assert_int_equal(vmm_acpi_init(&acpi, NULL), 0);
    assert_int_equal(vmm_acpi_resize(&acpi, VMM_ACPI_RSDP, 0x1000, NULL), 0);
    assert_int_equal(vmm_acpi_resize(&acpi, VMM_ACPI_RSDP, 0x1001, &error),
                     -EBADMSG);
    assert_string_equal(gw_error_text(error),
                        "etc/acpi/rsdp of 4097 bytes, expected 1 to 4096");
    gw_error_free(error);
    assert_int_equal(vmm_acpi_resize(&acpi, VMM_ACPI_RSDP, 0, NULL), -EBADMSG);
    vmm_acpi_deinit(&acpi);
}

/* ---- the event device ---- */

static unsigned int sent_vector;

static void on_routes(void *opaque,
                      const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
}

static void on_send(void *opaque, const struct vmm_msi *msi)
{
    sent_vector = msi->data & 0xff;
}

static void test_ged__the_guest_takes_an_event_once(void **state)
{
    static const struct vmm_ioapic_ops ops = {on_routes, on_send};
    struct vmm_ioapic ioapic;
    struct vmm_ged ged;

    vmm_ioapic_init(&ioapic, &ops, NULL);
    ioapic.state.entries[VMM_GED_IRQ] = 0x31;
    vmm_ged_init(&ged, &ioapic);
    sent_vector = 0;
    vmm_ged_press_power_button(&ged);
    vmm_ged_restart(&ged);
    assert_int_equal(sent_vector, 0x31);
    assert_int_equal(vmm_ged_bus_ops.read(&ged, 0, 4), 2);
    assert_int_equal(vmm_ged_bus_ops.read(&ged, 0, 4), 0);
    vmm_ged_deinit(&ged);
    vmm_ioapic_deinit(&ioapic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acpi__pointers_and_sums),
        cmocka_unit_test(test_acpi__blobs_have_room_for_qemus),
        cmocka_unit_test(test_acpi__fadt),
        cmocka_unit_test(test_acpi__madt_has_all_cpus),
        cmocka_unit_test(test_acpi__dsdt_is_well_formed),
        cmocka_unit_test(test_acpi__virtio_slots_and_their_interrupts),
        cmocka_unit_test(test_acpi__old_devices),
        cmocka_unit_test(test_acpi__a_script_that_points_outside_is_refused),
        cmocka_unit_test(test_acpi__sizes_that_come_in_are_checked),
        cmocka_unit_test(test_ged__the_guest_takes_an_event_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
