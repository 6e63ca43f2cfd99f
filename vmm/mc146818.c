/*
 * The time, interrupts and when they come, after the data sheet of the
 * MC146818; what it leaves open is as QEMU has it.
 *
 * Nothing counts: the time is computed from the host's clock when somebody
 * looks. A timer runs to the end of the second only while a flag of C can
 * change then.
 */
#include "mc146818.h"

#include <string.h>

#include <godwit/vmstate.h>

#include "util.h"

#define NS_PER_S 1000000000
#define TICKS_PER_S 32768
/* UIP is set for the last 244 us before an update: eight ticks. */
#define UIP_NS (8 * (int64_t)NS_PER_S / TICKS_PER_S)
/* These two bits of A hold the dividers in reset. */
#define DIVIDER_HELD 0x60u
#define A_AFTER_RESET 0x26u
/* The battery is good. */
#define D_VALID 0x80u
/* What a reset clears of B: periodic, alarm, square wave. */
#define B_INTERRUPTS (VMM_RTC_C_PERIODIC | VMM_RTC_C_ALARM | 0x08u)
/* A periodic timer that is later begins anew. */
#define LATE_NS NS_PER_S

/* Sizes of memory, low byte first. */
#define CMOS_BASE_KIB 0x15
#define CMOS_EXTENDED_KIB 0x17
#define CMOS_EXTENDED_KIB_2 0x30
#define CMOS_ABOVE_16M 0x34
#define CMOS_ABOVE_4G 0x5b
#define BASE_KIB 640u

static int64_t now(struct vmm_rtc *rtc)
{
    return rtc->ops->now(rtc->opaque);
}

/* ---- the time ---- */

/* Seconds since 1970, and nanoseconds of the one that runs. */
static int64_t guest_time(struct vmm_rtc *rtc, int64_t *ret_ns)
{
    const struct vmm_rtc_state *s = &rtc->state;
    __int128 ns = (__int128)(int64_t)s->base_rtc * NS_PER_S +
                  (int64_t)((uint64_t)now(rtc) - s->last_update) + s->offset;
    __int128 seconds = ns / NS_PER_S - (ns % NS_PER_S < 0);

    *ret_ns = (int64_t)(ns - seconds * NS_PER_S);
    return (int64_t)seconds;
}

int64_t vmm_rtc_fraction(struct vmm_rtc *rtc)
{
    int64_t ns;

    (void)guest_time(rtc, &ns);
    return ns;
}

bool vmm_rtc_is_running(const struct vmm_rtc_state *s)
{
    return !(s->cmos[VMM_RTC_B] & VMM_RTC_B_SET) &&
           (s->cmos[VMM_RTC_A] & VMM_RTC_A_DIVIDER) <= VMM_RTC_A_NORMAL;
}

bool vmm_rtc_is_held(uint8_t a)
{
    return (a & DIVIDER_HELD) == DIVIDER_HELD;
}

/* The registers follow the clock. */
void vmm_rtc_update_shown(struct vmm_rtc *rtc)
{
    struct vmm_rtc_date date;
    int64_t ns;

    if (rtc->state.cmos[VMM_RTC_B] & VMM_RTC_B_SET) {
        return;
    }
    vmm_rtc_date(guest_time(rtc, &ns), &date);
    vmm_rtc_show(&rtc->state, &date);
}

/* The clock follows the registers. */
void vmm_rtc_set_time(struct vmm_rtc *rtc)
{
    struct vmm_rtc_date date;

    vmm_rtc_shown(&rtc->state, &date);
    rtc->state.base_rtc = (uint64_t)vmm_rtc_seconds(&date);
    rtc->state.last_update = (uint64_t)now(rtc);
}

bool vmm_rtc_is_update_near(struct vmm_rtc *rtc)
{
    const struct vmm_rtc_state *s = &rtc->state;

    if (!vmm_rtc_is_running(s)) {
        return false;
    }
    return (s->update_timer != GW_TIMER_NOT_ARMED &&
            now(rtc) >= vmm_wrapping_sub(s->update_timer, UIP_NS)) ||
           vmm_rtc_fraction(rtc) >= NS_PER_S - UIP_NS;
}

/* ---- what comes ---- */

static void arm(struct vmm_rtc *rtc, enum vmm_rtc_timer timer, int64_t expiry)
{
    if (timer == VMM_RTC_PERIODIC) {
        rtc->state.periodic_timer = expiry;
    } else {
        rtc->state.update_timer = expiry;
    }
    rtc->ops->set_timer(rtc->opaque, timer, expiry);
}

/* The end of the second, or the alarm if nothing but its flag can change. */
void vmm_rtc_schedule_update(struct vmm_rtc *rtc)
{
    struct vmm_rtc_state *s = &rtc->state;
    uint8_t c = s->cmos[VMM_RTC_C];
    int64_t next, to_alarm;

    if (vmm_rtc_is_held(s->cmos[VMM_RTC_A])) {
        arm(rtc, VMM_RTC_UPDATE, GW_TIMER_NOT_ARMED);
        return;
    }
    next = vmm_wrapping_add(now(rtc), NS_PER_S - vmm_rtc_fraction(rtc));
    vmm_rtc_update_shown(rtc);
    to_alarm = vmm_rtc_seconds_to_alarm(s);
    s->next_alarm_time =
        to_alarm > 0
            ? (uint64_t)vmm_wrapping_add(next, (to_alarm - 1) * NS_PER_S)
            : INT64_MAX;
    if (!(s->cmos[VMM_RTC_A] & VMM_RTC_A_UIP) && (c & VMM_RTC_C_UPDATE)) {
        bool stands = (s->cmos[VMM_RTC_B] & VMM_RTC_B_SET) ||
                      (c & VMM_RTC_C_ALARM) || to_alarm == 0;

        next = stands ? GW_TIMER_NOT_ARMED : (int64_t)s->next_alarm_time;
    }
    arm(rtc, VMM_RTC_UPDATE, next);
}

/* Ticks between periodic interrupts. */
static uint32_t wanted_period(const struct vmm_rtc_state *s)
{
    unsigned int rate = s->cmos[VMM_RTC_A] & VMM_RTC_A_RATE;

    if (!(s->cmos[VMM_RTC_B] & VMM_RTC_C_PERIODIC) || rate == 0) {
        return 0;
    }
    /* The two highest rates are those of 8 and 9 once more. */
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

/* The next one, so many ticks from then. */
static void schedule_periodic(struct vmm_rtc *rtc, int64_t from, int64_t n)
{
    int64_t tick = vmm_scale(from, TICKS_PER_S, NS_PER_S);
    int64_t next = vmm_wrapping_add(
        vmm_scale(vmm_wrapping_add(tick, n), NS_PER_S, TICKS_PER_S), 1);

    rtc->state.next_periodic_time = next;
    arm(rtc, VMM_RTC_PERIODIC, next < 0 ? GW_TIMER_NOT_ARMED : next);
}

/* Enable or rate changed: what has passed of the old period counts. */
void vmm_rtc_change_period(struct vmm_rtc *rtc)
{
    struct vmm_rtc_state *s = &rtc->state;
    int64_t old = s->period;
    int64_t period = wanted_period(s);
    int64_t passed = 0;

    s->period = (uint32_t)period;
    if (period == 0) {
        s->irq_coalesced = 0;
        arm(rtc, VMM_RTC_PERIODIC, GW_TIMER_NOT_ARMED);
        return;
    }
    if (old > 0) {
        int64_t due = vmm_scale(s->next_periodic_time, TICKS_PER_S, NS_PER_S);

        passed = vmm_scale(now(rtc), TICKS_PER_S, NS_PER_S) - (due - old);
    }
    if (passed < 0 || passed > period) {
        passed = passed < 0 ? 0 : period;
    }
    schedule_periodic(rtc, now(rtc), period - passed);
}

static void end_update(struct vmm_rtc *rtc)
{
    struct vmm_rtc_state *s = &rtc->state;
    uint8_t *cmos = s->cmos;
    uint8_t flags = VMM_RTC_C_UPDATE;
    uint8_t fresh;

    vmm_rtc_update_shown(rtc);
    cmos[VMM_RTC_A] &= (uint8_t)~VMM_RTC_A_UIP;
    if ((uint64_t)now(rtc) >= s->next_alarm_time) {
        flags |= VMM_RTC_C_ALARM;
    }
    fresh = flags & (uint8_t)~cmos[VMM_RTC_C];
    cmos[VMM_RTC_C] |= flags;
    if (fresh & cmos[VMM_RTC_B]) {
        cmos[VMM_RTC_C] |= VMM_RTC_C_IRQ;
        rtc->ops->set_irq(rtc->opaque, true);
    }
    vmm_rtc_schedule_update(rtc);
}

static void end_period(struct vmm_rtc *rtc)
{
    struct vmm_rtc_state *s = &rtc->state;
    int64_t due = s->next_periodic_time;
    int64_t late = vmm_wrapping_sub(now(rtc), due);
    int64_t period = wanted_period(s);

    s->period = (uint32_t)period;
    if (period > 0) {
        schedule_periodic(rtc, late < 0 || late > LATE_NS ? now(rtc) : due,
                          period);
    }
    s->cmos[VMM_RTC_C] |= VMM_RTC_C_PERIODIC;
    if (s->cmos[VMM_RTC_B] & VMM_RTC_C_PERIODIC) {
        s->cmos[VMM_RTC_C] |= VMM_RTC_C_IRQ;
        rtc->ops->set_irq(rtc->opaque, true);
    }
}

void vmm_rtc_expired(struct vmm_rtc *rtc, enum vmm_rtc_timer timer)
{
    struct vmm_rtc_state *s = &rtc->state;
    int64_t *due =
        timer == VMM_RTC_PERIODIC ? &s->periodic_timer : &s->update_timer;

    pthread_mutex_lock(&rtc->lock);
    if (*due != GW_TIMER_NOT_ARMED && *due <= now(rtc)) {
        *due = GW_TIMER_NOT_ARMED;
        if (timer == VMM_RTC_PERIODIC) {
            end_period(rtc);
        } else if (!vmm_rtc_is_held(s->cmos[VMM_RTC_A])) {
            end_update(rtc);
        }
    }
    pthread_mutex_unlock(&rtc->lock);
}

/* ---- the object ---- */

void vmm_rtc_init(struct vmm_rtc *rtc, const struct vmm_rtc_ops *ops,
                  void *opaque)
{
    struct vmm_rtc_state *s = &rtc->state;

    memset(rtc, 0, sizeof(*rtc));
    pthread_mutex_init(&rtc->lock, NULL);
    rtc->ops = ops;
    rtc->opaque = opaque;
    s->cmos[VMM_RTC_A] = A_AFTER_RESET;
    s->cmos[VMM_RTC_B] = VMM_RTC_B_24H;
    s->cmos[VMM_RTC_D] = D_VALID;
    s->base_rtc = (uint64_t)(now(rtc) / NS_PER_S);
    s->last_update = s->base_rtc * NS_PER_S;
    s->periodic_timer = GW_TIMER_NOT_ARMED;
    vmm_rtc_schedule_update(rtc);
}

void vmm_rtc_reset(struct vmm_rtc *rtc)
{
    uint8_t *cmos = rtc->state.cmos;

    pthread_mutex_lock(&rtc->lock);
    cmos[VMM_RTC_B] &= (uint8_t)~B_INTERRUPTS;
    cmos[VMM_RTC_C] = 0;
    rtc->ops->set_irq(rtc->opaque, false);
    vmm_rtc_change_period(rtc);
    vmm_rtc_schedule_update(rtc);
    pthread_mutex_unlock(&rtc->lock);
}

void vmm_rtc_deinit(struct vmm_rtc *rtc)
{
    pthread_mutex_destroy(&rtc->lock);
}

static uint16_t at_most_16_bits(uint64_t n)
{
    return (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
}

static uint64_t above(uint64_t bytes, uint64_t start)
{
    return bytes > start ? bytes - start : 0;
}

void vmm_rtc_set_memory(struct vmm_rtc *rtc, uint64_t low_bytes,
                        uint64_t high_bytes)
{
    uint8_t *cmos = rtc->state.cmos;
    uint16_t extended = at_most_16_bits(above(low_bytes, 1u << 20) >> 10);

    vmm_put_le16(cmos + CMOS_BASE_KIB, BASE_KIB);
    vmm_put_le16(cmos + CMOS_EXTENDED_KIB, extended);
    vmm_put_le16(cmos + CMOS_EXTENDED_KIB_2, extended);
    vmm_put_le16(cmos + CMOS_ABOVE_16M,
                 at_most_16_bits(above(low_bytes, 16u << 20) >> 16));
    vmm_put_le16(cmos + CMOS_ABOVE_4G, (uint16_t)(high_bytes >> 16));
    cmos[CMOS_ABOVE_4G + 2] = (uint8_t)(high_bytes >> 32);
}

/*
 * A timer that is due fires at once. One that lies ahead is set again: this
 * host's clock may not be that of the host where it was set.
 */
void vmm_rtc_start(struct vmm_rtc *rtc)
{
    struct vmm_rtc_state *s = &rtc->state;
    int64_t at = now(rtc);

    pthread_mutex_lock(&rtc->lock);
    if (s->update_timer > at) {
        vmm_rtc_schedule_update(rtc);
    } else {
        arm(rtc, VMM_RTC_UPDATE, s->update_timer);
    }
    if (s->periodic_timer != GW_TIMER_NOT_ARMED && s->periodic_timer > at) {
        vmm_rtc_change_period(rtc);
    } else {
        arm(rtc, VMM_RTC_PERIODIC, s->periodic_timer);
    }
    pthread_mutex_unlock(&rtc->lock);
}

/* What is saved is the time now. */
void vmm_rtc_stop(struct vmm_rtc *rtc)
{
    pthread_mutex_lock(&rtc->lock);
    if (vmm_rtc_is_running(&rtc->state)) {
        vmm_rtc_update_shown(rtc);
    }
    pthread_mutex_unlock(&rtc->lock);
}
