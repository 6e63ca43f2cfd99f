/*
 * The I/O APIC on the wire: section `ioapic`, version 3.
 */
#include "ioapic.h"

#include <errno.h>
#include <string.h>

#include <godwit/vmstate.h>

static const struct gw_field fields[] = {
    GW_FIELD_U8(struct vmm_ioapic_state, id),
    GW_FIELD_U8(struct vmm_ioapic_state, select),
    GW_FIELD_UNUSED_V(8, 2),
    GW_FIELD_U32_V(struct vmm_ioapic_state, irr, 2),
    GW_FIELD_U64_ARRAY(struct vmm_ioapic_state, sent_entries),
    GW_FIELD_END,
};

/*
 * A guest may have programmed a pin for an 8259 where the machine has none.
 * Such an entry is never delivered, and QEMU without an 8259 crashes on one
 * (10.0, also if it is masked), so it is sent as fixed delivery, masked.
 */
static int pre_save(void *state, struct gw_error **errp)
{
    struct vmm_ioapic_state *s = state;

    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        uint64_t entry = s->entries[pin];

        if (!s->has_pics && (entry & VMM_RTE_DELIVERY) == VMM_RTE_EXTINT) {
            entry = (entry & ~VMM_RTE_DELIVERY) | VMM_RTE_MASKED;
        }
        s->sent_entries[pin] = entry;
    }
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_ioapic_state *s = state;

    if (s->irr >> VMM_IOAPIC_PINS) {
        return gw_error_set(errp, -EBADMSG,
                            "pending pins 0x%08x, the chip has %d pins", s->irr,
                            VMM_IOAPIC_PINS);
    }
    memcpy(s->entries, s->sent_entries, sizeof(s->entries));
    return 0;
}

const struct gw_vmstate vmm_ioapic_vmstate = {
    .name = "ioapic",
    .version = 3,
    .min_version = 1,
    .size = sizeof(struct vmm_ioapic_state),
    .fields = fields,
    .pre_save = pre_save,
    .post_load = post_load,
};
