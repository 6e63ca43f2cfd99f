/*
 * The timer 8254 of a PC: three counters of 1193182 Hz. The output of the
 * first is interrupt line 0; those of the others lead nowhere, and their gates
 * are fixed. It counts the VM clock.
 */
#ifndef VMM_I8254_H
#define VMM_I8254_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct gw_vmstate;

#define VMM_I8254_PORT 0x40u
#define VMM_I8254_PORTS 4u
#define VMM_I8254_IRQ 0u
#define VMM_I8254_CHANNELS 3
#define VMM_I8254_HZ 1193182

/* What moves, for each channel; see docs/spec/machine.md, 2.9. */
struct vmm_i8254_channel {
    /* 1 to 0x10000. */
    int32_t count;
    uint16_t latched_count;
    /* Which bytes of it are to be read, as enum vmm_i8254_access. */
    uint8_t count_latched;
    uint8_t status_latched;
    uint8_t status;
    uint8_t read_state;
    uint8_t write_state;
    /* The low byte of a count that comes in two. */
    uint8_t write_latch;
    uint8_t rw_mode;
    uint8_t mode;
    uint8_t bcd;
    uint8_t gate;
    /* VM clock when the count was loaded. */
    int64_t count_load_time;
    /* VM clock when the output changes next, of channel 0; or -1. */
    int64_t next_transition_time;
};

/* Which byte comes next. */
enum vmm_i8254_access {
    VMM_I8254_NONE = 0,
    VMM_I8254_LOW = 1,
    VMM_I8254_HIGH = 2,
    /* Both: the low one, then the high one. */
    VMM_I8254_FIRST = 3,
    VMM_I8254_SECOND = 4,
};

struct vmm_i8254_state {
    /* Another device has line 0; carried, there is none. */
    uint32_t irq_disabled;
    struct vmm_i8254_channel channels[VMM_I8254_CHANNELS];
};

/* What the timer needs from outside; called with its lock held. */
struct vmm_i8254_ops {
    /* The VM clock in nanoseconds. */
    int64_t (*now)(void *opaque);
    /* Calls vmm_i8254_expired at that time of the VM clock; -1: never. */
    void (*set_timer)(void *opaque, int64_t expiry);
    /* The output of channel 0. */
    void (*set_irq)(void *opaque, bool high);
};

struct vmm_i8254 {
    /* First member: the pointer the vmstate knows. */
    struct vmm_i8254_state state;
    /* Guards state while the guest runs. */
    pthread_mutex_t lock;
    const struct vmm_i8254_ops *ops;
    void *opaque;
};

extern const struct gw_vmstate vmm_i8254_vmstate;
/* opaque is the struct vmm_i8254. */
extern const struct vmm_bus_ops vmm_i8254_bus_ops;

/* A timer after a reset; it begins to count with vmm_i8254_start. */
void vmm_i8254_init(struct vmm_i8254 *pit, const struct vmm_i8254_ops *ops,
                    void *opaque);
void vmm_i8254_deinit(struct vmm_i8254 *pit);

/* As after power-on; the machine is paused. */
void vmm_i8254_reset(struct vmm_i8254 *pit);

/* The time that was asked for has come. */
void vmm_i8254_expired(struct vmm_i8254 *pit);

/* The machine goes on, maybe with loaded state. */
void vmm_i8254_start(struct vmm_i8254 *pit);

#endif
