/*
 * The real-time clock of a PC, an MC146818 with 128 bytes of CMOS memory at
 * ports 0x70 and 0x71, interrupt 8: time of day, alarm, an interrupt each
 * second and a periodic one. It shows the host's time in UTC, and it does not
 * stand while the machine is paused.
 */
#ifndef VMM_MC146818_H
#define VMM_MC146818_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct gw_vmstate;

#define VMM_RTC_PORT 0x70u
#define VMM_RTC_PORTS 2u
#define VMM_RTC_IRQ 8u
#define VMM_RTC_CMOS_BYTES 128u

/* Bytes of CMOS memory. */
enum vmm_rtc_register {
    VMM_RTC_SECONDS = 0x00,
    VMM_RTC_SECONDS_ALARM = 0x01,
    VMM_RTC_MINUTES = 0x02,
    VMM_RTC_MINUTES_ALARM = 0x03,
    VMM_RTC_HOURS = 0x04,
    VMM_RTC_HOURS_ALARM = 0x05,
    VMM_RTC_WEEKDAY = 0x06,
    VMM_RTC_DAY = 0x07,
    VMM_RTC_MONTH = 0x08,
    VMM_RTC_YEAR = 0x09,
    VMM_RTC_A = 0x0a,
    VMM_RTC_B = 0x0b,
    VMM_RTC_C = 0x0c,
    VMM_RTC_D = 0x0d,
    VMM_RTC_CENTURY = 0x32,
    /* Another name of the century. */
    VMM_RTC_CENTURY_PS2 = 0x37,
};

/* A: update in progress; divider; rate of the periodic interrupt. */
#define VMM_RTC_A_UIP 0x80u
#define VMM_RTC_A_DIVIDER 0x70u
/* The divider for 32768 Hz; lower ones run too. */
#define VMM_RTC_A_NORMAL 0x20u
#define VMM_RTC_A_RATE 0x0fu
/* B: do not update; enables, as C's flags; binary; 24 hours. */
#define VMM_RTC_B_SET 0x80u
#define VMM_RTC_B_BINARY 0x04u
#define VMM_RTC_B_24H 0x02u
/* C: interrupt; periodic, alarm, update ended. */
#define VMM_RTC_C_IRQ 0x80u
#define VMM_RTC_C_PERIODIC 0x40u
#define VMM_RTC_C_ALARM 0x20u
#define VMM_RTC_C_UPDATE 0x10u

/* A day in the Gregorian calendar, and the time of day. */
struct vmm_rtc_date {
    int64_t year;
    /* From 1; Sunday is day 1 of the week. */
    int month;
    int day;
    int weekday;
    int hour;
    int minute;
    int second;
};

enum vmm_rtc_timer {
    VMM_RTC_PERIODIC,
    VMM_RTC_UPDATE,
    VMM_RTC_TIMERS,
};

/* What moves; see docs/spec/machine.md, 2.10. */
struct vmm_rtc_state {
    uint8_t cmos[VMM_RTC_CMOS_BYTES];
    uint8_t index;
    /* When it expires, by the host's clock, or -1; the last one armed. */
    int64_t periodic_timer;
    int64_t next_periodic_time;
    /* Interrupts that a guest missed: carried, we do not repeat them. */
    uint32_t irq_coalesced;
    uint16_t irq_reinject_on_ack_count;
    /* Ticks of 32768 Hz between periodic interrupts; 0: none. */
    uint32_t period;
    /* Seconds since 1970 that were set, and the host's clock then. */
    uint64_t base_rtc;
    uint64_t last_update;
    /* Nanoseconds of a second that had passed when they were set. */
    int64_t offset;
    int64_t update_timer;
    uint64_t next_alarm_time;
};

/* What the clock needs from outside; called with its lock held. */
struct vmm_rtc_ops {
    /* The host's clock: nanoseconds since 1970, UTC. */
    int64_t (*now)(void *opaque);
    /* Calls vmm_rtc_expired at that time of the host's clock; -1: never. */
    void (*set_timer)(void *opaque, enum vmm_rtc_timer timer, int64_t expiry);
    /* The interrupt line. */
    void (*set_irq)(void *opaque, bool high);
};

struct vmm_rtc {
    /* First member: the pointer the vmstate knows. */
    struct vmm_rtc_state state;
    /* Guards state while the guest runs. */
    pthread_mutex_t lock;
    const struct vmm_rtc_ops *ops;
    void *opaque;
};

extern const struct gw_vmstate vmm_rtc_vmstate;
/* opaque is the struct vmm_rtc. */
extern const struct vmm_bus_ops vmm_rtc_bus_ops;

/* A clock after a reset, at the host's time. */
void vmm_rtc_init(struct vmm_rtc *rtc, const struct vmm_rtc_ops *ops,
                  void *opaque);
void vmm_rtc_deinit(struct vmm_rtc *rtc);

/* No interrupts; time and memory are kept. The machine is paused. */
void vmm_rtc_reset(struct vmm_rtc *rtc);

/* Bytes of CMOS memory that tell firmware of RAM below and above 4 GiB. */
void vmm_rtc_set_memory(struct vmm_rtc *rtc, uint64_t low_bytes,
                        uint64_t high_bytes);

/* The time that was asked for has come. */
void vmm_rtc_expired(struct vmm_rtc *rtc, enum vmm_rtc_timer timer);

/* The machine goes on, maybe with loaded state; it pauses. */
void vmm_rtc_start(struct vmm_rtc *rtc);
void vmm_rtc_stop(struct vmm_rtc *rtc);

/* ---- mc146818.c, for mc146818_registers.c; with the lock held ---- */

/* Neither stopped by B nor held by A; dividers that hold. */
bool vmm_rtc_is_running(const struct vmm_rtc_state *state);
bool vmm_rtc_is_held(uint8_t a);
/* The registers follow the clock, unless B says no; the clock follows them. */
void vmm_rtc_update_shown(struct vmm_rtc *rtc);
void vmm_rtc_set_time(struct vmm_rtc *rtc);
/* Nanoseconds of the second that runs. */
int64_t vmm_rtc_fraction(struct vmm_rtc *rtc);
/* An update comes within 244 us. */
bool vmm_rtc_is_update_near(struct vmm_rtc *rtc);
/* Anything changed that decides when a timer is needed. */
void vmm_rtc_schedule_update(struct vmm_rtc *rtc);
void vmm_rtc_change_period(struct vmm_rtc *rtc);

/* ---- mc146818_date.c: dates, as numbers and as registers show them ---- */

/* Seconds since 1970; of a date that is none, those of some other one. */
int64_t vmm_rtc_seconds(const struct vmm_rtc_date *date);
void vmm_rtc_date(int64_t seconds, struct vmm_rtc_date *ret_date);

/* To and from the registers, in the form that B says. */
void vmm_rtc_show(struct vmm_rtc_state *state, const struct vmm_rtc_date *date);
void vmm_rtc_shown(const struct vmm_rtc_state *state,
                   struct vmm_rtc_date *ret_date);

/* Seconds from the time shown to the next alarm, or 0 if none ever comes. */
int64_t vmm_rtc_seconds_to_alarm(const struct vmm_rtc_state *state);

#endif
