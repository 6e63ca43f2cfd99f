/*
 * The old devices put together: ports, lines and timers of those that the
 * options ask for.
 */
#include "isa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"
#include "ioapic.h"

#define PIT_VECTOR 0x42u
#define RTC_VECTOR 0x48u
#define MS 1000000

struct bench {
    struct vmm_isa isa;
    struct vmm_bus bus;
    struct vmm_clock clock;
    struct vmm_ioapic ioapic;
    /* Messages by vector, and how often INTR rose. */
    atomic_uint n_sent[256];
    atomic_uint n_raised;
};

static void on_routes(void *opaque,
                      const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
}

static void on_send(void *opaque, const struct vmm_msi *msi)
{
    struct bench *bench = opaque;

    atomic_fetch_add(&bench->n_sent[msi->data & 0xff], 1);
}

static void on_raised(void *opaque)
{
    struct bench *bench = opaque;

    atomic_fetch_add(&bench->n_raised, 1);
}

static const struct vmm_ioapic_ops ioapic_ops = {on_routes, on_send};
static const struct vmm_i8259_ops pic_ops = {on_raised};

static void set_up(struct bench *bench,
                   const struct vmm_machine_options *options)
{
    struct vmm_isa_config config = {
        .options = options,
        .clock = &bench->clock,
        .ioapic = &bench->ioapic,
        .bus = &bench->bus,
        .low_bytes = 128u << 20,
        .pic_ops = &pic_ops,
        .pic_opaque = bench,
    };

    *bench = (struct bench){0};
    vmm_bus_init(&bench->bus);
    vmm_ioapic_init(&bench->ioapic, &ioapic_ops, bench);
    bench->ioapic.state.entries[2] = PIT_VECTOR;
    bench->ioapic.state.entries[8] = RTC_VECTOR;
    assert_int_equal(vmm_isa_init(&bench->isa, &config, NULL), 0);
}

static void tear_down(struct bench *bench)
{
    vmm_isa_deinit(&bench->isa);
    vmm_ioapic_deinit(&bench->ioapic);
}

static void out(struct bench *bench, unsigned int port, uint8_t value)
{
    vmm_bus_write(&bench->bus.ports, port, &value, 1);
}

static uint8_t in(struct bench *bench, unsigned int port)
{
    uint8_t value;

    vmm_bus_read(&bench->bus.ports, port, &value, 1);
    return value;
}

static void start(struct bench *bench)
{
    vmm_clock_start(&bench->clock);
    vmm_isa_start(&bench->isa);
}

static void stop(struct bench *bench)
{
    vmm_isa_stop(&bench->isa);
    vmm_clock_stop(&bench->clock);
}

static void wait_for(const atomic_uint *n, unsigned int least)
{
    struct timespec nap = {.tv_nsec = MS};

    for (int i = 0; i < 20000 && atomic_load(n) < least; i++) {
        nanosleep(&nap, NULL);
    }
    assert_true(atomic_load(n) >= least);
}

/* Rate generator, about 1 kHz. */
static void program_pit(struct bench *bench)
{
    out(bench, 0x43, 0x34);
    out(bench, 0x40, 1193 & 0xff);
    out(bench, 0x40, 1193 >> 8);
}

static void test_isa__nothing_is_there_unless_asked_for(void **state)
{
    struct vmm_machine_options options = {0};
    struct bench bench;

    set_up(&bench, &options);
    assert_int_equal(bench.bus.ports.n_ranges, 0);
    start(&bench);
    stop(&bench);
    assert_int_equal(in(&bench, 0x21), 0xff);
    tear_down(&bench);
}

static void test_isa__the_timer_interrupts_both_controllers(void **state)
{
    struct vmm_machine_options options = {.pic = true, .pit = true};
    struct bench bench;
    unsigned int n;

    set_up(&bench, &options);
    start(&bench);
    program_pit(&bench);
    wait_for(&bench.n_sent[PIT_VECTOR], 5);
    assert_int_equal(atomic_load(&bench.n_raised), 1);
    assert_int_equal(in(&bench, 0x20), 1);
    stop(&bench);
    n = atomic_load(&bench.n_sent[PIT_VECTOR]);
    nanosleep(&(struct timespec){.tv_nsec = 5 * MS}, NULL);
    assert_int_equal(atomic_load(&bench.n_sent[PIT_VECTOR]), n);
    start(&bench);
    wait_for(&bench.n_sent[PIT_VECTOR], n + 2);
    tear_down(&bench);
}

static void test_isa__the_timer_does_without_controllers(void **state)
{
    struct vmm_machine_options options = {.pit = true};
    struct bench bench;

    set_up(&bench, &options);
    start(&bench);
    program_pit(&bench);
    wait_for(&bench.n_sent[PIT_VECTOR], 2);
    assert_int_equal(in(&bench, 0x20), 0xff);
    assert_int_equal(in(&bench, 0x71), 0xff);
    stop(&bench);
    tear_down(&bench);
}

/* Periodic interrupts of 1024 Hz; the year is this one. */
static void test_isa__the_clock_interrupts_and_tells_the_time(void **state)
{
    struct vmm_machine_options options = {.rtc = true};
    struct bench bench;
    time_t now = time(NULL);
    int year = gmtime(&now)->tm_year % 100;

    set_up(&bench, &options);
    start(&bench);
    out(&bench, 0x70, 0x09);
    assert_in_range(in(&bench, 0x71), year / 10 << 4 | year % 10, 0x99);
    out(&bench, 0x70, 0x0b);
    out(&bench, 0x71, 0x42);
    wait_for(&bench.n_sent[RTC_VECTOR], 1);
    out(&bench, 0x70, 0x0c);
    assert_int_equal(in(&bench, 0x71) & 0xc0, 0xc0);
    wait_for(&bench.n_sent[RTC_VECTOR], 2);
    stop(&bench);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isa__nothing_is_there_unless_asked_for),
        cmocka_unit_test(test_isa__the_timer_interrupts_both_controllers),
        cmocka_unit_test(test_isa__the_timer_does_without_controllers),
        cmocka_unit_test(test_isa__the_clock_interrupts_and_tells_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
