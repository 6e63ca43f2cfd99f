/*
 * The VM clock and its section `timer`, version 2.
 */
#include "clock.h"

#include <x86intrin.h>

#include <godwit/vmstate.h>

#include "util.h"

int64_t vmm_clock_now(const struct vmm_clock *clock)
{
    if (!clock->running) {
        return clock->stopped_ns;
    }
    /* Unsigned: a hostile stream may have set any start value. */
    return (int64_t)((uint64_t)clock->stopped_ns + (uint64_t)vmm_now_ns() -
                     (uint64_t)clock->started_ns);
}

void vmm_clock_start(struct vmm_clock *clock)
{
    if (clock->running) {
        return;
    }
    clock->started_ns = vmm_now_ns();
    clock->started_ticks = __rdtsc();
    clock->running = true;
}

void vmm_clock_stop(struct vmm_clock *clock)
{
    if (!clock->running) {
        return;
    }
    clock->stopped_ns = vmm_clock_now(clock);
    clock->ticks =
        (int64_t)((uint64_t)clock->ticks + __rdtsc() - clock->started_ticks);
    clock->running = false;
}

static const struct gw_field fields[] = {
    GW_FIELD_I64(struct vmm_clock, ticks),
    GW_FIELD_UNUSED(8),
    GW_FIELD_I64_V(struct vmm_clock, stopped_ns, 2),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_clock_vmstate = {
    .name = "timer",
    .version = 2,
    .min_version = 1,
    .size = sizeof(struct vmm_clock),
    .fields = fields,
};
