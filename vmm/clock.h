/*
 * The VM clock: nanoseconds of guest life. It stands while the machine is
 * paused and goes on in the next process (section `timer`).
 */
#ifndef VMM_CLOCK_H
#define VMM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct gw_vmstate;

struct vmm_clock {
    /* Host TSC ticks while running; nothing in the guest sees them. */
    int64_t ticks;
    /* VM clock at the last stop. */
    int64_t stopped_ns;
    /* --- not saved; changed only while no vCPU runs --- */
    bool running;
    /* Host clock and TSC at the last start. */
    int64_t started_ns;
    uint64_t started_ticks;
};

extern const struct gw_vmstate vmm_clock_vmstate;

/* The VM clock in nanoseconds; any thread. */
int64_t vmm_clock_now(const struct vmm_clock *clock);

void vmm_clock_start(struct vmm_clock *clock);
void vmm_clock_stop(struct vmm_clock *clock);

#endif
