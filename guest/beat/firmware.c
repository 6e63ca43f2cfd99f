/*
 * How many CPUs there are, as the firmware tells: ACPI's MADT, or else Intel's
 * MP table.
 */
#include "beat.h"

#define BIOS_START 0xe0000u
#define BIOS_END 0x100000u
#define BASE_MEMORY_LAST_KIB 0x9fc00u

static const uint8_t *physical(uint64_t addr)
{
    return (const uint8_t *)(uintptr_t)addr; // NOLINT: this is what it is
}

static uint32_t get32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static bool starts_with(const uint8_t *at, const char *text)
{
    while (*text && *at == (uint8_t)*text) {
        at++;
        text++;
    }
    return !*text;
}

/* Looks for a signature on a 16 byte boundary in [start, end). */
static const uint8_t *scan(uint64_t start, uint64_t end, const char *text)
{
    for (uint64_t addr = start; addr < end; addr += 16) {
        if (starts_with(physical(addr), text)) {
            return physical(addr);
        }
    }
    return NULL;
}

/* Notes the id of a CPU found in either kind of table. */
static uint32_t add_cpu(uint8_t *apic_ids, uint32_t n, bool usable, uint8_t id)
{
    if (usable && n < BEAT_CPUS_MAX) {
        apic_ids[n] = id;
        return n + 1;
    }
    return n;
}

static uint32_t read_madt(const uint8_t *madt, uint8_t *apic_ids)
{
    uint32_t size = get32(madt + 4);
    uint32_t n = 0;

    for (uint32_t at = 44; at + 8 <= size && madt[at + 1] >= 2;
         at += madt[at + 1]) {
        if (madt[at] == 0) {
            n = add_cpu(apic_ids, n, get32(madt + at + 4) & 1, madt[at + 3]);
        }
    }
    return n;
}

static uint32_t read_acpi(const uint8_t *rsdp, uint8_t *apic_ids)
{
    bool is_xsdt = rsdp[15] >= 2 && get32(rsdp + 24);
    const uint8_t *root = physical(get32(rsdp + (is_xsdt ? 24 : 16)));
    uint32_t step = is_xsdt ? 8 : 4;
    uint32_t size = get32(root + 4);

    for (uint32_t at = 36; at + step <= size; at += step) {
        const uint8_t *table = physical(get32(root + at));

        if (starts_with(table, "APIC")) {
            return read_madt(table, apic_ids);
        }
    }
    return 0;
}

/* By its size: qboot leaves the number of entries 0. */
static uint32_t read_mp_table(const uint8_t *pointer, uint8_t *apic_ids)
{
    const uint8_t *table = physical(get32(pointer + 4));
    uint32_t size = table[4] | (uint32_t)table[5] << 8;
    uint32_t n = 0;

    if (!starts_with(table, "PCMP")) {
        return 0;
    }
    for (uint32_t at = 44; at < size; at += table[at] == 0 ? 20 : 8) {
        if (table[at] == 0) {
            n = add_cpu(apic_ids, n, table[at + 3] & 1, table[at + 1]);
        }
    }
    return n;
}

/* The number of CPUs and their APIC ids; 0 if no table was found. */
uint32_t beat_firmware_cpus(uint64_t rsdp, uint8_t *ret_apic_ids)
{
    const uint8_t *at =
        rsdp ? physical(rsdp) : scan(BIOS_START, BIOS_END, "RSD PTR ");
    uint32_t n = at ? read_acpi(at, ret_apic_ids) : 0;

    if (n) {
        return n;
    }
    at = scan(BASE_MEMORY_LAST_KIB, BASE_MEMORY_LAST_KIB + 1024, "_MP_");
    if (!at) {
        at = scan(BIOS_START, BIOS_END, "_MP_");
    }
    return at ? read_mp_table(at, ret_apic_ids) : 0;
}
