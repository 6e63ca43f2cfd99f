/*
 * The old devices of a PC that a machine may have: interrupt controllers,
 * timer, real-time clock. Each is there if its option says so.
 */
#ifndef VMM_ISA_H
#define VMM_ISA_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "bus.h"
#include "i8254.h"
#include "i8259.h"
#include "machine_options.h"
#include "mc146818.h"
#include "timers.h"

struct gw_machine;
struct vmm_clock;
struct vmm_ioapic;

/* What they are made of, and where they lead. */
struct vmm_isa_config {
    /* pic, pit and rtc are looked at. */
    const struct vmm_machine_options *options;
    const struct vmm_clock *clock;
    struct vmm_ioapic *ioapic;
    struct vmm_bus *bus;
    /* Of RAM below and above 4 GiB. */
    uint64_t low_bytes;
    uint64_t high_bytes;
    /* The accelerator's side of the interrupt controllers. */
    const struct vmm_i8259_ops *pic_ops;
    void *pic_opaque;
};

struct vmm_isa {
    bool has_pic;
    bool has_pit;
    bool has_rtc;
    struct vmm_i8259 pics;
    struct vmm_i8254 pit;
    struct vmm_rtc rtc;
    const struct vmm_clock *clock;
    struct vmm_ioapic *ioapic;
    /* There with timer or clock. */
    struct vmm_timers timers;
    struct vmm_timer pit_timer;
    struct vmm_timer rtc_timers[VMM_RTC_TIMERS];
};

/* Makes what the options say, on a zeroed object. */
int vmm_isa_init(struct vmm_isa *isa, const struct vmm_isa_config *config,
                 struct gw_error **errp) GW_MUST_CHECK;
/* Accepts a zeroed or half-built object. */
void vmm_isa_deinit(struct vmm_isa *isa);

/* The machine is reset, paused. */
void vmm_isa_reset(struct vmm_isa *isa);

/* A kernel is started without firmware, which would set them up. */
void vmm_isa_set_up(struct vmm_isa *isa);

/* Adds their sections. */
int vmm_isa_add_devices(struct vmm_isa *isa, struct gw_machine *machine,
                        struct gw_error **errp) GW_MUST_CHECK;

/*
 * The VM clock runs, maybe with loaded state; it is about to stop: no timer
 * fires any more.
 */
void vmm_isa_start(struct vmm_isa *isa);
void vmm_isa_stop(struct vmm_isa *isa);

#endif
