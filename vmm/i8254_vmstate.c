/*
 * The timer on the wire: section `i8254`, version 3.
 */
#include "i8254.h"

#include <errno.h>

#include <godwit/vmstate.h>

#define MAX_COUNT 0x10000
#define MAX_MODE 7

static bool channel_is_sound(const void *state, uint32_t version)
{
    const struct vmm_i8254_channel *channel = state;

    return channel->count >= 1 && channel->count <= MAX_COUNT &&
           channel->mode <= MAX_MODE &&
           channel->count_latched <= VMM_I8254_FIRST &&
           channel->rw_mode <= VMM_I8254_FIRST;
}

static const struct gw_field channel_fields[] = {
    GW_FIELD_I32(struct vmm_i8254_channel, count),
    GW_FIELD_U16(struct vmm_i8254_channel, latched_count),
    GW_FIELD_U8(struct vmm_i8254_channel, count_latched),
    GW_FIELD_U8(struct vmm_i8254_channel, status_latched),
    GW_FIELD_U8(struct vmm_i8254_channel, status),
    GW_FIELD_U8(struct vmm_i8254_channel, read_state),
    GW_FIELD_U8(struct vmm_i8254_channel, write_state),
    GW_FIELD_U8(struct vmm_i8254_channel, write_latch),
    GW_FIELD_U8(struct vmm_i8254_channel, rw_mode),
    GW_FIELD_U8(struct vmm_i8254_channel, mode),
    GW_FIELD_U8(struct vmm_i8254_channel, bcd),
    GW_FIELD_U8(struct vmm_i8254_channel, gate),
    GW_FIELD_I64(struct vmm_i8254_channel, count_load_time),
    GW_FIELD_I64(struct vmm_i8254_channel, next_transition_time),
    GW_FIELD_VALIDATE("count, mode and latches in range", channel_is_sound),
    GW_FIELD_END,
};

static const struct gw_vmstate channel_vmstate = {
    .name = "pit channel",
    .version = 2,
    .min_version = 2,
    .size = sizeof(struct vmm_i8254_channel),
    .fields = channel_fields,
};

/* The last one is there twice; QEMU arms its timer with the copy. */
static const struct gw_field fields[] = {
    GW_FIELD_U32_V(struct vmm_i8254_state, irq_disabled, 3),
    GW_FIELD_STRUCT_ARRAY(struct vmm_i8254_state, channels, channel_vmstate,
                          struct vmm_i8254_channel),
    GW_FIELD_I64(struct vmm_i8254_state, channels[0].next_transition_time),
    GW_FIELD_END,
};

static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_i8254_state *s = state;

    s->irq_disabled = 0;
    return 0;
}

const struct gw_vmstate vmm_i8254_vmstate = {
    .name = "i8254",
    .version = 3,
    .min_version = 2,
    .size = sizeof(struct vmm_i8254_state),
    .fields = fields,
    .pre_load = pre_load,
};
