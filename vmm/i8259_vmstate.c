/*
 * The interrupt controllers on the wire: section `i8259`, version 1, for each.
 */
#include "i8259.h"

#include <errno.h>

#include <godwit/vmstate.h>

#define MAX_PRIORITY_ADD 7
#define MAX_INIT_STATE 3

static bool ltim_needed(const void *state)
{
    const struct vmm_i8259_state *s = state;

    return s->ltim != 0;
}

static const struct gw_field ltim_fields[] = {
    GW_FIELD_U8(struct vmm_i8259_state, ltim),
    GW_FIELD_END,
};

static const struct gw_vmstate ltim_vmstate = {
    .name = "i8259/ltim",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_i8259_state),
    .fields = ltim_fields,
    .needed = ltim_needed,
};

static const struct gw_vmstate *const subsections[] = {
    &ltim_vmstate,
    NULL,
};

static const struct gw_field fields[] = {
    GW_FIELD_U8(struct vmm_i8259_state, last_irr),
    GW_FIELD_U8(struct vmm_i8259_state, irr),
    GW_FIELD_U8(struct vmm_i8259_state, imr),
    GW_FIELD_U8(struct vmm_i8259_state, isr),
    GW_FIELD_U8(struct vmm_i8259_state, priority_add),
    GW_FIELD_U8(struct vmm_i8259_state, irq_base),
    GW_FIELD_U8(struct vmm_i8259_state, read_reg_select),
    GW_FIELD_U8(struct vmm_i8259_state, poll),
    GW_FIELD_U8(struct vmm_i8259_state, special_mask),
    GW_FIELD_U8(struct vmm_i8259_state, init_state),
    GW_FIELD_U8(struct vmm_i8259_state, auto_eoi),
    GW_FIELD_U8(struct vmm_i8259_state, rotate_on_auto_eoi),
    GW_FIELD_U8(struct vmm_i8259_state, special_fully_nested_mode),
    GW_FIELD_U8(struct vmm_i8259_state, init4),
    GW_FIELD_U8(struct vmm_i8259_state, single_mode),
    GW_FIELD_U8(struct vmm_i8259_state, elcr),
    GW_FIELD_END,
};

/* What an absent subsection means. */
static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_i8259_state *s = state;

    s->ltim = 0;
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    const struct vmm_i8259_state *s = state;

    if (s->priority_add > MAX_PRIORITY_ADD || s->init_state > MAX_INIT_STATE) {
        return gw_error_set(errp, -EBADMSG,
                            "first line %u and step %u of initialisation, at "
                            "most %d and %d are possible",
                            s->priority_add, s->init_state, MAX_PRIORITY_ADD,
                            MAX_INIT_STATE);
    }
    return 0;
}

const struct gw_vmstate vmm_i8259_vmstate = {
    .name = "i8259",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_i8259_state),
    .fields = fields,
    .subsections = subsections,
    .pre_load = pre_load,
    .post_load = post_load,
};
