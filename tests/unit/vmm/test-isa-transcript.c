/*
 * What a real QEMU's interrupt controllers, timer and clock answered to
 * accesses, and the sections that it saved on the way: ours answer the same
 * and save the same, byte for byte (data/README.md).
 */
#include "vmstate-helpers.h"

#include "i8254.h"
#include "i8259.h"
#include "mc146818.h"

#define SECTION_MAX 256
#define RTC_BYTES 245
#define LATENESS_NS 1000000
#define N_TIMERS (1 + VMM_RTC_TIMERS)
#define PIT_TIMER VMM_RTC_TIMERS

/* The devices, and the time and timers that they see. */
struct bench {
    struct vmm_i8259 pics;
    struct vmm_i8254 pit;
    struct vmm_rtc rtc;
    struct vmm_bus bus;
    int64_t now;
    int64_t expiries[N_TIMERS];
    /* Sections of which the first ones are loaded. */
    bool is_loading;
    unsigned int line;
    unsigned int n_answers;
    unsigned int n_sections;
};

static void on_raised(void *opaque)
{
}

static const struct vmm_i8259_ops pic_ops = {.raised = on_raised};

static int64_t get_now(void *opaque)
{
    const struct bench *bench = opaque;

    return bench->now;
}

static void set_pit_timer(void *opaque, int64_t expiry)
{
    struct bench *bench = opaque;

    bench->expiries[PIT_TIMER] = expiry;
}

static void set_pit_irq(void *opaque, bool high)
{
    struct bench *bench = opaque;

    vmm_i8259_set_line(&bench->pics, VMM_I8254_IRQ, high);
}

static const struct vmm_i8254_ops pit_ops = {
    .now = get_now, .set_timer = set_pit_timer, .set_irq = set_pit_irq};

static void set_rtc_timer(void *opaque, enum vmm_rtc_timer timer,
                          int64_t expiry)
{
    struct bench *bench = opaque;

    bench->expiries[timer] = expiry;
}

static void set_rtc_irq(void *opaque, bool high)
{
    struct bench *bench = opaque;

    vmm_i8259_set_line(&bench->pics, VMM_RTC_IRQ, high);
}

static const struct vmm_rtc_ops rtc_ops = {
    .now = get_now, .set_timer = set_rtc_timer, .set_irq = set_rtc_irq};

static void connect(struct bench *bench)
{
    struct vmm_bus_space *ports = &bench->bus.ports;

    vmm_bus_init(&bench->bus);
    vmm_bus_add(ports, VMM_I8259_PORT, VMM_I8259_PORTS, &vmm_i8259_bus_ops,
                &bench->pics);
    vmm_bus_add(ports, VMM_I8259_SLAVE_PORT, VMM_I8259_PORTS,
                &vmm_i8259_slave_bus_ops, &bench->pics);
    vmm_bus_add(ports, VMM_I8259_ELCR_PORT, VMM_I8259_CHIPS,
                &vmm_i8259_elcr_bus_ops, &bench->pics);
    vmm_bus_add(ports, VMM_I8254_PORT, VMM_I8254_PORTS, &vmm_i8254_bus_ops,
                &bench->pit);
    vmm_bus_add(ports, VMM_RTC_PORT, VMM_RTC_PORTS, &vmm_rtc_bus_ops,
                &bench->rtc);
}

static void start(struct bench *bench)
{
    bench->now = 0;
    bench->is_loading = true;
    for (size_t i = 0; i < N_TIMERS; i++) {
        bench->expiries[i] = GW_TIMER_NOT_ARMED;
    }
    vmm_i8259_init(&bench->pics, &pic_ops, bench);
    vmm_i8254_init(&bench->pit, &pit_ops, bench);
    vmm_rtc_init(&bench->rtc, &rtc_ops, bench);
    connect(bench);
}

/* The sections of the start are there. */
static void begin(struct bench *bench)
{
    if (bench->is_loading) {
        bench->is_loading = false;
        vmm_i8259_restart(&bench->pics);
        vmm_i8254_start(&bench->pit);
        vmm_rtc_start(&bench->rtc);
    }
}

static void fire(struct bench *bench, size_t timer)
{
    bench->expiries[timer] = GW_TIMER_NOT_ARMED;
    if (timer == PIT_TIMER) {
        vmm_i8254_expired(&bench->pit);
    } else {
        vmm_rtc_expired(&bench->rtc, (enum vmm_rtc_timer)timer);
    }
}

/* Fires what is due until then, in order. */
static void pass_time(struct bench *bench, int64_t until)
{
    for (;;) {
        size_t next = N_TIMERS;

        for (size_t i = 0; i < N_TIMERS; i++) {
            if (bench->expiries[i] != GW_TIMER_NOT_ARMED &&
                bench->expiries[i] <= until &&
                (next == N_TIMERS ||
                 bench->expiries[i] < bench->expiries[next])) {
                next = i;
            }
        }
        if (next == N_TIMERS) {
            break;
        }
        bench->now = bench->expiries[next];
        fire(bench, next);
    }
    bench->now = until;
}

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t n = 0;
    unsigned int byte;

    for (; n < SECTION_MAX && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) {
        bytes[n] = (uint8_t)byte;
    }
    return n;
}

static void put_be64(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get_be64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/*
 * QEMU computes the end of the second from two looks at a running clock: its
 * last two times are late by what was between them.
 */
static void allow_lateness(const struct vmm_rtc_state *rtc, uint8_t *section)
{
    uint64_t ours[2] = {(uint64_t)rtc->update_timer, rtc->next_alarm_time};

    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = section + RTC_BYTES - 16 + 8 * i;

        if (get_be64(at) - ours[i] < LATENESS_NS) {
            put_be64(at, ours[i]);
        }
    }
}

static void do_section(struct bench *bench, const char *name,
                       unsigned int instance, const char *hex)
{
    static const struct gw_vmstate *const known[] = {
        &vmm_i8259_vmstate, &vmm_i8254_vmstate, &vmm_rtc_vmstate};
    void *objects[] = {&bench->pics.chips[instance], &bench->pit.state,
                       &bench->rtc.state};
    uint8_t bytes[SECTION_MAX];
    size_t size = from_hex(hex, bytes);

    for (size_t i = 0; i < 3; i++) {
        if (strcmp(known[i]->name, name) != 0) {
            continue;
        }
        if (bench->is_loading) {
            expect_loaded(known[i], objects[i], known[i]->version, bytes, size);
        } else {
            vmm_rtc_stop(&bench->rtc);
            if (known[i] == &vmm_rtc_vmstate) {
                assert_int_equal(size, RTC_BYTES);
                allow_lateness(&bench->rtc.state, bytes);
            }
        }
        print_message("# line %u: section %s %u\n", bench->line, name,
                      instance);
        expect_saved(known[i], objects[i], bytes, size);
        bench->n_sections++;
        return;
    }
    fail_msg("section '%s'", name);
}

static void expect_answer(struct bench *bench, unsigned int port,
                          unsigned int expected)
{
    uint8_t value;

    vmm_bus_read(&bench->bus.ports, port, &value, 1);
    if (value != expected) {
        fail_msg("line %u: port 0x%02x reads as 0x%02x, expected 0x%02x",
                 bench->line, port, value, expected);
    }
    bench->n_answers++;
}

static void do_line(struct bench *bench, const char *text)
{
    char name[32];
    char hex[2 * SECTION_MAX + 1];
    unsigned int a, b;
    long long ns;

    if (text[0] == '#') {
        return;
    }
    if (strcmp(text, "start\n") == 0) {
        start(bench);
    } else if (sscanf(text, "section %31s %u %512s", name, &a, hex) == 3) {
        do_section(bench, name, a, hex);
    } else if (sscanf(text, "out %x %x", &a, &b) == 2) {
        uint8_t value = (uint8_t)b;

        begin(bench);
        vmm_bus_write(&bench->bus.ports, a, &value, 1);
    } else if (sscanf(text, "in %x %x", &a, &b) == 2) {
        begin(bench);
        expect_answer(bench, a, b);
    } else if (sscanf(text, "time %lld", &ns) == 1) {
        begin(bench);
        pass_time(bench, ns);
    } else if (sscanf(text, "line %u %u", &a, &b) == 2) {
        begin(bench);
        vmm_i8259_set_line(&bench->pics, a, b != 0);
    } else {
        fail_msg("line %u: '%s'", bench->line, text);
    }
}

static void test_isa__answers_and_saves_what_qemu_does(void **state)
{
    static struct bench bench;
    char text[1024];
    FILE *file = fopen(VMM_TEST_DATA "/qemu-10.0-isa.transcript", "r");

    assert_non_null(file);
    while (fgets(text, sizeof(text), file)) {
        bench.line++;
        do_line(&bench, text);
    }
    fclose(file);
    assert_true(bench.n_answers > 100);
    assert_true(bench.n_sections > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isa__answers_and_saves_what_qemu_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
