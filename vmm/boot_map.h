/*
 * The memory map that a guest is told (PVH's and Linux' have the same types),
 * and what lies at the top of low RAM: ACPI tables, below them the initial
 * RAM disk.
 */
#ifndef VMM_BOOT_MAP_H
#define VMM_BOOT_MAP_H

#include <stdint.h>

#include "memory.h"

/* Types: as in E820. */
#define VMM_MAP_RAM 1u
#define VMM_MAP_RESERVED 2u
#define VMM_MAP_ACPI 3u
/* RAM that every PC has, below the video memory and the ROMs. */
#define VMM_MAP_BASE_END 0x9fc00u
#define VMM_MAP_HIGH_START 0x100000u
/* KVM's identity map and TSS pages. */
#define VMM_MAP_KVM_START 0xfeffc000u
#define VMM_MAP_KVM_BYTES 0x4000u
/* The most entries. */
#define VMM_MAP_ENTRIES 5

struct vmm_map_entry {
    uint64_t gpa;
    uint64_t bytes;
    uint32_t type;
};

/*
 * Fills in the map: `acpi_bytes` at the end of low RAM hold ACPI tables.
 * Returns how many entries it has.
 */
unsigned int vmm_map_fill(const struct vmm_memory *memory, uint64_t acpi_bytes,
                          struct vmm_map_entry ret_map[VMM_MAP_ENTRIES]);

/* Where RAM below 4 GiB ends. */
uint64_t vmm_map_low_end(const struct vmm_memory *memory);

#endif
