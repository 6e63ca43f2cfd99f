/*
 * Events: a bit in the selector and a pulse of the interrupt.
 */
#include "ged.h"

#include <string.h>

#include <godwit/vmstate.h>

#include "ioapic.h"

static const struct gw_field memory_fields[] = {
    GW_FIELD_U32(struct vmm_ged_state, memory_slot),
    GW_FIELD_END,
};

static const struct gw_vmstate memory_vmstate = {
    .name = "acpi-ged/memhp",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_ged_state),
    .fields = memory_fields,
};

static const struct gw_vmstate *const subsections[] = {
    &memory_vmstate,
    NULL,
};

static const struct gw_field fields[] = {
    GW_FIELD_U32(struct vmm_ged_state, selector),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_ged_vmstate = {
    .name = "acpi-ged",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_ged_state),
    .fields = fields,
    .subsections = subsections,
};

/* The guest takes all events at once. */
static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_ged *ged = opaque;
    uint32_t selector;

    if (offset != 0) {
        return 0;
    }
    pthread_mutex_lock(&ged->lock);
    selector = ged->state.selector;
    ged->state.selector = 0;
    pthread_mutex_unlock(&ged->lock);
    return selector;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
}

const struct vmm_bus_ops vmm_ged_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};

void vmm_ged_init(struct vmm_ged *ged, struct vmm_ioapic *ioapic)
{
    memset(ged, 0, sizeof(*ged));
    pthread_mutex_init(&ged->lock, NULL);
    ged->ioapic = ioapic;
}

void vmm_ged_reset(struct vmm_ged *ged)
{
    pthread_mutex_lock(&ged->lock);
    ged->state = (struct vmm_ged_state){0};
    pthread_mutex_unlock(&ged->lock);
}

void vmm_ged_deinit(struct vmm_ged *ged)
{
    pthread_mutex_destroy(&ged->lock);
}

void vmm_ged_press_power_button(struct vmm_ged *ged)
{
    pthread_mutex_lock(&ged->lock);
    ged->state.selector |= VMM_GED_POWER_BUTTON;
    pthread_mutex_unlock(&ged->lock);
}

void vmm_ged_restart(struct vmm_ged *ged)
{
    bool pending;

    pthread_mutex_lock(&ged->lock);
    pending = ged->state.selector != 0;
    pthread_mutex_unlock(&ged->lock);
    if (pending) {
        vmm_ioapic_set_line(ged->ioapic, VMM_GED_IRQ, true);
        vmm_ioapic_set_line(ged->ioapic, VMM_GED_IRQ, false);
    }
}
