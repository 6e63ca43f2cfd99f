/*
 * The sleep and reset registers.
 */
#include "power.h"

#define REG_SLEEP_CONTROL 0
#define REG_RESET 2
/* SLP_EN with the sleep type S5. */
#define SLEEP_ENABLE 0x20u
#define SLEEP_TYPE_MASK 0x1cu
#define SLEEP_TYPE_OFF (5u << 2)
#define RESET_VALUE 0x42u

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    return 0;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_power *power = opaque;

    if (offset == REG_SLEEP_CONTROL && (value & SLEEP_ENABLE) &&
        (value & SLEEP_TYPE_MASK) == SLEEP_TYPE_OFF) {
        power->power_off(power->opaque);
    } else if (offset == REG_RESET && (value & 0xff) == RESET_VALUE) {
        power->reset(power->opaque);
    }
}

const struct vmm_bus_ops vmm_power_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};
