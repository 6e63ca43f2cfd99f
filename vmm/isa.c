/*
 * Ports, interrupt lines, timers and sections of the old devices.
 */
#include "isa.h"

#include <godwit/machine.h>

#include "clock.h"
#include "ioapic.h"
#include "util.h"

/* ---- timer ---- */

static int64_t pit_now(void *opaque)
{
    const struct vmm_isa *isa = opaque;

    return vmm_clock_now(isa->clock);
}

static void pit_set_timer(void *opaque, int64_t expiry)
{
    struct vmm_isa *isa = opaque;

    vmm_timers_set(&isa->timers, &isa->pit_timer, expiry);
}

static void pit_set_irq(void *opaque, bool high)
{
    const struct vmm_isa *isa = opaque;

    vmm_ioapic_set_line(isa->ioapic, VMM_I8254_IRQ, high);
}

static const struct vmm_i8254_ops pit_ops = {
    .now = pit_now,
    .set_timer = pit_set_timer,
    .set_irq = pit_set_irq,
};

static void pit_fire(void *opaque)
{
    vmm_i8254_expired(opaque);
}

static void init_pit(struct vmm_isa *isa, const struct vmm_isa_config *config)
{
    vmm_timers_add(&isa->timers, &isa->pit_timer, VMM_TIMER_VM, pit_fire,
                   &isa->pit);
    vmm_i8254_init(&isa->pit, &pit_ops, isa);
    vmm_bus_add(&config->bus->ports, VMM_I8254_PORT, VMM_I8254_PORTS,
                &vmm_i8254_bus_ops, &isa->pit);
    isa->has_pit = true;
}

/* ---- real-time clock ---- */

static int64_t rtc_now(void *opaque)
{
    return vmm_host_time_ns();
}

static void rtc_set_timer(void *opaque, enum vmm_rtc_timer timer,
                          int64_t expiry)
{
    struct vmm_isa *isa = opaque;

    vmm_timers_set(&isa->timers, &isa->rtc_timers[timer], expiry);
}

static void rtc_set_irq(void *opaque, bool high)
{
    const struct vmm_isa *isa = opaque;

    vmm_ioapic_set_line(isa->ioapic, VMM_RTC_IRQ, high);
}

static const struct vmm_rtc_ops rtc_ops = {
    .now = rtc_now,
    .set_timer = rtc_set_timer,
    .set_irq = rtc_set_irq,
};

static void rtc_fire_periodic(void *opaque)
{
    vmm_rtc_expired(opaque, VMM_RTC_PERIODIC);
}

static void rtc_fire_update(void *opaque)
{
    vmm_rtc_expired(opaque, VMM_RTC_UPDATE);
}

static void init_rtc(struct vmm_isa *isa, const struct vmm_isa_config *config)
{
    vmm_timers_add(&isa->timers, &isa->rtc_timers[VMM_RTC_PERIODIC],
                   VMM_TIMER_HOST, rtc_fire_periodic, &isa->rtc);
    vmm_timers_add(&isa->timers, &isa->rtc_timers[VMM_RTC_UPDATE],
                   VMM_TIMER_HOST, rtc_fire_update, &isa->rtc);
    vmm_rtc_init(&isa->rtc, &rtc_ops, isa);
    vmm_rtc_set_memory(&isa->rtc, config->low_bytes, config->high_bytes);
    vmm_bus_add(&config->bus->ports, VMM_RTC_PORT, VMM_RTC_PORTS,
                &vmm_rtc_bus_ops, &isa->rtc);
    isa->has_rtc = true;
}

/* ---- interrupt controllers ---- */

static void init_pics(struct vmm_isa *isa, const struct vmm_isa_config *config)
{
    struct vmm_bus_space *ports = &config->bus->ports;

    vmm_i8259_init(&isa->pics, config->pic_ops, config->pic_opaque);
    vmm_bus_add(ports, VMM_I8259_PORT, VMM_I8259_PORTS, &vmm_i8259_bus_ops,
                &isa->pics);
    vmm_bus_add(ports, VMM_I8259_SLAVE_PORT, VMM_I8259_PORTS,
                &vmm_i8259_slave_bus_ops, &isa->pics);
    vmm_bus_add(ports, VMM_I8259_ELCR_PORT, VMM_I8259_CHIPS,
                &vmm_i8259_elcr_bus_ops, &isa->pics);
    vmm_ioapic_connect_pics(config->ioapic, &isa->pics);
    isa->has_pic = true;
}

/* ---- all of them ---- */

int vmm_isa_init(struct vmm_isa *isa, const struct vmm_isa_config *config,
                 struct gw_error **errp)
{
    const struct vmm_machine_options *options = config->options;

    isa->clock = config->clock;
    isa->ioapic = config->ioapic;
    if (options->pic) {
        init_pics(isa, config);
    }
    if (options->pit || options->rtc) {
        int r = vmm_timers_init(&isa->timers, isa->clock, errp);

        if (r < 0) {
            return r;
        }
    }
    if (options->pit) {
        init_pit(isa, config);
    }
    if (options->rtc) {
        init_rtc(isa, config);
    }
    return 0;
}

void vmm_isa_deinit(struct vmm_isa *isa)
{
    vmm_timers_deinit(&isa->timers);
    if (isa->has_rtc) {
        vmm_rtc_deinit(&isa->rtc);
    }
    if (isa->has_pit) {
        vmm_i8254_deinit(&isa->pit);
    }
    if (isa->has_pic) {
        vmm_ioapic_connect_pics(isa->ioapic, NULL);
        vmm_i8259_deinit(&isa->pics);
    }
    *isa = (struct vmm_isa){0};
}

/* The controllers last: the others let go of their lines. */
void vmm_isa_reset(struct vmm_isa *isa)
{
    if (isa->has_pit) {
        vmm_i8254_reset(&isa->pit);
    }
    if (isa->has_rtc) {
        vmm_rtc_reset(&isa->rtc);
    }
    if (isa->has_pic) {
        vmm_i8259_reset(&isa->pics);
    }
}

void vmm_isa_set_up(struct vmm_isa *isa)
{
    if (isa->has_pic) {
        vmm_i8259_set_up(&isa->pics);
    }
}

static int add_pics(struct vmm_isa *isa, struct gw_machine *machine,
                    struct gw_error **errp)
{
    int r = 0;

    for (uint32_t i = 0; i < VMM_I8259_CHIPS && r == 0; i++) {
        r = gw_machine_add_device(machine, &vmm_i8259_vmstate, NULL, i,
                                  &isa->pics.chips[i], NULL, errp);
    }
    return r;
}

int vmm_isa_add_devices(struct vmm_isa *isa, struct gw_machine *machine,
                        struct gw_error **errp)
{
    int r = 0;

    if (isa->has_pic) {
        r = add_pics(isa, machine, errp);
    }
    if (r == 0 && isa->has_pit) {
        r = gw_machine_add_device(machine, &vmm_i8254_vmstate, NULL, 0,
                                  &isa->pit.state, NULL, errp);
    }
    if (r == 0 && isa->has_rtc) {
        r = gw_machine_add_device(machine, &vmm_rtc_vmstate, NULL, 0,
                                  &isa->rtc.state, NULL, errp);
    }
    return r;
}

/* INTR before anything that changes it. */
void vmm_isa_start(struct vmm_isa *isa)
{
    if (isa->has_pic) {
        vmm_i8259_restart(&isa->pics);
    }
    if (isa->has_pit) {
        vmm_i8254_start(&isa->pit);
    }
    if (isa->has_rtc) {
        vmm_rtc_start(&isa->rtc);
    }
    if (isa->timers.has_thread) {
        vmm_timers_start(&isa->timers);
    }
}

void vmm_isa_stop(struct vmm_isa *isa)
{
    if (isa->timers.has_thread) {
        vmm_timers_stop(&isa->timers);
    }
    if (isa->has_rtc) {
        vmm_rtc_stop(&isa->rtc);
    }
}
