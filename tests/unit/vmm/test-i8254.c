/*
 * The timer: what the transcript of QEMU (test-isa-transcript) does not show,
 * which is how it goes on after a load, and sections that are refused.
 */
#include "i8254.h"

#include "vmstate-helpers.h"

#define CONTROL (VMM_I8254_PORT + 3)
#define SECTION_BYTES 108
/* A period of 1193 ticks, rounded down to nanoseconds. */
#define PERIOD 1193
#define PERIOD_NS 999847

struct bench {
    struct vmm_i8254 pit;
    struct vmm_bus bus;
    int64_t now;
    int64_t expiry;
    bool high;
    unsigned int n_edges;
};

static int64_t get_now(void *opaque)
{
    const struct bench *bench = opaque;

    return bench->now;
}

static void set_timer(void *opaque, int64_t expiry)
{
    struct bench *bench = opaque;

    bench->expiry = expiry;
}

static void set_irq(void *opaque, bool high)
{
    struct bench *bench = opaque;

    bench->n_edges += high && !bench->high;
    bench->high = high;
}

static const struct vmm_i8254_ops ops = {
    .now = get_now, .set_timer = set_timer, .set_irq = set_irq};

static void set_up(struct bench *bench)
{
    *bench = (struct bench){.expiry = GW_TIMER_NOT_ARMED};
    vmm_i8254_init(&bench->pit, &ops, bench);
    vmm_bus_init(&bench->bus);
    vmm_bus_add(&bench->bus.ports, VMM_I8254_PORT, VMM_I8254_PORTS,
                &vmm_i8254_bus_ops, &bench->pit);
}

static void out(struct bench *bench, unsigned int port, uint8_t value)
{
    vmm_bus_write(&bench->bus.ports, port, &value, 1);
}

static void program(struct bench *bench, unsigned int mode, unsigned int count)
{
    out(bench, CONTROL, (uint8_t)(0x30 | mode << 1));
    out(bench, VMM_I8254_PORT, (uint8_t)count);
    out(bench, VMM_I8254_PORT, (uint8_t)(count >> 8));
}

/* Fires what is due until then. */
static void pass_time(struct bench *bench, int64_t until)
{
    while (bench->expiry != GW_TIMER_NOT_ARMED && bench->expiry <= until) {
        bench->now = bench->expiry;
        bench->expiry = GW_TIMER_NOT_ARMED;
        vmm_i8254_expired(&bench->pit);
    }
    bench->now = until;
}

/* 65536 ticks of 1193182 Hz, high for the first half. */
static void test_i8254__counts_after_a_reset(void **state)
{
    struct bench bench;

    set_up(&bench);
    assert_int_equal(bench.expiry, GW_TIMER_NOT_ARMED);
    vmm_i8254_start(&bench.pit);
    assert_int_equal(bench.expiry, 27462700);
    pass_time(&bench, 1000000000);
    /* 18.2 Hz, and the first change, which finds the line still high. */
    assert_int_equal(bench.n_edges, 19);
    vmm_i8254_deinit(&bench.pit);
}

static void test_i8254__reset(void **state)
{
    struct bench fresh;
    struct bench used;

    set_up(&fresh);
    set_up(&used);
    program(&used, 0, PERIOD);
    pass_time(&used, 2 * PERIOD_NS);
    assert_true(used.high);
    used.now = 0;
    vmm_i8254_reset(&used.pit);
    assert_false(used.high);
    assert_memory_equal(&used.pit.state, &fresh.pit.state,
                        sizeof(fresh.pit.state));
    vmm_i8254_start(&used.pit);
    assert_int_equal(used.expiry, 27462700);
    vmm_i8254_deinit(&fresh.pit);
    vmm_i8254_deinit(&used.pit);
}

static void test_i8254__periodic_modes_interrupt_each_period(void **state)
{
    static const unsigned int modes[] = {2, 3, 6, 7};
    struct bench bench;

    for (size_t i = 0; i < 4; i++) {
        set_up(&bench);
        program(&bench, modes[i], PERIOD);
        bench.n_edges = 0;
        pass_time(&bench, 1000 * (int64_t)PERIOD_NS + PERIOD_NS / 2);
        assert_int_equal(bench.n_edges, 1000);
        vmm_i8254_deinit(&bench.pit);
    }
}

static void test_i8254__other_modes_interrupt_once(void **state)
{
    static const unsigned int modes[] = {0, 4};
    struct bench bench;

    for (size_t i = 0; i < 2; i++) {
        set_up(&bench);
        program(&bench, modes[i], PERIOD);
        bench.n_edges = 0;
        pass_time(&bench, PERIOD_NS - 2000);
        assert_int_equal(bench.n_edges, 0);
        pass_time(&bench, PERIOD_NS + 2000);
        assert_int_equal(bench.n_edges, 1);
        pass_time(&bench, 100 * (int64_t)PERIOD_NS);
        assert_int_equal(bench.n_edges, 1);
        vmm_i8254_deinit(&bench.pit);
    }
}

/* The next interrupt comes when it was due, by the VM clock that came along. */
static void test_i8254__goes_on_after_a_load(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct bench from;
    struct bench to;

    set_up(&from);
    from.now = 5000000;
    program(&from, 2, PERIOD);
    pass_time(&from, 5000000 + 10 * PERIOD_NS + PERIOD_NS / 4);
    assert_int_equal(gw_vmstate_save(&vmm_i8254_vmstate, &from.pit.state,
                                     &saved, NULL, NULL),
                     0);
    assert_int_equal(saved.size, SECTION_BYTES);
    set_up(&to);
    expect_loaded(&vmm_i8254_vmstate, &to.pit.state, 3, saved.data, saved.size);
    to.now = from.now;
    vmm_i8254_start(&to.pit);
    assert_int_equal(to.expiry, from.expiry);
    to.high = from.high;
    pass_time(&to, 5000000 + 13 * PERIOD_NS + PERIOD_NS / 4);
    assert_int_equal(to.n_edges, 3);
    vmm_i8254_deinit(&from.pit);
    vmm_i8254_deinit(&to.pit);
}

/* A host that slept: not one interrupt for each that was missed. */
static void test_i8254__does_not_make_up_for_a_long_delay(void **state)
{
    struct bench bench;

    set_up(&bench);
    program(&bench, 2, PERIOD);
    bench.n_edges = 0;
    bench.now = INT64_C(3600000000000);
    vmm_i8254_expired(&bench.pit);
    assert_true(bench.expiry > bench.now);
    assert_true(bench.expiry < bench.now + 2 * PERIOD_NS);
    assert_int_equal(bench.n_edges, 1);
    vmm_i8254_deinit(&bench.pit);
}

/* The one interrupt of the other modes comes, however late. */
static void test_i8254__a_late_interrupt_is_not_lost(void **state)
{
    static const unsigned int modes[] = {0, 4};

    for (size_t i = 0; i < 2; i++) {
        struct bench bench;

        set_up(&bench);
        program(&bench, modes[i], PERIOD);
        bench.n_edges = 0;
        bench.now = INT64_C(3600000000000);
        for (int n = 0; n < 10 && bench.expiry != GW_TIMER_NOT_ARMED; n++) {
            vmm_i8254_expired(&bench.pit);
        }
        assert_int_equal(bench.n_edges, 1);
        assert_int_equal(bench.expiry, GW_TIMER_NOT_ARMED);
        vmm_i8254_deinit(&bench.pit);
    }
}

/* Offsets: docs/spec/machine.md, 2.9. */
static void test_i8254__impossible_sections_are_refused(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } changes[] = {
        {4 + 1, 2},  /* count 0x20000 */
        {4 + 13, 8}, /* mode */
        {4 + 6, 4},  /* count latched */
        {4 + 12, 4}, /* access */
    };
    GW_AUTO_BUFFER struct gw_buffer saved = {0};
    struct bench bench;

    set_up(&bench);
    assert_int_equal(gw_vmstate_save(&vmm_i8254_vmstate, &bench.pit.state,
                                     &saved, NULL, NULL),
                     0);
    expect_truncations(&vmm_i8254_vmstate, &bench.pit.state, NULL, 3,
                       saved.data, saved.size);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *data = saved.data;
        uint8_t *byte = &data[changes[i].offset];
        uint8_t was = *byte;

        *byte = changes[i].value;
        expect_refused(&vmm_i8254_vmstate, &bench.pit.state, 3, saved.data,
                       saved.size, -EPROTO, "count, mode and latches");
        *byte = was;
    }
    /* Version 2 has no first word. */
    expect_loaded(&vmm_i8254_vmstate, &bench.pit.state, 2,
                  (const uint8_t *)saved.data + 4, saved.size - 4);
    vmm_i8254_deinit(&bench.pit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i8254__counts_after_a_reset),
        cmocka_unit_test(test_i8254__reset),
        cmocka_unit_test(test_i8254__periodic_modes_interrupt_each_period),
        cmocka_unit_test(test_i8254__other_modes_interrupt_once),
        cmocka_unit_test(test_i8254__goes_on_after_a_load),
        cmocka_unit_test(test_i8254__does_not_make_up_for_a_long_delay),
        cmocka_unit_test(test_i8254__a_late_interrupt_is_not_lost),
        cmocka_unit_test(test_i8254__impossible_sections_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
