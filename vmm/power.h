/*
 * Power control at 0xfea00200, as of an ACPI machine with reduced hardware:
 * a guest switches itself off or asks for a reset. No state.
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include "bus.h"

#define VMM_POWER_BASE 0xfea00200ull
#define VMM_POWER_BYTES 3u
/* Registers of one byte: sleep control, sleep status, reset. */
#define VMM_POWER_SLEEP 0u
#define VMM_POWER_STATUS 1u
#define VMM_POWER_RESET 2u
/* The sleep type that switches off, and what resets. */
#define VMM_POWER_TYPE_OFF 5u
#define VMM_POWER_RESET_VALUE 0x42u

struct vmm_power {
    /* Called on the vCPU's thread. */
    void (*power_off)(void *opaque);
    void (*reset)(void *opaque);
    void *opaque;
};

/* opaque is the struct vmm_power. */
extern const struct vmm_bus_ops vmm_power_bus_ops;

#endif
