/*
 * The sleep and reset registers.
 */
#include "power.h"

/* SLP_EN, and where the sleep type is. */
#define SLEEP_ENABLE 0x20u
#define SLEEP_TYPE_MASK 0x1cu
#define SLEEP_TYPE_SHIFT 2u

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    return 0;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_power *power = opaque;

    if (offset == VMM_POWER_SLEEP && (value & SLEEP_ENABLE) &&
        (value & SLEEP_TYPE_MASK) == VMM_POWER_TYPE_OFF << SLEEP_TYPE_SHIFT) {
        power->power_off(power->opaque);
    } else if (offset == VMM_POWER_RESET &&
               (value & 0xff) == VMM_POWER_RESET_VALUE) {
        power->reset(power->opaque);
    }
}

const struct vmm_bus_ops vmm_power_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};
