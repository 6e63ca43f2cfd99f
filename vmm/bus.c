/*
 * Address decoding.
 */
#include "bus.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

void vmm_bus_init(struct vmm_bus *bus)
{
    memset(bus, 0, sizeof(*bus));
    bus->ports.unassigned = UINT64_MAX;
}

void vmm_bus_add(struct vmm_bus_space *space, uint64_t start, uint64_t bytes,
                 const struct vmm_bus_ops *ops, void *opaque)
{
    assert(space->n_ranges < VMM_BUS_MAX_RANGES);
    space->ranges[space->n_ranges++] = (struct vmm_bus_range){
        .start = start, .bytes = bytes, .ops = ops, .opaque = opaque};
}

/* The range that holds the whole access. */
static const struct vmm_bus_range *find(const struct vmm_bus_space *space,
                                        uint64_t address, unsigned int size)
{
    for (unsigned int i = 0; i < space->n_ranges; i++) {
        const struct vmm_bus_range *range = &space->ranges[i];

        if (address >= range->start && size <= range->bytes &&
            address - range->start <= range->bytes - size) {
            return range;
        }
    }
    return NULL;
}

void vmm_bus_read(const struct vmm_bus_space *space, uint64_t address,
                  void *data, unsigned int size)
{
    const struct vmm_bus_range *range = find(space, address, size);
    uint64_t value = space->unassigned;

    assert(size <= sizeof(value));
    if (range) {
        value = range->ops->read(range->opaque, address - range->start, size);
    }
    /* x86 hosts only: the guest's byte order is ours. */
    memcpy(data, &value, size);
}

void vmm_bus_write(const struct vmm_bus_space *space, uint64_t address,
                   const void *data, unsigned int size)
{
    const struct vmm_bus_range *range = find(space, address, size);
    uint64_t value = 0;

    assert(size <= sizeof(value));
    if (range) {
        memcpy(&value, data, size);
        range->ops->write(range->opaque, address - range->start, size, value);
    }
}
