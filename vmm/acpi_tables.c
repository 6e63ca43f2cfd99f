/*
 * DSDT, FADT, MADT, XSDT, root pointer and the loader script. A machine with
 * reduced hardware: what a PC's chip set would do, general-purpose events do.
 *
 * Offsets are those of the ACPI specification 6.4, chapter 5.
 */
#include <errno.h>
#include <string.h>

#include "acpi.h"
#include "acpi_loader.h"
#include "aml.h"
#include "ged.h"
#include "ioapic.h"
#include "mc146818.h"
#include "power.h"
#include "serial.h"
#include "util.h"

#define HEADER_BYTES 36u
#define HEADER_LENGTH 4u
#define HEADER_SUM 9u
#define DSDT_REVISION 2u
#define FADT_REVISION 6u
#define FADT_BYTES 276u
#define FADT_DSDT 40u
#define FADT_BOOT_ARCH 109u
#define FADT_FLAGS 112u
#define FADT_RESET_REG 116u
#define FADT_RESET_VALUE 128u
#define FADT_X_DSDT 140u
#define FADT_SLEEP_CONTROL 244u
#define FADT_SLEEP_STATUS 256u
#define MADT_REVISION 5u
/* There are 8259s, which must be masked to use the I/O APIC. */
#define MADT_PCAT_COMPAT 1u
#define XSDT_REVISION 1u
#define RSDP_BYTES 36u
#define RSDP_V1_BYTES 20u

/* FADT flags: WBINVD works; buttons are devices; reset register; reduced. */
#define FLAG_WBINVD (1u << 0)
#define FLAG_POWER_BUTTON (1u << 4)
#define FLAG_SLEEP_BUTTON (1u << 5)
#define FLAG_RESET_REGISTER (1u << 10)
#define FLAG_REDUCED (1u << 20)
/* What the machine has not: VGA, a clock in CMOS. */
#define ARCH_NO_VGA (1u << 2)
#define ARCH_NO_CMOS_CLOCK (1u << 5)

#define PAGE_BYTES 4096u
#define ROOM_FOR_QEMU 1024u
#define LOCAL_APIC_BASE 0xfee00000u

static const char oem_id[6] = {'G', 'O', 'D', 'W', 'I', 'T'};
static const char oem_table_id[8] = {'M', 'I', 'C', 'R', 'O', 'V', 'M', ' '};

/* Where the tables are within their blob. */
struct layout {
    uint64_t dsdt;
    uint64_t fadt;
    uint64_t madt;
    uint64_t xsdt;
};

/* ---- tables ---- */

static size_t begin_table(struct vmm_aml *out, const char signature[4],
                          uint8_t revision)
{
    size_t at = out->size;
    uint8_t header[HEADER_BYTES] = {0};

    vmm_put_text(header, signature, 4);
    header[8] = revision;
    memcpy(header + 10, oem_id, sizeof(oem_id));
    memcpy(header + 16, oem_table_id, sizeof(oem_table_id));
    vmm_put_le32(header + 24, 1);
    vmm_put_text(header + 28, "GDWT", 4);
    vmm_put_le32(header + 32, 1);
    vmm_aml_put(out, header, sizeof(header));
    return at;
}

/* The length; the script adds the sum. */
static void end_table(struct vmm_aml *out, size_t at)
{
    static const uint8_t zeros[16];

    if (out->overflow) {
        return;
    }
    vmm_put_le32(out->bytes + at + HEADER_LENGTH, (uint32_t)(out->size - at));
    /* The next one begins at a multiple of 16. */
    vmm_aml_put(out, zeros, -out->size & 15);
}

/* ---- DSDT ---- */

static void put_serial(struct vmm_aml *out)
{
    size_t device = vmm_aml_begin_device(out, "COM1");
    size_t resources;

    vmm_aml_hid_eisa(out, "PNP0501");
    vmm_aml_name_integer(out, "_UID", 1);
    vmm_aml_name_integer(out, "_STA", 0xf);
    resources = vmm_aml_begin_resources(out);
    vmm_aml_io(out, VMM_SERIAL_PORT, 0, VMM_SERIAL_PORTS);
    vmm_aml_irq(out, VMM_SERIAL_IRQ);
    vmm_aml_end_resources(out, resources);
    vmm_aml_end(out, device);
}

/* Eight ports, as QEMU says, though only two of them answer. */
static void put_rtc(struct vmm_aml *out)
{
    size_t device = vmm_aml_begin_device(out, "RTC_");
    size_t resources;

    vmm_aml_hid_eisa(out, "PNP0B00");
    resources = vmm_aml_begin_resources(out);
    vmm_aml_io(out, VMM_RTC_PORT, 1, 8);
    vmm_aml_irq(out, VMM_RTC_IRQ);
    vmm_aml_end_resources(out, resources);
    vmm_aml_end(out, device);
}

static void put_power_button(struct vmm_aml *out)
{
    size_t device = vmm_aml_begin_device(out, "PWRB");

    vmm_aml_hid_eisa(out, "PNP0C0C");
    vmm_aml_name_integer(out, "_UID", 0);
    vmm_aml_end(out, device);
}

/*
 * _EVT: Store(ESEL, Local0); If (And(Local0, 2)) { Notify(PWRB, 0x80) }.
 * Reading the selector clears it.
 */
static void put_event_method(struct vmm_aml *out)
{
    static const uint8_t store[] = {0x70, 'E', 'S', 'E', 'L', 0x60};
    static const uint8_t both[] = {0x7b, 0x60, 0x0a, VMM_GED_POWER_BUTTON, 0};
    static const uint8_t notify[] = {0x86, 'P', 'W', 'R', 'B', 0x0a, 0x80};
    /* One argument, serialised. */
    size_t method = vmm_aml_begin_method(out, "_EVT", 0x09);
    size_t branch;

    vmm_aml_put(out, store, sizeof(store));
    branch = vmm_aml_begin_if(out);
    vmm_aml_put(out, both, sizeof(both));
    vmm_aml_put(out, notify, sizeof(notify));
    vmm_aml_end(out, branch);
    vmm_aml_end(out, method);
}

static void put_events(struct vmm_aml *out)
{
    size_t device = vmm_aml_begin_device(out, "GED_");
    size_t part;

    vmm_aml_name_string(out, "_HID", "ACPI0013");
    vmm_aml_name_string(out, "_UID", "GED");
    part = vmm_aml_begin_resources(out);
    vmm_aml_interrupt(out, VMM_GED_IRQ, true);
    vmm_aml_end_resources(out, part);
    vmm_aml_region(out, "EREG", VMM_GED_BASE, VMM_GED_BYTES);
    /* Accessed by 32 bits, zeros preserved as such. */
    part = vmm_aml_begin_field(out, "EREG", 0x43);
    vmm_aml_field_unit(out, "ESEL", 32);
    vmm_aml_end(out, part);
    put_event_method(out);
    vmm_aml_end(out, device);
}

static void put_virtio(struct vmm_aml *out, unsigned int slot)
{
    char name[] = {'V', 'R', '0', (char)('0' + slot), '\0'};
    size_t device = vmm_aml_begin_device(out, name);
    size_t resources;

    vmm_aml_name_string(out, "_HID", "LNRO0005");
    vmm_aml_name_integer(out, "_UID", slot);
    vmm_aml_name_integer(out, "_CCA", 1);
    resources = vmm_aml_begin_resources(out);
    vmm_aml_memory32(out, VMM_VIRTIO_BASE + slot * VMM_VIRTIO_BYTES,
                     VMM_VIRTIO_BYTES);
    vmm_aml_interrupt(out, VMM_VIRTIO_GSI_ACPI + slot, false);
    vmm_aml_end_resources(out, resources);
    vmm_aml_end(out, device);
}

/* Name(\_S5, Package(4) { type, 0, 0, 0 }). */
static void put_power_off(struct vmm_aml *out)
{
    size_t package;

    vmm_aml_byte(out, 0x08);
    vmm_aml_name(out, "\\_S5_");
    package = vmm_aml_begin_package(out, 4);
    vmm_aml_integer(out, VMM_POWER_TYPE_OFF);
    vmm_aml_integer(out, 0);
    vmm_aml_integer(out, 0);
    vmm_aml_integer(out, 0);
    vmm_aml_end(out, package);
}

static void put_dsdt(struct vmm_aml *out, const struct vmm_acpi_config *config)
{
    size_t table = begin_table(out, "DSDT", DSDT_REVISION);
    size_t scope = vmm_aml_begin_scope(out, "\\_SB_");

    put_serial(out);
    if (config->has_rtc) {
        put_rtc(out);
    }
    put_power_button(out);
    put_events(out);
    for (unsigned int slot = 0; slot < VMM_VIRTIO_SLOTS; slot++) {
        if (config->virtio_slots & 1u << slot) {
            put_virtio(out, slot);
        }
    }
    vmm_aml_end(out, scope);
    put_power_off(out);
    end_table(out, table);
}

/* ---- FADT, MADT, XSDT ---- */

/* A register of 8 bits in system memory. */
static void put_register(uint8_t *at, uint64_t address)
{
    at[0] = 0;
    at[1] = 8;
    at[2] = 0;
    at[3] = 1;
    vmm_put_le64(at + 4, address);
}

static void put_fadt(struct vmm_aml *out, const struct vmm_acpi_config *config,
                     const struct layout *layout)
{
    size_t table = begin_table(out, "FACP", FADT_REVISION);
    uint8_t body[FADT_BYTES] = {0};

    body[FADT_BOOT_ARCH] =
        ARCH_NO_VGA | (config->has_rtc ? 0 : ARCH_NO_CMOS_CLOCK);
    vmm_put_le32(body + FADT_FLAGS, FLAG_WBINVD | FLAG_POWER_BUTTON |
                                        FLAG_SLEEP_BUTTON |
                                        FLAG_RESET_REGISTER | FLAG_REDUCED);
    put_register(body + FADT_RESET_REG, VMM_POWER_BASE + VMM_POWER_RESET);
    body[FADT_RESET_VALUE] = VMM_POWER_RESET_VALUE;
    /* Linux takes the wide one, SeaBIOS, for its disks, the other. */
    vmm_put_le32(body + FADT_DSDT, (uint32_t)layout->dsdt);
    vmm_put_le64(body + FADT_X_DSDT, layout->dsdt);
    put_register(body + FADT_SLEEP_CONTROL, VMM_POWER_BASE + VMM_POWER_SLEEP);
    put_register(body + FADT_SLEEP_STATUS, VMM_POWER_BASE + VMM_POWER_STATUS);
    vmm_aml_put(out, body + HEADER_BYTES, sizeof(body) - HEADER_BYTES);
    end_table(out, table);
}

static void put_madt(struct vmm_aml *out, const struct vmm_acpi_config *config)
{
    size_t table = begin_table(out, "APIC", MADT_REVISION);
    uint8_t head[8] = {0};
    uint8_t ioapic[12] = {1, 12};
    /* All CPUs, line 1. */
    static const uint8_t nmi[6] = {4, 6, 0xff, 0, 0, 1};

    vmm_put_le32(head, LOCAL_APIC_BASE);
    vmm_put_le32(head + 4, config->has_pic ? MADT_PCAT_COMPAT : 0);
    vmm_aml_put(out, head, sizeof(head));
    for (unsigned int i = 0; i < config->n_cpus; i++) {
        uint8_t cpu[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1};

        vmm_aml_put(out, cpu, sizeof(cpu));
    }
    vmm_put_le32(ioapic + 4, (uint32_t)VMM_IOAPIC_BASE);
    vmm_aml_put(out, ioapic, sizeof(ioapic));
    vmm_aml_put(out, nmi, sizeof(nmi));
    end_table(out, table);
}

static void put_xsdt(struct vmm_aml *out, const struct layout *layout)
{
    size_t table = begin_table(out, "XSDT", XSDT_REVISION);
    uint8_t pointers[16];

    vmm_put_le64(pointers, layout->fadt);
    vmm_put_le64(pointers + 8, layout->madt);
    vmm_aml_put(out, pointers, sizeof(pointers));
    end_table(out, table);
}

static void put_rsdp(struct vmm_aml *out, const struct layout *layout)
{
    uint8_t rsdp[RSDP_BYTES] = {0};

    vmm_put_text(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, oem_id, sizeof(oem_id));
    rsdp[15] = 2;
    vmm_put_le32(rsdp + 20, RSDP_BYTES);
    vmm_put_le64(rsdp + 24, layout->xsdt);
    vmm_aml_put(out, rsdp, sizeof(rsdp));
}

/* ---- the script ---- */

static uint8_t *new_command(struct vmm_aml *out, uint32_t command,
                            const char *file)
{
    static const uint8_t zeros[VMM_LOADER_ENTRY_BYTES];
    uint8_t *entry = out->bytes + out->size;

    vmm_aml_put(out, zeros, sizeof(zeros));
    vmm_put_le32(entry, command);
    vmm_put_text(entry + VMM_LOADER_FILE, file, strlen(file));
    return entry;
}

static void put_allocate(struct vmm_aml *out, const char *file, uint32_t align,
                         uint8_t zone)
{
    uint8_t *entry = new_command(out, VMM_LOADER_ALLOCATE, file);

    vmm_put_le32(entry + VMM_LOADER_ALIGN, align);
    entry[VMM_LOADER_ZONE] = zone;
}

static void put_pointer(struct vmm_aml *out, const char *file, uint64_t offset,
                        uint8_t bytes, const char *source)
{
    uint8_t *entry = new_command(out, VMM_LOADER_ADD_POINTER, file);

    vmm_put_text(entry + VMM_LOADER_SOURCE, source, strlen(source));
    vmm_put_le32(entry + VMM_LOADER_POINTER_OFFSET, (uint32_t)offset);
    entry[VMM_LOADER_POINTER_BYTES] = bytes;
}

static void put_checksum(struct vmm_aml *out, const char *file, uint64_t offset,
                         uint64_t start, uint64_t bytes)
{
    uint8_t *entry = new_command(out, VMM_LOADER_ADD_CHECKSUM, file);

    vmm_put_le32(entry + VMM_LOADER_SUM_OFFSET, (uint32_t)offset);
    vmm_put_le32(entry + VMM_LOADER_SUM_START, (uint32_t)start);
    vmm_put_le32(entry + VMM_LOADER_SUM_BYTES, (uint32_t)bytes);
}

#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE "etc/acpi/rsdp"

/* The sum of a whole table, once all in it is final. */
static void put_table_sum(struct vmm_aml *out, const struct vmm_aml *tables,
                          uint64_t table)
{
    put_checksum(out, TABLES_FILE, table + HEADER_SUM, table,
                 vmm_get_le32(tables->bytes + table + HEADER_LENGTH));
}

/*
 * Thirteen commands, as QEMU's; they fit the blob, which has room for 512.
 *
 * A guest that goes to QEMU takes the blobs along. When it is reset there, QEMU
 * puts its own contents back, but leaves the sizes that came: a shorter script
 * would cut QEMU's off before it makes the root pointer.
 */
static void put_script(struct vmm_aml *out, const struct vmm_aml *tables,
                       const struct layout *layout)
{
    put_allocate(out, RSDP_FILE, 16, VMM_LOADER_ZONE_FSEG);
    put_allocate(out, TABLES_FILE, 64, VMM_LOADER_ZONE_HIGH);
    put_table_sum(out, tables, layout->dsdt);
    put_pointer(out, TABLES_FILE, layout->fadt + FADT_DSDT, 4, TABLES_FILE);
    put_pointer(out, TABLES_FILE, layout->fadt + FADT_X_DSDT, 8, TABLES_FILE);
    put_table_sum(out, tables, layout->fadt);
    put_table_sum(out, tables, layout->madt);
    put_pointer(out, TABLES_FILE, layout->xsdt + HEADER_BYTES, 8, TABLES_FILE);
    put_pointer(out, TABLES_FILE, layout->xsdt + HEADER_BYTES + 8, 8,
                TABLES_FILE);
    put_table_sum(out, tables, layout->xsdt);
    put_checksum(out, RSDP_FILE, 8, 0, RSDP_V1_BYTES);
    put_pointer(out, RSDP_FILE, 24, 8, TABLES_FILE);
    put_checksum(out, RSDP_FILE, 32, 0, RSDP_BYTES);
}

/* Room behind our tables for QEMU's longer ones, for the same reason. */
static void pad_tables(struct vmm_aml *tables)
{
    static const uint8_t zeros[PAGE_BYTES];

    vmm_aml_put(tables, zeros, ROOM_FOR_QEMU);
    vmm_aml_put(tables, zeros, -tables->size & (PAGE_BYTES - 1));
}

int vmm_acpi_build(struct vmm_acpi *acpi, const struct vmm_acpi_config *config,
                   struct gw_error **errp)
{
    struct vmm_aml out[VMM_ACPI_BLOBS];
    struct layout layout = {0};

    for (size_t i = 0; i < VMM_ACPI_BLOBS; i++) {
        vmm_aml_init(&out[i], acpi->blobs[i].host, acpi->blobs[i].max_bytes);
    }
    layout.dsdt = out[VMM_ACPI_TABLES].size;
    put_dsdt(&out[VMM_ACPI_TABLES], config);
    layout.fadt = out[VMM_ACPI_TABLES].size;
    put_fadt(&out[VMM_ACPI_TABLES], config, &layout);
    layout.madt = out[VMM_ACPI_TABLES].size;
    put_madt(&out[VMM_ACPI_TABLES], config);
    layout.xsdt = out[VMM_ACPI_TABLES].size;
    put_xsdt(&out[VMM_ACPI_TABLES], &layout);
    put_rsdp(&out[VMM_ACPI_RSDP], &layout);
    if (!out[VMM_ACPI_TABLES].overflow) {
        put_script(&out[VMM_ACPI_LOADER], &out[VMM_ACPI_TABLES], &layout);
        pad_tables(&out[VMM_ACPI_TABLES]);
    }
    for (size_t i = 0; i < VMM_ACPI_BLOBS; i++) {
        if (out[i].overflow) {
            return gw_error_set(errp, -EOVERFLOW, "%s has no room",
                                acpi->blobs[i].file);
        }
        acpi->blobs[i].size = out[i].size;
    }
    return 0;
}
