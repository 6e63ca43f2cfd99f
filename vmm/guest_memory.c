/*
 * Looking up ranges: there are few.
 */
#include "guest_memory.h"

#include <stddef.h>

#define ONE_MIB 0x100000ull
#define FOUR_GIB 0x100000000ull

static void add(struct vmm_guest_memory *guest, uint64_t gpa, uint64_t bytes,
                uint8_t *host)
{
    if (bytes > 0) {
        guest->ranges[guest->n_ranges++] =
            (struct vmm_memory_range){.gpa = gpa, .bytes = bytes, .host = host};
    }
}

/* The firmware ends at 1 MiB, over RAM, and once more at 4 GiB. */
static void add_low(struct vmm_guest_memory *guest,
                    const struct vmm_memory_range *ram)
{
    const struct vmm_firmware *firmware = guest->firmware;
    uint64_t bytes = firmware ? firmware->bytes : 0;

    if (bytes == 0) {
        add(guest, ram->gpa, ram->bytes, ram->host);
        return;
    }
    add(guest, 0, ONE_MIB - bytes, ram->host);
    add(guest, ONE_MIB - bytes, bytes, firmware->host);
    add(guest, ONE_MIB, ram->bytes - ONE_MIB, ram->host + ONE_MIB);
    add(guest, FOUR_GIB - bytes, bytes, firmware->host);
}

void vmm_guest_memory_init(struct vmm_guest_memory *guest,
                           const struct vmm_memory *ram,
                           const struct vmm_firmware *firmware)
{
    struct vmm_memory_range ranges[2];
    unsigned int n = vmm_memory_ranges(ram, ranges);

    *guest = (struct vmm_guest_memory){.ram = ram, .firmware = firmware};
    add_low(guest, &ranges[0]);
    if (n > 1) {
        add(guest, ranges[1].gpa, ranges[1].bytes, ranges[1].host);
    }
}

uint8_t *vmm_guest_memory_from(const struct vmm_guest_memory *guest,
                               uint64_t gpa, uint64_t *ret_bytes)
{
    for (unsigned int i = 0; i < guest->n_ranges; i++) {
        const struct vmm_memory_range *range = &guest->ranges[i];

        if (gpa >= range->gpa && gpa - range->gpa < range->bytes) {
            *ret_bytes = range->bytes - (gpa - range->gpa);
            return range->host + (gpa - range->gpa);
        }
    }
    return NULL;
}

void *vmm_guest_memory_at(const struct vmm_guest_memory *guest, uint64_t gpa,
                          uint64_t bytes)
{
    uint64_t there;
    uint8_t *host = vmm_guest_memory_from(guest, gpa, &there);

    return host && bytes <= there ? host : NULL;
}

uint64_t vmm_guest_memory_gpa(const struct vmm_guest_memory *guest,
                              const void *host)
{
    for (unsigned int i = 0; i < guest->n_ranges; i++) {
        const struct vmm_memory_range *range = &guest->ranges[i];
        uintptr_t offset = (uintptr_t)host - (uintptr_t)range->host;

        if (offset < range->bytes) {
            return range->gpa + offset;
        }
    }
    return UINT64_MAX;
}

void vmm_guest_memory_wrote(const struct vmm_guest_memory *guest,
                            const void *host, uint64_t bytes)
{
    if (!guest->firmware || !vmm_firmware_wrote(guest->firmware, host, bytes)) {
        vmm_memory_wrote(guest->ram, host, bytes);
    }
}
