/*
 * How the machine starts: for the first time, and again after a reset.
 */
#ifndef VMM_START_H
#define VMM_START_H

#include <stdbool.h>

#include <godwit/error.h>

struct vmm_machine;

/* Fresh memory, tables, and what is to be booted in it. */
int vmm_machine_cold_start(struct vmm_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * Whether there is something to boot: a guest that came in may have been
 * started without a kernel or a firmware.
 */
bool vmm_machine_can_start(const struct vmm_machine *machine);

/*
 * Resets the machine: devices, vCPUs, and what is booted; the rest of RAM
 * keeps what the guest left there, as on hardware. Emits RESET. As
 * gw_machine_reset, whose errors it gives. Not on a vCPU's thread.
 */
int vmm_machine_reset(struct vmm_machine *machine, const char *reason,
                      bool guest, struct gw_error **errp) GW_MUST_CHECK;

#endif
