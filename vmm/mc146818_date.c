/*
 * The calendar, and how its numbers lie in CMOS memory: binary or decimal
 * digits, 12 or 24 hours.
 */
#include "mc146818.h"

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_DAY 86400
#define DAYS_PER_WEEK 7
/* The calendar repeats itself after 400 years. */
#define YEARS_PER_ERA 400
#define DAYS_PER_ERA 146097
/* From 1 March of year 0 to 1970, which was a Thursday. */
#define EPOCH_DAYS 719468
#define EPOCH_WEEKDAY 4
/* The afternoon, with 12 hours; an alarm at any value. */
#define AFTERNOON 0x80u
#define DONT_CARE 0xc0u
#define ANY (-1)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Without a product, which the first day of all would not fit. */
static int floor_mod(int64_t a, int b)
{
    int rest = (int)(a % b);

    return rest < 0 ? rest + b : rest;
}

/* Days since 1970; years begin in March, so that a leap day is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t months = year * 12 + month - 3;
    int64_t march_year = floor_div(months, 12);
    int64_t march_month = months - march_year * 12;
    int64_t era = floor_div(march_year, YEARS_PER_ERA);
    int64_t in_era = march_year - era * YEARS_PER_ERA;

    return era * DAYS_PER_ERA + in_era * 365 + in_era / 4 - in_era / 100 +
           (153 * march_month + 2) / 5 + day - 1 - EPOCH_DAYS;
}

int64_t vmm_rtc_seconds(const struct vmm_rtc_date *date)
{
    return days_of(date->year, date->month, date->day) * SECONDS_PER_DAY +
           date->hour * SECONDS_PER_HOUR + date->minute * SECONDS_PER_MINUTE +
           date->second;
}

static void date_of(int64_t days, struct vmm_rtc_date *date)
{
    int64_t since = days + EPOCH_DAYS;
    int64_t era = floor_div(since, DAYS_PER_ERA);
    int64_t day = since - era * DAYS_PER_ERA;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    date->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    date->month = (int)(month < 10 ? month + 3 : month - 9);
    date->year = year + era * YEARS_PER_ERA + (date->month <= 2);
    date->weekday = floor_mod(days + EPOCH_WEEKDAY, DAYS_PER_WEEK) + 1;
}

void vmm_rtc_date(int64_t seconds, struct vmm_rtc_date *ret_date)
{
    int64_t days = floor_div(seconds, SECONDS_PER_DAY);
    int rest = floor_mod(seconds, SECONDS_PER_DAY);

    date_of(days, ret_date);
    ret_date->hour = rest / SECONDS_PER_HOUR;
    ret_date->minute = rest / SECONDS_PER_MINUTE % 60;
    ret_date->second = rest % SECONDS_PER_MINUTE;
}

static uint8_t to_register(const struct vmm_rtc_state *state, int64_t number)
{
    unsigned int n = (unsigned int)(number % 100);

    return (uint8_t)(state->cmos[VMM_RTC_B] & VMM_RTC_B_BINARY
                         ? n
                         : n / 10 << 4 | n % 10);
}

static int from_register(const struct vmm_rtc_state *state, uint8_t value)
{
    return state->cmos[VMM_RTC_B] & VMM_RTC_B_BINARY
               ? value
               : (value >> 4) * 10 + (value & 0xf);
}

static uint8_t hour_to_register(const struct vmm_rtc_state *state, int hour)
{
    if (state->cmos[VMM_RTC_B] & VMM_RTC_B_24H) {
        return to_register(state, hour);
    }
    return (uint8_t)(to_register(state, hour % 12 ? hour % 12 : 12) |
                     (hour >= 12 ? AFTERNOON : 0));
}

static int hour_from_register(const struct vmm_rtc_state *state, uint8_t value)
{
    if (state->cmos[VMM_RTC_B] & VMM_RTC_B_24H) {
        return from_register(state, value);
    }
    return from_register(state, (uint8_t)(value & ~AFTERNOON)) % 12 +
           (value & AFTERNOON ? 12 : 0);
}

void vmm_rtc_show(struct vmm_rtc_state *state, const struct vmm_rtc_date *date)
{
    uint8_t *cmos = state->cmos;

    cmos[VMM_RTC_SECONDS] = to_register(state, date->second);
    cmos[VMM_RTC_MINUTES] = to_register(state, date->minute);
    cmos[VMM_RTC_HOURS] = hour_to_register(state, date->hour);
    cmos[VMM_RTC_WEEKDAY] = to_register(state, date->weekday);
    cmos[VMM_RTC_DAY] = to_register(state, date->day);
    cmos[VMM_RTC_MONTH] = to_register(state, date->month);
    cmos[VMM_RTC_YEAR] = to_register(state, date->year);
    cmos[VMM_RTC_CENTURY] = to_register(state, date->year / 100);
}

void vmm_rtc_shown(const struct vmm_rtc_state *state,
                   struct vmm_rtc_date *ret_date)
{
    const uint8_t *cmos = state->cmos;

    *ret_date = (struct vmm_rtc_date){
        .second = from_register(state, cmos[VMM_RTC_SECONDS]),
        .minute = from_register(state, cmos[VMM_RTC_MINUTES]),
        .hour = hour_from_register(state, cmos[VMM_RTC_HOURS]),
        .weekday = from_register(state, cmos[VMM_RTC_WEEKDAY]),
        .day = from_register(state, cmos[VMM_RTC_DAY]),
        .month = from_register(state, cmos[VMM_RTC_MONTH]),
        .year = from_register(state, cmos[VMM_RTC_CENTURY]) * 100 +
                from_register(state, cmos[VMM_RTC_YEAR]),
    };
}

/* A time of day; a part may be ANY. */
struct alarm {
    int hour;
    int minute;
    int second;
};

static struct alarm get_alarm(const struct vmm_rtc_state *state)
{
    uint8_t hour = state->cmos[VMM_RTC_HOURS_ALARM];
    uint8_t minute = state->cmos[VMM_RTC_MINUTES_ALARM];
    uint8_t second = state->cmos[VMM_RTC_SECONDS_ALARM];

    return (struct alarm){
        .hour = hour >= DONT_CARE ? ANY : hour_from_register(state, hour),
        .minute = minute >= DONT_CARE ? ANY : from_register(state, minute),
        .second = second >= DONT_CARE ? ANY : from_register(state, second),
    };
}

static bool matches(int alarm, int64_t value)
{
    return alarm == ANY || alarm == value;
}

/* Steps over hours, minutes and seconds that do not match. */
int64_t vmm_rtc_seconds_to_alarm(const struct vmm_rtc_state *state)
{
    struct alarm alarm = get_alarm(state);
    struct vmm_rtc_date shown;
    int64_t from, at;

    if (alarm.hour > 23 || alarm.minute > 59 || alarm.second > 59) {
        return 0;
    }
    vmm_rtc_shown(state, &shown);
    from = shown.hour * SECONDS_PER_HOUR + shown.minute * SECONDS_PER_MINUTE +
           shown.second;
    for (at = from + 1; at <= from + SECONDS_PER_DAY;) {
        if (!matches(alarm.hour, at / SECONDS_PER_HOUR % 24)) {
            at += SECONDS_PER_HOUR - at % SECONDS_PER_HOUR;
        } else if (!matches(alarm.minute, at / SECONDS_PER_MINUTE % 60)) {
            at += SECONDS_PER_MINUTE - at % SECONDS_PER_MINUTE;
        } else if (!matches(alarm.second, at % SECONDS_PER_MINUTE)) {
            at +=
                (alarm.second - at % SECONDS_PER_MINUTE + SECONDS_PER_MINUTE) %
                SECONDS_PER_MINUTE;
        } else {
            return at - from;
        }
    }
    return 0;
}
