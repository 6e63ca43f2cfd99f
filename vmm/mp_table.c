/*
 * Floating pointer, header, entries (chapter 4 of the specification).
 */
#include "mp_table.h"

#include <string.h>

#include "ioapic.h"
#include "util.h"

#define POINTER_BYTES 16u
#define HEADER_BYTES 44u
#define CPU_BYTES 20u
#define ENTRY_BYTES 8u
#define SPEC_REVISION 4

/* Kinds of entries. */
enum entry_kind {
    ENTRY_CPU = 0,
    ENTRY_BUS = 1,
    ENTRY_IOAPIC = 2,
    ENTRY_INTERRUPT = 3,
    ENTRY_LOCAL = 4,
};

/* Kinds of interrupts. */
enum interrupt_kind {
    INTERRUPT_VECTORED = 0,
    INTERRUPT_NMI = 1,
    INTERRUPT_EXTERNAL = 3,
};

#define CPU_ENABLED 1u
#define CPU_BOOTS 2u
#define IOAPIC_ENABLED 1u
#define LAPIC_VERSION 0x14
#define IOAPIC_VERSION 0x20
#define LAPIC_ADDRESS 0xfee00000u
#define ALL_LAPICS 0xff
#define ISA_BUS 0
/* The cascade of the PICs is no interrupt; the timer has its pin. */
#define ISA_IRQS 16u
#define ISA_CASCADE 2u
#define ISA_TIMER_PIN 2
/* Bus, I/O APIC, interrupts, two pins of the local APICs. */
#define N_FIXED (1u + 1u + (ISA_IRQS - 1u) + 2u)

static size_t table_bytes(unsigned int n_cpus)
{
    return HEADER_BYTES + n_cpus * CPU_BYTES + N_FIXED * ENTRY_BYTES;
}

size_t vmm_mp_table_bytes(unsigned int n_cpus)
{
    return POINTER_BYTES + table_bytes(n_cpus);
}

/* What makes the sum of all bytes 0. */
static uint8_t checksum(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)-sum;
}

static uint8_t *put_cpus(uint8_t *at, const struct vmm_mp_config *config)
{
    for (unsigned int i = 0; i < config->n_cpus; i++) {
        at[0] = ENTRY_CPU;
        at[1] = (uint8_t)i;
        at[2] = LAPIC_VERSION;
        at[3] = (uint8_t)(CPU_ENABLED | (i == 0 ? CPU_BOOTS : 0));
        vmm_put_le32(at + 4, config->cpu_signature);
        vmm_put_le32(at + 8, config->cpu_features);
        at += CPU_BYTES;
    }
    return at;
}

static uint8_t *put_bus(uint8_t *at)
{
    at[0] = ENTRY_BUS;
    at[1] = ISA_BUS;
    vmm_put_text(at + 2, "ISA   ", 6);
    return at + ENTRY_BYTES;
}

static uint8_t *put_ioapic(uint8_t *at, uint8_t id)
{
    at[0] = ENTRY_IOAPIC;
    at[1] = id;
    at[2] = IOAPIC_VERSION;
    at[3] = IOAPIC_ENABLED;
    vmm_put_le32(at + 4, (uint32_t)VMM_IOAPIC_BASE);
    return at + ENTRY_BYTES;
}

/* Polarity and trigger (two bytes of zeros) are those of the bus. */
static uint8_t *put_interrupt(uint8_t *at, enum entry_kind kind,
                              enum interrupt_kind interrupt, uint8_t irq,
                              uint8_t to, uint8_t pin)
{
    at[0] = (uint8_t)kind;
    at[1] = (uint8_t)interrupt;
    at[4] = ISA_BUS;
    at[5] = irq;
    at[6] = to;
    at[7] = pin;
    return at + ENTRY_BYTES;
}

static uint8_t *put_interrupts(uint8_t *at, uint8_t ioapic)
{
    for (uint8_t irq = 0; irq < ISA_IRQS; irq++) {
        if (irq != ISA_CASCADE) {
            at = put_interrupt(at, ENTRY_INTERRUPT, INTERRUPT_VECTORED, irq,
                               ioapic, irq == 0 ? ISA_TIMER_PIN : irq);
        }
    }
    at = put_interrupt(at, ENTRY_LOCAL, INTERRUPT_EXTERNAL, 0, 0, 0);
    return put_interrupt(at, ENTRY_LOCAL, INTERRUPT_NMI, 0, ALL_LAPICS, 1);
}

static void put_header(uint8_t *header, unsigned int n_cpus)
{
    vmm_put_text(header, "PCMP", 4);
    vmm_put_le16(header + 4, (uint16_t)table_bytes(n_cpus));
    header[6] = SPEC_REVISION;
    vmm_put_text(header + 8, "GODWIT  ", 8);
    vmm_put_text(header + 16, "MICROVM     ", 12);
    vmm_put_le16(header + 34, (uint16_t)(n_cpus + N_FIXED));
    vmm_put_le32(header + 36, LAPIC_ADDRESS);
}

static void put_pointer(uint8_t *pointer)
{
    vmm_put_text(pointer, "_MP_", 4);
    vmm_put_le32(pointer + 4, VMM_MP_TABLE + POINTER_BYTES);
    pointer[8] = POINTER_BYTES / 16;
    pointer[9] = SPEC_REVISION;
    pointer[10] = checksum(pointer, POINTER_BYTES);
}

void vmm_mp_table_write(const struct vmm_mp_config *config, uint8_t *ret_table)
{
    uint8_t *header = ret_table + POINTER_BYTES;
    uint8_t ioapic = (uint8_t)(config->n_cpus + 1);
    uint8_t *at;

    memset(ret_table, 0, vmm_mp_table_bytes(config->n_cpus));
    put_pointer(ret_table);
    put_header(header, config->n_cpus);
    at = put_cpus(header + HEADER_BYTES, config);
    at = put_bus(at);
    at = put_ioapic(at, ioapic);
    put_interrupts(at, ioapic);
    header[7] = checksum(header, table_bytes(config->n_cpus));
}
