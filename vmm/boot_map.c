/*
 * The guest's memory map.
 */
#include "boot_map.h"

static void add(struct vmm_map_entry *map, unsigned int *n, uint64_t gpa,
                uint64_t end, uint32_t type)
{
    if (end > gpa) {
        map[(*n)++] = (struct vmm_map_entry){
            .gpa = gpa, .bytes = end - gpa, .type = type};
    }
}

uint64_t vmm_map_low_end(const struct vmm_memory *memory)
{
    return memory->bytes < VMM_LOW_RAM_END ? memory->bytes : VMM_LOW_RAM_END;
}

unsigned int vmm_map_fill(const struct vmm_memory *memory, uint64_t acpi_bytes,
                          struct vmm_map_entry ret_map[VMM_MAP_ENTRIES])
{
    uint64_t low_end = vmm_map_low_end(memory);
    unsigned int n = 0;

    add(ret_map, &n, 0, VMM_MAP_BASE_END, VMM_MAP_RAM);
    add(ret_map, &n, VMM_MAP_HIGH_START, low_end - acpi_bytes, VMM_MAP_RAM);
    add(ret_map, &n, low_end - acpi_bytes, low_end, VMM_MAP_ACPI);
    add(ret_map, &n, VMM_MAP_KVM_START, VMM_MAP_KVM_START + VMM_MAP_KVM_BYTES,
        VMM_MAP_RESERVED);
    if (memory->bytes > low_end) {
        add(ret_map, &n, VMM_HIGH_RAM_START,
            VMM_HIGH_RAM_START + (memory->bytes - low_end), VMM_MAP_RAM);
    }
    return n;
}
