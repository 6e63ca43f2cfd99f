/*
 * Guest physical memory as devices see it: RAM, and the firmware over it.
 * Constant once it was made; any thread.
 */
#ifndef VMM_GUEST_MEMORY_H
#define VMM_GUEST_MEMORY_H

#include <stdint.h>

#include "firmware.h"
#include "memory.h"

/* The most ranges that the guest sees. */
#define VMM_GUEST_RANGES 5

struct vmm_guest_memory {
    /* Both lent; without a firmware that has no bytes. */
    const struct vmm_memory *ram;
    const struct vmm_firmware *firmware;
    struct vmm_memory_range ranges[VMM_GUEST_RANGES];
    unsigned int n_ranges;
};

/* Of RAM and firmware, which stay where they are; firmware may be NULL. */
void vmm_guest_memory_init(struct vmm_guest_memory *guest,
                           const struct vmm_memory *ram,
                           const struct vmm_firmware *firmware);

/*
 * Where `bytes` bytes from a guest physical address are, or NULL: they are not
 * all there, or not next to each other.
 */
void *vmm_guest_memory_at(const struct vmm_guest_memory *guest, uint64_t gpa,
                          uint64_t bytes);

/*
 * Where the byte at a guest physical address is, and how many are contiguous
 * from there; NULL: there is none.
 */
uint8_t *vmm_guest_memory_from(const struct vmm_guest_memory *guest,
                               uint64_t gpa, uint64_t *ret_bytes);

/* The guest physical address of a place that vmm_guest_memory_at gave. */
uint64_t vmm_guest_memory_gpa(const struct vmm_guest_memory *guest,
                              const void *host);

/*
 * The VMM, not a vCPU, has written bytes at such a place: for whoever saves the
 * guest meanwhile. After the write.
 */
void vmm_guest_memory_wrote(const struct vmm_guest_memory *guest,
                            const void *host, uint64_t bytes);

#endif
