/*
 * A hostile guest and a hostile stream at the I/O APIC, the generic event
 * device that is connected to it, and the power control.
 *
 * The first byte: which section the input begins with (0: none), the rest of
 * it up to what the section takes. Then steps of 8 bytes: what to do, where,
 * two bytes for it, and the value.
 */
#include "ioapic.h"

#include "fuzz-section.h"
#include "ged.h"
#include "power.h"

#define STEP_BYTES 8u

static struct {
    struct vmm_ioapic ioapic;
    struct vmm_ged ged;
    struct vmm_power power;
    struct vmm_bus bus;
} machine;

static bool is_open(uint64_t entry)
{
    return !(entry & VMM_RTE_MASKED) &&
           (entry & VMM_RTE_DELIVERY) != VMM_RTE_EXTINT;
}

static void routes_changed(void *opaque,
                           const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        const uint64_t entry = machine.ioapic.state.entries[pin];
        const struct vmm_msi msi = vmm_ioapic_message(entry);

        FUZZ_ASSERT(!is_open(entry) || (routes[pin].address == msi.address &&
                                        routes[pin].data == msi.data));
    }
}

/* Nothing is sent but what some pin may send. */
static void send_message(void *opaque, const struct vmm_msi *sent)
{
    bool found = false;

    for (unsigned int pin = 0; pin < VMM_IOAPIC_PINS; pin++) {
        const uint64_t entry = machine.ioapic.state.entries[pin];
        const struct vmm_msi msi = vmm_ioapic_message(entry);

        found |= is_open(entry) && msi.address == sent->address &&
                 msi.data == sent->data;
    }
    FUZZ_ASSERT(found);
}

static const struct vmm_ioapic_ops ops = {.routes_changed = routes_changed,
                                          .send = send_message};

static void end(void *opaque)
{
}

static const struct fuzz_section sections[] = {
    {&vmm_ioapic_vmstate, &machine.ioapic.state},
    {&vmm_ged_vmstate, &machine.ged.state},
};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void set_up(void)
{
    struct vmm_bus_space *mmio = &machine.bus.mmio;

    memset(&machine, 0, sizeof(machine));
    vmm_ioapic_init(&machine.ioapic, &ops, NULL);
    vmm_ged_init(&machine.ged, &machine.ioapic);
    machine.power = (struct vmm_power){.power_off = end, .reset = end};
    vmm_bus_init(&machine.bus);
    vmm_bus_add(mmio, VMM_IOAPIC_BASE, VMM_IOAPIC_BYTES, &vmm_ioapic_bus_ops,
                &machine.ioapic);
    vmm_bus_add(mmio, VMM_GED_BASE, VMM_GED_BYTES, &vmm_ged_bus_ops,
                &machine.ged);
    vmm_bus_add(mmio, VMM_POWER_BASE, VMM_POWER_BYTES, &vmm_power_bus_ops,
                &machine.power);
}

static void tear_down(void)
{
    vmm_ged_deinit(&machine.ged);
    vmm_ioapic_deinit(&machine.ioapic);
}

static void start(void)
{
    vmm_ioapic_restart(&machine.ioapic);
    vmm_ged_restart(&machine.ged);
}

static void access_memory(const uint8_t *in)
{
    static const uint64_t bases[] = {VMM_IOAPIC_BASE, VMM_IOAPIC_BASE,
                                     VMM_GED_BASE, VMM_POWER_BASE};
    const uint64_t gpa = bases[in[1] & 3] + (in[2] & 0x7f);
    const unsigned int size = 1u << (in[1] >> 4 & 3);

    if (in[1] & 0x80) {
        uint8_t data[8];

        vmm_bus_read(&machine.bus.mmio, gpa, data, size);
    } else {
        uint8_t data[8] = {in[4], in[5], in[6], in[7], in[3]};

        vmm_bus_write(&machine.bus.mmio, gpa, data, size);
    }
}

static void move(size_t which, bool is_reset)
{
    if (is_reset) {
        vmm_ged_reset(&machine.ged);
        vmm_ioapic_reset(&machine.ioapic);
    }
    fuzz_save_and_load(&sections[which]);
    start();
}

static void step(const uint8_t *in)
{
    switch (in[0] & 7) {
    case 0:
        vmm_ioapic_set_line(&machine.ioapic, in[1] % VMM_IOAPIC_PINS,
                            in[2] & 1);
        break;
    case 1:
        vmm_ioapic_eoi(&machine.ioapic, in[1]);
        break;
    case 2:
        vmm_ged_press_power_button(&machine.ged);
        break;
    case 3:
        move(in[1] % N_SECTIONS, in[2] & 1);
        break;
    default:
        access_memory(in);
        break;
    }
    FUZZ_ASSERT(machine.ioapic.state.irr >> VMM_IOAPIC_PINS == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at;

    set_up();
    at = fuzz_load_first(sections, N_SECTIONS, data, size);
    if (at > 0) {
        start();
        for (; at + STEP_BYTES <= size; at += STEP_BYTES) {
            step(data + at);
        }
    }
    tear_down();
    return 0;
}
