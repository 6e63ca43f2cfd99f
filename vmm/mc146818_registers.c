/*
 * The registers of the real-time clock, behind an index and a data port.
 */
#include "mc146818.h"

#define PORT_INDEX 0
#define INDEX_MASK 0x7fu
/* When held dividers are released the first second is half a one. */
#define RELEASE_NS 500000000
#define C_FLAGS (VMM_RTC_C_PERIODIC | VMM_RTC_C_ALARM | VMM_RTC_C_UPDATE)

static void write_a(struct vmm_rtc *rtc, uint8_t value)
{
    uint8_t *cmos = rtc->state.cmos;
    uint8_t changed = cmos[VMM_RTC_A] ^ value;

    if (vmm_rtc_is_held(value)) {
        if (vmm_rtc_is_running(&rtc->state)) {
            vmm_rtc_update_shown(rtc);
        }
        cmos[VMM_RTC_A] &= (uint8_t)~VMM_RTC_A_UIP;
    } else if (vmm_rtc_is_held(cmos[VMM_RTC_A]) &&
               (value & VMM_RTC_A_DIVIDER) <= VMM_RTC_A_NORMAL) {
        if (!(cmos[VMM_RTC_B] & VMM_RTC_B_SET)) {
            rtc->state.offset = RELEASE_NS;
            vmm_rtc_set_time(rtc);
        }
        cmos[VMM_RTC_A] &= (uint8_t)~VMM_RTC_A_UIP;
    }
    cmos[VMM_RTC_A] =
        (value & (uint8_t)~VMM_RTC_A_UIP) | (cmos[VMM_RTC_A] & VMM_RTC_A_UIP);
    if (changed & VMM_RTC_A_RATE) {
        vmm_rtc_change_period(rtc);
    }
    vmm_rtc_schedule_update(rtc);
}

/* Flags that are set already interrupt as soon as they may. */
static void update_irq(struct vmm_rtc *rtc, uint8_t enables)
{
    uint8_t *c = &rtc->state.cmos[VMM_RTC_C];
    bool high = enables & *c & C_FLAGS;

    *c = high ? *c | VMM_RTC_C_IRQ : *c & (uint8_t)~VMM_RTC_C_IRQ;
    rtc->ops->set_irq(rtc->opaque, high);
}

static void write_b(struct vmm_rtc *rtc, uint8_t value)
{
    uint8_t *cmos = rtc->state.cmos;
    uint8_t changed = cmos[VMM_RTC_B] ^ value;

    if (value & VMM_RTC_B_SET) {
        if (vmm_rtc_is_running(&rtc->state)) {
            vmm_rtc_update_shown(rtc);
        }
        cmos[VMM_RTC_A] &= (uint8_t)~VMM_RTC_A_UIP;
        value &= (uint8_t)~VMM_RTC_C_UPDATE;
    } else if ((cmos[VMM_RTC_B] & VMM_RTC_B_SET) &&
               (cmos[VMM_RTC_A] & VMM_RTC_A_DIVIDER) <= VMM_RTC_A_NORMAL) {
        rtc->state.offset = vmm_rtc_fraction(rtc);
        vmm_rtc_set_time(rtc);
    }
    update_irq(rtc, value);
    cmos[VMM_RTC_B] = value;
    if (changed & VMM_RTC_C_PERIODIC) {
        vmm_rtc_change_period(rtc);
    }
    vmm_rtc_schedule_update(rtc);
}

/* An access by the century's other name leaves the first one behind. */
static uint8_t index_of(struct vmm_rtc_state *s)
{
    if (s->index == VMM_RTC_CENTURY_PS2) {
        s->index = VMM_RTC_CENTURY;
    }
    return s->index;
}

/* What the clock counts; the alarm's registers are in between. */
static bool is_clock(uint8_t index)
{
    switch (index) {
    case VMM_RTC_SECONDS:
    case VMM_RTC_MINUTES:
    case VMM_RTC_HOURS:
    case VMM_RTC_WEEKDAY:
    case VMM_RTC_DAY:
    case VMM_RTC_MONTH:
    case VMM_RTC_YEAR:
    case VMM_RTC_CENTURY:
        return true;
    default:
        return false;
    }
}

static void write_clock(struct vmm_rtc *rtc, uint8_t index, uint8_t value)
{
    rtc->state.cmos[index] = value;
    if (vmm_rtc_is_running(&rtc->state)) {
        vmm_rtc_set_time(rtc);
        vmm_rtc_schedule_update(rtc);
    }
}

static void write_register(struct vmm_rtc *rtc, uint8_t value)
{
    struct vmm_rtc_state *s = &rtc->state;
    uint8_t index = index_of(s);

    if (is_clock(index)) {
        write_clock(rtc, index, value);
        return;
    }
    switch (index) {
    case VMM_RTC_SECONDS_ALARM:
    case VMM_RTC_MINUTES_ALARM:
    case VMM_RTC_HOURS_ALARM:
        s->cmos[index] = value;
        vmm_rtc_schedule_update(rtc);
        break;
    case VMM_RTC_A:
        write_a(rtc, value);
        break;
    case VMM_RTC_B:
        write_b(rtc, value);
        break;
    case VMM_RTC_C:
    case VMM_RTC_D:
        break;
    default:
        s->cmos[index] = value;
        break;
    }
}

/* Reading C takes its flags. */
static uint8_t read_c(struct vmm_rtc *rtc)
{
    uint8_t flags = rtc->state.cmos[VMM_RTC_C];

    rtc->ops->set_irq(rtc->opaque, false);
    rtc->state.cmos[VMM_RTC_C] = 0;
    if (flags & (VMM_RTC_C_UPDATE | VMM_RTC_C_ALARM)) {
        vmm_rtc_schedule_update(rtc);
    }
    return flags;
}

static uint8_t read_a(struct vmm_rtc *rtc)
{
    uint8_t *a = &rtc->state.cmos[VMM_RTC_A];

    *a = vmm_rtc_is_update_near(rtc) ? *a | VMM_RTC_A_UIP
                                     : *a & (uint8_t)~VMM_RTC_A_UIP;
    return *a;
}

static uint8_t read_register(struct vmm_rtc *rtc)
{
    uint8_t index = index_of(&rtc->state);

    if (index == VMM_RTC_A) {
        return read_a(rtc);
    }
    if (index == VMM_RTC_C) {
        return read_c(rtc);
    }
    if (is_clock(index) && vmm_rtc_is_running(&rtc->state)) {
        vmm_rtc_update_shown(rtc);
    }
    return rtc->state.cmos[index];
}

/* The index cannot be read. */
static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_rtc *rtc = opaque;
    uint64_t value = 0;

    pthread_mutex_lock(&rtc->lock);
    for (unsigned int i = 0; i < size; i++) {
        uint8_t byte =
            offset + i == PORT_INDEX ? UINT8_MAX : read_register(rtc);

        value |= (uint64_t)byte << (8 * i);
    }
    pthread_mutex_unlock(&rtc->lock);
    return value;
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_rtc *rtc = opaque;

    pthread_mutex_lock(&rtc->lock);
    for (unsigned int i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        if (offset + i == PORT_INDEX) {
            rtc->state.index = byte & INDEX_MASK;
        } else {
            write_register(rtc, byte);
        }
    }
    pthread_mutex_unlock(&rtc->lock);
}

const struct vmm_bus_ops vmm_rtc_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};
