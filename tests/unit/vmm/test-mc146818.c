/*
 * The real-time clock: dates, and what the transcript of QEMU
 * (test-isa-transcript) does not show.
 */
#include "mc146818.h"

#include "vmstate-helpers.h"

#include <time.h>

#define NS INT64_C(1000000000)
#define SECTION_BYTES 245
/* 2024-02-29 23:59:58 UTC. */
#define LEAP_DAY INT64_C(1709251198)

struct bench {
    struct vmm_rtc rtc;
    struct vmm_bus bus;
    int64_t now;
    int64_t expiries[VMM_RTC_TIMERS];
    bool high;
    unsigned int n_edges;
};

static int64_t get_now(void *opaque)
{
    const struct bench *bench = opaque;

    return bench->now;
}

static void set_timer(void *opaque, enum vmm_rtc_timer timer, int64_t expiry)
{
    struct bench *bench = opaque;

    bench->expiries[timer] = expiry;
}

static void set_irq(void *opaque, bool high)
{
    struct bench *bench = opaque;

    bench->n_edges += high && !bench->high;
    bench->high = high;
}

static const struct vmm_rtc_ops ops = {
    .now = get_now, .set_timer = set_timer, .set_irq = set_irq};

static void set_up(struct bench *bench, int64_t now)
{
    *bench = (struct bench){.now = now};
    vmm_rtc_init(&bench->rtc, &ops, bench);
    vmm_bus_init(&bench->bus);
    vmm_bus_add(&bench->bus.ports, VMM_RTC_PORT, VMM_RTC_PORTS,
                &vmm_rtc_bus_ops, &bench->rtc);
    vmm_rtc_start(&bench->rtc);
}

static uint8_t get(struct bench *bench, uint8_t index)
{
    uint8_t value;

    vmm_bus_write(&bench->bus.ports, VMM_RTC_PORT, &index, 1);
    vmm_bus_read(&bench->bus.ports, VMM_RTC_PORT + 1, &value, 1);
    return value;
}

static void set(struct bench *bench, uint8_t index, uint8_t value)
{
    vmm_bus_write(&bench->bus.ports, VMM_RTC_PORT, &index, 1);
    vmm_bus_write(&bench->bus.ports, VMM_RTC_PORT + 1, &value, 1);
}

/* Fires what is due until then. */
static void pass_time(struct bench *bench, int64_t until)
{
    for (;;) {
        int next = -1;

        for (int i = 0; i < VMM_RTC_TIMERS; i++) {
            if (bench->expiries[i] != GW_TIMER_NOT_ARMED &&
                bench->expiries[i] <= until &&
                (next < 0 || bench->expiries[i] < bench->expiries[next])) {
                next = i;
            }
        }
        if (next < 0) {
            bench->now = until;
            return;
        }
        bench->now = bench->expiries[next];
        bench->expiries[next] = GW_TIMER_NOT_ARMED;
        vmm_rtc_expired(&bench->rtc, (enum vmm_rtc_timer)next);
    }
}

/* The rest: month, day, day of the week, hour, minute, second. */
static void expect_date(const struct vmm_rtc_date *date, int64_t year,
                        const int rest[6])
{
    assert_int_equal(date->year, year);
    assert_int_equal(date->month, rest[0]);
    assert_int_equal(date->day, rest[1]);
    assert_int_equal(date->weekday, rest[2]);
    assert_int_equal(date->hour, rest[3]);
    assert_int_equal(date->minute, rest[4]);
    assert_int_equal(date->second, rest[5]);
}

/* Each 12 hours and some, over more than a whole era. */
static void test_rtc__dates_are_those_of_the_c_library(void **state)
{
    for (time_t at = -INT64_C(5000000000); at < INT64_C(15000000000);
         at += 43210 * 7) {
        struct vmm_rtc_date date;
        struct tm tm;

        assert_non_null(gmtime_r(&at, &tm));
        vmm_rtc_date(at, &date);
        expect_date(&date, tm.tm_year + INT64_C(1900),
                    (int[]){tm.tm_mon + 1, tm.tm_mday, tm.tm_wday + 1,
                            tm.tm_hour, tm.tm_min, tm.tm_sec});
        assert_int_equal(vmm_rtc_seconds(&date), at);
    }
}

/* A stream may bring any time: the last and the first of 64 bits. */
static void test_rtc__dates_at_the_ends_of_time(void **state)
{
    struct vmm_rtc_date date;

    vmm_rtc_date(INT64_MAX, &date);
    expect_date(&date, INT64_C(292277026596), (int[]){12, 4, 1, 15, 30, 7});
    vmm_rtc_date(INT64_MIN, &date);
    expect_date(&date, INT64_C(-292277022657), (int[]){1, 27, 1, 8, 29, 52});
}

/* Captured: `-rtc base=2024-02-29T23:59:58`, `-m 128` (data/README.md). */
static void test_rtc__begins_like_qemus(void **state)
{
    static const uint8_t begin[14] = {0x58, 0, 0x59, 0,    0x23, 0, 0x05,
                                      0x29, 2, 0x24, 0x26, 0x02, 0, 0x80};
    struct bench bench;
    const uint8_t *cmos = bench.rtc.state.cmos;

    set_up(&bench, LEAP_DAY * NS + NS / 4);
    vmm_rtc_set_memory(&bench.rtc, 128u << 20, 0);
    assert_memory_equal(cmos, begin, sizeof(begin));
    assert_memory_equal(cmos + 0x15, "\x80\x02\xff\xff", 4);
    assert_memory_equal(cmos + 0x30, "\xff\xff\x20\x00\x00\x07", 6);
    assert_int_equal(bench.rtc.state.base_rtc, LEAP_DAY);
    /* To the next second of the host. */
    assert_int_equal(bench.rtc.state.update_timer, (LEAP_DAY + 1) * NS);
    pass_time(&bench, (LEAP_DAY + 2) * NS);
    assert_int_equal(get(&bench, VMM_RTC_MONTH), 0x03);
    assert_int_equal(get(&bench, VMM_RTC_DAY), 0x01);
    assert_int_equal(get(&bench, VMM_RTC_CENTURY_PS2), 0x20);
    vmm_rtc_deinit(&bench.rtc);
}

/* Captured with `-m 2`, `-m 20`, `-m 1000` and `-m 4100`. */
static void test_rtc__tells_of_memory_as_qemus(void **state)
{
    static const struct {
        uint64_t low;
        uint64_t high;
        uint8_t extended[2];
        uint8_t above_16m[2];
        uint8_t above_4g[3];
    } cases[] = {
        {2u << 20, 0, {0x00, 0x04}, {0, 0}, {0, 0, 0}},
        {20u << 20, 0, {0x00, 0x4c}, {0x40, 0}, {0, 0, 0}},
        {1000u << 20, 0, {0xff, 0xff}, {0x80, 0x3d}, {0, 0, 0}},
        {3072ull << 20,
         1028ull << 20,
         {0xff, 0xff},
         {0x00, 0xbf},
         {0x40, 0x40, 0}},
    };

    for (size_t i = 0; i < 4; i++) {
        struct bench bench;
        const uint8_t *cmos = bench.rtc.state.cmos;

        set_up(&bench, 0);
        vmm_rtc_set_memory(&bench.rtc, cases[i].low, cases[i].high);
        assert_memory_equal(cmos + 0x15, "\x80\x02", 2);
        assert_memory_equal(cmos + 0x17, cases[i].extended, 2);
        assert_memory_equal(cmos + 0x30, cases[i].extended, 2);
        assert_memory_equal(cmos + 0x34, cases[i].above_16m, 2);
        assert_memory_equal(cmos + 0x5b, cases[i].above_4g, 3);
        vmm_rtc_deinit(&bench.rtc);
    }
}

/* 1000000 s is a Monday, 13:46:40. */
static void test_rtc__twelve_hours(void **state)
{
    struct bench bench;

    set_up(&bench, 1000000 * NS);
    set(&bench, VMM_RTC_B, 0);
    assert_int_equal(get(&bench, VMM_RTC_HOURS), 0x81);
    set(&bench, VMM_RTC_B, VMM_RTC_B_BINARY | VMM_RTC_C_ALARM);
    assert_int_equal(get(&bench, VMM_RTC_HOURS), 0x81);
    assert_int_equal(get(&bench, VMM_RTC_MINUTES), 46);
    set(&bench, VMM_RTC_HOURS_ALARM, 0x80 | 2);
    set(&bench, VMM_RTC_MINUTES_ALARM, 0);
    set(&bench, VMM_RTC_SECONDS_ALARM, 5);
    /* 14:00:05 is 805 s later. */
    pass_time(&bench, 1000804 * NS);
    assert_int_equal(bench.n_edges, 0);
    pass_time(&bench, 1000805 * NS);
    assert_int_equal(bench.n_edges, 1);
    assert_int_equal(get(&bench, VMM_RTC_C) & 0xa0, 0xa0);
    assert_false(bench.high);
    vmm_rtc_deinit(&bench.rtc);
}

static void test_rtc__an_alarm_that_never_comes(void **state)
{
    struct bench bench;

    set_up(&bench, 1000000 * NS);
    set(&bench, VMM_RTC_B, VMM_RTC_B_24H | VMM_RTC_C_ALARM);
    set(&bench, VMM_RTC_MINUTES_ALARM, 0x61);
    pass_time(&bench, 1200000 * NS);
    assert_int_equal(bench.n_edges, 0);
    assert_int_equal(get(&bench, VMM_RTC_C), VMM_RTC_C_UPDATE);
    vmm_rtc_deinit(&bench.rtc);
}

static void test_rtc__interrupts_each_second(void **state)
{
    struct bench bench;

    set_up(&bench, LEAP_DAY * NS);
    set(&bench, VMM_RTC_B, VMM_RTC_B_24H | VMM_RTC_C_UPDATE);
    for (int64_t i = 1; i <= 5; i++) {
        pass_time(&bench, (LEAP_DAY + i) * NS);
        assert_int_equal(bench.n_edges, i);
        assert_int_equal(get(&bench, VMM_RTC_C) & 0x90, 0x90);
    }
    vmm_rtc_deinit(&bench.rtc);
}

/* Rate 6: 1024 Hz. */
static void test_rtc__periodic_interrupts(void **state)
{
    struct bench bench;
    unsigned int n = 0;

    set_up(&bench, LEAP_DAY * NS);
    set(&bench, VMM_RTC_B, VMM_RTC_B_24H | VMM_RTC_C_PERIODIC);
    for (int64_t ms = 1; ms <= 1001; ms++) {
        pass_time(&bench, LEAP_DAY * NS + ms * 1000000);
        n += (get(&bench, VMM_RTC_C) & 0xc0) == 0xc0;
    }
    /* 1025 in 1001 ms, some of them two in one millisecond. */
    assert_in_range(bench.n_edges, 1000, 1025);
    assert_in_range(n, 975, 1001);
    vmm_rtc_deinit(&bench.rtc);
}

static void test_rtc__update_in_progress(void **state)
{
    struct bench bench;

    set_up(&bench, LEAP_DAY * NS);
    pass_time(&bench, LEAP_DAY * NS + NS - 300000);
    assert_int_equal(get(&bench, VMM_RTC_A), 0x26);
    pass_time(&bench, LEAP_DAY * NS + NS - 200000);
    assert_int_equal(get(&bench, VMM_RTC_A), 0xa6);
    pass_time(&bench, LEAP_DAY * NS + NS);
    assert_int_equal(get(&bench, VMM_RTC_A), 0x26);
    vmm_rtc_deinit(&bench.rtc);
}

/* Time, alarm and memory stay, interrupts do not. */
static void test_rtc__reset(void **state)
{
    struct bench bench;

    set_up(&bench, LEAP_DAY * NS);
    set(&bench, VMM_RTC_B, VMM_RTC_B_24H | 0x20 | 0x40);
    set(&bench, VMM_RTC_HOURS_ALARM, 0x17);
    set(&bench, 0x40, 0x5a);
    pass_time(&bench, (LEAP_DAY + 1) * NS);
    assert_true(bench.high);
    vmm_rtc_reset(&bench.rtc);
    assert_false(bench.high);
    assert_int_equal(bench.expiries[VMM_RTC_PERIODIC], GW_TIMER_NOT_ARMED);
    assert_int_equal(get(&bench, VMM_RTC_B), VMM_RTC_B_24H);
    assert_int_equal(get(&bench, VMM_RTC_C), 0);
    assert_int_equal(get(&bench, VMM_RTC_HOURS_ALARM), 0x17);
    assert_int_equal(get(&bench, 0x40), 0x5a);
    assert_int_equal(get(&bench, VMM_RTC_SECONDS), 0x59);
    vmm_rtc_deinit(&bench.rtc);
}

static void save(struct bench *bench, struct gw_buffer *out)
{
    assert_int_equal(
        gw_vmstate_save(&vmm_rtc_vmstate, &bench->rtc.state, out, NULL, NULL),
        0);
}

/* It lay in a file for an hour: the alarm rings at once, the time is right. */
static void test_rtc__goes_on_after_a_load(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct bench from;
    struct bench to;

    set_up(&from, LEAP_DAY * NS);
    set(&from, VMM_RTC_B, VMM_RTC_B_24H | 0x20 | 0x40);
    set(&from, VMM_RTC_HOURS_ALARM, 0x00);
    set(&from, VMM_RTC_MINUTES_ALARM, 0x30);
    set(&from, VMM_RTC_SECONDS_ALARM, 0x00);
    pass_time(&from, (LEAP_DAY + 3) * NS);
    (void)get(&from, VMM_RTC_C);
    save(&from, &saved);
    set_up(&to, (LEAP_DAY + 3603) * NS);
    expect_loaded(&vmm_rtc_vmstate, &to.rtc.state, 3, saved.data, saved.size);
    vmm_rtc_start(&to.rtc);
    pass_time(&to, (LEAP_DAY + 3604) * NS);
    assert_int_equal(get(&to, VMM_RTC_C), 0xf0);
    assert_int_equal(get(&to, VMM_RTC_HOURS), 0x01);
    assert_int_equal(get(&to, VMM_RTC_MINUTES), 0x00);
    assert_int_equal(get(&to, VMM_RTC_SECONDS), 0x02);
    /* No storm of those that were missed. */
    assert_true(to.expiries[VMM_RTC_PERIODIC] > to.now);
    vmm_rtc_deinit(&from.rtc);
    vmm_rtc_deinit(&to.rtc);
}

/* The other host's clock is an hour behind: nothing waits for an hour. */
static void test_rtc__a_clock_that_is_behind(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct bench from;
    struct bench to;

    set_up(&from, LEAP_DAY * NS);
    set(&from, VMM_RTC_B, VMM_RTC_B_24H | VMM_RTC_C_PERIODIC);
    save(&from, &saved);
    set_up(&to, (LEAP_DAY - 3600) * NS);
    expect_loaded(&vmm_rtc_vmstate, &to.rtc.state, 3, saved.data, saved.size);
    vmm_rtc_start(&to.rtc);
    assert_true(to.expiries[VMM_RTC_UPDATE] <= to.now + NS);
    assert_true(to.expiries[VMM_RTC_PERIODIC] <= to.now + NS / 1000);
    vmm_rtc_deinit(&from.rtc);
    vmm_rtc_deinit(&to.rtc);
}

static void test_rtc__impossible_sections_are_refused(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct bench bench;
    uint8_t *index;

    set_up(&bench, LEAP_DAY * NS);
    save(&bench, &saved);
    assert_int_equal(saved.size, SECTION_BYTES);
    expect_truncations(&vmm_rtc_vmstate, &bench.rtc.state, NULL, 3, saved.data,
                       saved.size);
    index = (uint8_t *)saved.data + VMM_RTC_CMOS_BYTES;
    *index = 0x7f;
    expect_loaded(&vmm_rtc_vmstate, &bench.rtc.state, 3, saved.data,
                  saved.size);
    *index = 0x80;
    expect_refused(&vmm_rtc_vmstate, &bench.rtc.state, 3, saved.data,
                   saved.size, -EBADMSG, "index 128");
    vmm_rtc_deinit(&bench.rtc);
}

/* The subsection with the count is there if it is not 0. */
static void test_rtc__a_count_of_missed_interrupts_is_carried(void **state)
{
    static const char name[] = "mc146818rtc/irq_reinject_on_ack_count";
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct bench bench;
    const uint8_t *sub;

    set_up(&bench, LEAP_DAY * NS);
    bench.rtc.state.irq_reinject_on_ack_count = 0x1234;
    save(&bench, &saved);
    assert_int_equal(saved.size, SECTION_BYTES + 6 + strlen(name) + 2);
    sub = (const uint8_t *)saved.data + SECTION_BYTES;
    assert_int_equal(sub[0], 5);
    assert_int_equal(sub[1], strlen(name));
    assert_memory_equal(sub + 2, name, strlen(name));
    assert_memory_equal(sub + 2 + strlen(name), "\0\0\0\1\x12\x34", 6);
    vmm_rtc_deinit(&bench.rtc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rtc__dates_are_those_of_the_c_library),
        cmocka_unit_test(test_rtc__dates_at_the_ends_of_time),
        cmocka_unit_test(test_rtc__begins_like_qemus),
        cmocka_unit_test(test_rtc__tells_of_memory_as_qemus),
        cmocka_unit_test(test_rtc__twelve_hours),
        cmocka_unit_test(test_rtc__an_alarm_that_never_comes),
        cmocka_unit_test(test_rtc__interrupts_each_second),
        cmocka_unit_test(test_rtc__periodic_interrupts),
        cmocka_unit_test(test_rtc__update_in_progress),
        cmocka_unit_test(test_rtc__reset),
        cmocka_unit_test(test_rtc__goes_on_after_a_load),
        cmocka_unit_test(test_rtc__a_clock_that_is_behind),
        cmocka_unit_test(test_rtc__impossible_sections_are_refused),
        cmocka_unit_test(test_rtc__a_count_of_missed_interrupts_is_carried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
