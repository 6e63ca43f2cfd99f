/*
 * The table of Intel's MultiProcessor Specification 1.4, from which a kernel
 * without ACPI learns of CPUs and interrupts: what qboot writes for QEMU's
 * machine. One entry per CPU, an ISA bus, one I/O APIC, the ISA interrupts.
 */
#ifndef VMM_MP_TABLE_H
#define VMM_MP_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where a kernel looks for its pointer: the last KiB of base memory, which no
 * memory map gives away. The table follows at once.
 */
#define VMM_MP_TABLE 0x9fc00u

struct vmm_mp_config {
    unsigned int n_cpus;
    /* CPUID 1: EAX, EDX. */
    uint32_t cpu_signature;
    uint32_t cpu_features;
};

/* Bytes of pointer and table. */
size_t vmm_mp_table_bytes(unsigned int n_cpus);

/* Writes vmm_mp_table_bytes bytes, which the guest sees at VMM_MP_TABLE. */
void vmm_mp_table_write(const struct vmm_mp_config *config, uint8_t *ret_table);

#endif
