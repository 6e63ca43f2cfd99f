/*
 * A hostile guest, and a hostile stream, at the interrupt controllers, the
 * timer and the real-time clock.
 *
 * The first byte: which section the input begins with (0: none), the rest of
 * it up to what the section takes. Then steps of 4 bytes: what to do, and
 * three bytes for it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz-section.h"
#include "i8254.h"
#include "i8259.h"
#include "mc146818.h"

#define STEP_BYTES 4u
/* More in one go would only show that time passes. */
#define MAX_FIRED 64
#define N_TIMERS (1 + VMM_RTC_TIMERS)
#define PIT_TIMER VMM_RTC_TIMERS

static struct machine {
    struct vmm_i8259 pics;
    struct vmm_i8254 pit;
    struct vmm_rtc rtc;
    struct vmm_bus bus;
    int64_t now;
    int64_t expiries[N_TIMERS];
} machine;

static void on_raised(void *opaque)
{
}

static int64_t get_now(void *opaque)
{
    return machine.now;
}

static void set_pit_timer(void *opaque, int64_t expiry)
{
    machine.expiries[PIT_TIMER] = expiry;
}

static void set_pit_irq(void *opaque, bool high)
{
    vmm_i8259_set_line(&machine.pics, VMM_I8254_IRQ, high);
}

static void set_rtc_timer(void *opaque, enum vmm_rtc_timer timer,
                          int64_t expiry)
{
    machine.expiries[timer] = expiry;
}

static void set_rtc_irq(void *opaque, bool high)
{
    vmm_i8259_set_line(&machine.pics, VMM_RTC_IRQ, high);
}

static const struct vmm_i8259_ops pic_ops = {.raised = on_raised};
static const struct vmm_i8254_ops pit_ops = {
    .now = get_now, .set_timer = set_pit_timer, .set_irq = set_pit_irq};
static const struct vmm_rtc_ops rtc_ops = {
    .now = get_now, .set_timer = set_rtc_timer, .set_irq = set_rtc_irq};

/* What can be saved and loaded: section 1 and following of an input. */
static const struct fuzz_section sections[] = {
    {&vmm_i8259_vmstate, &machine.pics.chips[0]},
    {&vmm_i8259_vmstate, &machine.pics.chips[1]},
    {&vmm_i8254_vmstate, &machine.pit.state},
    {&vmm_rtc_vmstate, &machine.rtc.state},
};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void set_up(void)
{
    struct vmm_bus_space *ports = &machine.bus.ports;

    memset(&machine, 0, sizeof(machine));
    memset(machine.expiries, 0xff, sizeof(machine.expiries));
    vmm_i8259_init(&machine.pics, &pic_ops, NULL);
    vmm_i8254_init(&machine.pit, &pit_ops, NULL);
    vmm_rtc_init(&machine.rtc, &rtc_ops, NULL);
    vmm_bus_init(&machine.bus);
    vmm_bus_add(ports, VMM_I8259_PORT, VMM_I8259_PORTS, &vmm_i8259_bus_ops,
                &machine.pics);
    vmm_bus_add(ports, VMM_I8259_SLAVE_PORT, VMM_I8259_PORTS,
                &vmm_i8259_slave_bus_ops, &machine.pics);
    vmm_bus_add(ports, VMM_I8259_ELCR_PORT, VMM_I8259_CHIPS,
                &vmm_i8259_elcr_bus_ops, &machine.pics);
    vmm_bus_add(ports, VMM_I8254_PORT, VMM_I8254_PORTS, &vmm_i8254_bus_ops,
                &machine.pit);
    vmm_bus_add(ports, VMM_RTC_PORT, VMM_RTC_PORTS, &vmm_rtc_bus_ops,
                &machine.rtc);
}

static void start(void)
{
    vmm_i8259_restart(&machine.pics);
    vmm_i8254_start(&machine.pit);
    vmm_rtc_start(&machine.rtc);
}

static void reset(void)
{
    vmm_i8254_reset(&machine.pit);
    vmm_rtc_reset(&machine.rtc);
    vmm_i8259_reset(&machine.pics);
}

static void fire(size_t timer)
{
    machine.expiries[timer] = GW_TIMER_NOT_ARMED;
    if (timer == PIT_TIMER) {
        vmm_i8254_expired(&machine.pit);
    } else {
        vmm_rtc_expired(&machine.rtc, (enum vmm_rtc_timer)timer);
    }
}

static void pass_time(int64_t ns)
{
    machine.now += ns;
    for (int i = 0; i < MAX_FIRED; i++) {
        size_t timer = (size_t)i % N_TIMERS;

        if (machine.expiries[timer] != GW_TIMER_NOT_ARMED &&
            machine.expiries[timer] <= machine.now) {
            fire(timer);
        }
    }
}

static void access_port(const uint8_t *in)
{
    static const uint16_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1,
                                     0x40, 0x41, 0x42, 0x43, 0x70,  0x71,
                                     0x70, 0x71, 0x40, 0x4d0};
    uint16_t port = ports[in[1] & 15];
    unsigned int size = in[1] & 0x10 ? 2 : 1;

    if (in[1] & 0x80) {
        uint8_t data[2];

        vmm_bus_read(&machine.bus.ports, port, data, size);
    } else {
        vmm_bus_write(&machine.bus.ports, port, in + 2, size);
    }
}

static void step(const uint8_t *in)
{
    switch (in[0] & 7) {
    case 0:
        pass_time((int64_t)(in[1] | in[2] << 8) << (in[3] & 31));
        break;
    case 1:
        vmm_i8259_set_line(&machine.pics, in[1] & 15, in[2] & 1);
        break;
    case 2:
        if (vmm_i8259_intr(&machine.pics)) {
            (void)vmm_i8259_acknowledge(&machine.pics);
        }
        break;
    case 3:
        if (in[2] & 1) {
            reset();
        }
        fuzz_save_and_load(&sections[in[1] % N_SECTIONS]);
        start();
        break;
    default:
        access_port(in);
        break;
    }
    FUZZ_ASSERT(machine.pit.state.channels[0].count >= 1);
    FUZZ_ASSERT(machine.rtc.state.index < VMM_RTC_CMOS_BYTES);
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
    vmm_rtc_deinit(&machine.rtc);
    vmm_i8254_deinit(&machine.pit);
    vmm_i8259_deinit(&machine.pics);
    return 0;
}
