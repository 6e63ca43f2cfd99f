/*
 * Ports and memory-mapped registers: which device answers which address.
 *
 * Set up before any vCPU runs, constant afterwards. Devices lock themselves.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdint.h>

/* The most ranges of either kind. */
#define VMM_BUS_MAX_RANGES 32

/* How a device is accessed. size is 1, 2, 4 or 8 bytes. */
struct vmm_bus_ops {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned int size);
    void (*write)(void *opaque, uint64_t offset, unsigned int size,
                  uint64_t value);
};

struct vmm_bus_range {
    uint64_t start;
    uint64_t bytes;
    const struct vmm_bus_ops *ops;
    void *opaque;
};

/* One address space. */
struct vmm_bus_space {
    struct vmm_bus_range ranges[VMM_BUS_MAX_RANGES];
    unsigned int n_ranges;
    /* What a read returns where nothing answers. */
    uint64_t unassigned;
};

struct vmm_bus {
    /* Port I/O: nobody there reads as ones. */
    struct vmm_bus_space ports;
    /* Memory-mapped I/O: nobody there reads as zeros. */
    struct vmm_bus_space mmio;
};

void vmm_bus_init(struct vmm_bus *bus);

/* Gives a range to a device; there is room for VMM_BUS_MAX_RANGES. */
void vmm_bus_add(struct vmm_bus_space *space, uint64_t start, uint64_t bytes,
                 const struct vmm_bus_ops *ops, void *opaque);

/* One access of 1 to 8 bytes; little endian in `data`. */
void vmm_bus_read(const struct vmm_bus_space *space, uint64_t address,
                  void *data, unsigned int size);
void vmm_bus_write(const struct vmm_bus_space *space, uint64_t address,
                   const void *data, unsigned int size);

#endif
