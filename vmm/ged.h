/*
 * ACPI's generic event device at 0xfea00000, interrupt 9: tells the guest that
 * the power button was pressed. Section `acpi-ged`.
 */
#ifndef VMM_GED_H
#define VMM_GED_H

#include <pthread.h>
#include <stdint.h>

#include "bus.h"

struct gw_vmstate;
struct vmm_ioapic;

#define VMM_GED_BASE 0xfea00000u
#define VMM_GED_BYTES 4u
#define VMM_GED_IRQ 9u
/* Events, by bit of the selector. */
#define VMM_GED_POWER_BUTTON 0x2u

/* What moves. */
struct vmm_ged_state {
    /* Events that the guest did not read yet. */
    uint32_t selector;
    /* Slot of hot-plugged memory: carried, there is none. */
    uint32_t memory_slot;
};

struct vmm_ged {
    /* First member: the pointer the vmstate knows. */
    struct vmm_ged_state state;
    /* Guards state. */
    pthread_mutex_t lock;
    struct vmm_ioapic *ioapic;
};

extern const struct gw_vmstate vmm_ged_vmstate;
/* opaque is the struct vmm_ged. */
extern const struct vmm_bus_ops vmm_ged_bus_ops;

void vmm_ged_init(struct vmm_ged *ged, struct vmm_ioapic *ioapic);
/* As after power-on. */
void vmm_ged_reset(struct vmm_ged *ged);
void vmm_ged_deinit(struct vmm_ged *ged);

/*
 * Someone presses the power button: the guest is told by vmm_ged_restart.
 * Any thread.
 */
void vmm_ged_press_power_button(struct vmm_ged *ged);

/*
 * Interrupts the guest if there are events that it has not read: one that was
 * pressed while the machine stood still, or that came in with it, is not lost.
 */
void vmm_ged_restart(struct vmm_ged *ged);

#endif
