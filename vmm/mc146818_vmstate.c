/*
 * The real-time clock on the wire: section `mc146818rtc`, version 3.
 */
#include "mc146818.h"

#include <errno.h>

#include <godwit/vmstate.h>

static bool reinject_needed(const void *state)
{
    const struct vmm_rtc_state *s = state;

    return s->irq_reinject_on_ack_count != 0;
}

static const struct gw_field reinject_fields[] = {
    GW_FIELD_U16(struct vmm_rtc_state, irq_reinject_on_ack_count),
    GW_FIELD_END,
};

static const struct gw_vmstate reinject_vmstate = {
    .name = "mc146818rtc/irq_reinject_on_ack_count",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_rtc_state),
    .fields = reinject_fields,
    .needed = reinject_needed,
};

static const struct gw_vmstate *const subsections[] = {
    &reinject_vmstate,
    NULL,
};

/* The first gap was the date in parts, the second one timers of old. */
static const struct gw_field fields[] = {
    GW_FIELD_BUFFER(struct vmm_rtc_state, cmos),
    GW_FIELD_U8(struct vmm_rtc_state, index),
    GW_FIELD_UNUSED(28),
    GW_FIELD_TIMER(struct vmm_rtc_state, periodic_timer),
    GW_FIELD_I64(struct vmm_rtc_state, next_periodic_time),
    GW_FIELD_UNUSED(24),
    GW_FIELD_U32_V(struct vmm_rtc_state, irq_coalesced, 2),
    GW_FIELD_U32_V(struct vmm_rtc_state, period, 2),
    GW_FIELD_U64_V(struct vmm_rtc_state, base_rtc, 3),
    GW_FIELD_U64_V(struct vmm_rtc_state, last_update, 3),
    GW_FIELD_I64_V(struct vmm_rtc_state, offset, 3),
    GW_FIELD_TIMER_IF(struct vmm_rtc_state, update_timer, 3, NULL),
    GW_FIELD_U64_V(struct vmm_rtc_state, next_alarm_time, 3),
    GW_FIELD_END,
};

/* What an absent subsection means. */
static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_rtc_state *s = state;

    s->irq_reinject_on_ack_count = 0;
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    const struct vmm_rtc_state *s = state;

    if (s->index >= VMM_RTC_CMOS_BYTES) {
        return gw_error_set(errp, -EBADMSG,
                            "index %u, there are %u bytes of CMOS memory",
                            s->index, VMM_RTC_CMOS_BYTES);
    }
    return 0;
}

/* Older ones have no time base; QEMU's `microvm` never wrote one. */
const struct gw_vmstate vmm_rtc_vmstate = {
    .name = "mc146818rtc",
    .version = 3,
    .min_version = 3,
    .size = sizeof(struct vmm_rtc_state),
    .fields = fields,
    .subsections = subsections,
    .pre_load = pre_load,
    .post_load = post_load,
};
