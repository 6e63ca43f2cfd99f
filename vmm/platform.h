/*
 * What makes the machine a PC for guests that are x86 code: firmware, its
 * configuration device, ACPI tables and events, power control, and the old
 * devices that were asked for.
 *
 * The accelerator `thread` runs no such guest, and its machine has none of it.
 */
#ifndef VMM_PLATFORM_H
#define VMM_PLATFORM_H

#include <godwit/error.h>

struct vmm_machine;
struct vmm_options;

/*
 * Makes it, after the accelerator was chosen, before its vCPUs are made and
 * before the I/O APIC is used.
 */
int vmm_platform_init(struct vmm_machine *machine,
                      const struct vmm_options *options, struct gw_error **errp)
    GW_MUST_CHECK;
/* Accepts a zeroed or half-built machine. */
void vmm_platform_deinit(struct vmm_machine *machine);

/* The machine, which is paused, is reset: what is not asked of others. */
void vmm_platform_reset(struct vmm_machine *machine);

/*
 * Writes the tables, for a start: all devices are there, and
 * machine->virtio_slots says which slots of virtio-mmio are occupied.
 */
int vmm_platform_build_tables(struct vmm_machine *machine,
                              struct gw_error **errp) GW_MUST_CHECK;

/* The machine goes on, maybe with loaded state; no vCPU runs yet. */
void vmm_platform_restart(struct vmm_machine *machine);

/* Asks the guest to switch itself off; nothing without ACPI. Any thread. */
void vmm_platform_press_power_button(struct vmm_machine *machine);

/* RAM blocks, and sections before and after those of vCPUs and clocks. */
int vmm_platform_add_blocks(struct vmm_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;
int vmm_platform_add_first(struct vmm_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;
int vmm_platform_add_last(struct vmm_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
