/*
 * The interrupt controllers: what the transcript of QEMU (test-isa-transcript)
 * does not show, which is the CPU's side, and sections that are refused.
 */
#include "i8259.h"

#include "vmstate-helpers.h"

#define MASTER VMM_I8259_PORT
#define SLAVE VMM_I8259_SLAVE_PORT
#define MASTER_VECTOR 0x30u
#define SLAVE_VECTOR 0x38u

struct bench {
    struct vmm_i8259 pics;
    struct vmm_bus bus;
    unsigned int n_raised;
};

static void on_raised(void *opaque)
{
    struct bench *bench = opaque;

    bench->n_raised++;
}

static const struct vmm_i8259_ops ops = {.raised = on_raised};

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

/* As a PC's firmware and Linux set them up, all lines open. */
static void set_up(struct bench *bench)
{
    *bench = (struct bench){0};
    vmm_i8259_init(&bench->pics, &ops, bench);
    vmm_bus_init(&bench->bus);
    vmm_bus_add(&bench->bus.ports, MASTER, VMM_I8259_PORTS, &vmm_i8259_bus_ops,
                &bench->pics);
    vmm_bus_add(&bench->bus.ports, SLAVE, VMM_I8259_PORTS,
                &vmm_i8259_slave_bus_ops, &bench->pics);
    vmm_bus_add(&bench->bus.ports, VMM_I8259_ELCR_PORT, VMM_I8259_CHIPS,
                &vmm_i8259_elcr_bus_ops, &bench->pics);
    out(bench, MASTER, 0x11);
    out(bench, MASTER + 1, MASTER_VECTOR);
    out(bench, MASTER + 1, 0x04);
    out(bench, MASTER + 1, 0x01);
    out(bench, SLAVE, 0x11);
    out(bench, SLAVE + 1, SLAVE_VECTOR);
    out(bench, SLAVE + 1, 0x02);
    out(bench, SLAVE + 1, 0x01);
}

static void test_i8259__the_cpu_takes_an_edge_once(void **state)
{
    struct bench bench;

    set_up(&bench);
    vmm_i8259_set_line(&bench.pics, 4, true);
    assert_true(vmm_i8259_intr(&bench.pics));
    assert_int_equal(bench.n_raised, 1);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), MASTER_VECTOR + 4);
    assert_false(vmm_i8259_intr(&bench.pics));
    /* A new edge waits for the end of the first. */
    vmm_i8259_set_line(&bench.pics, 4, false);
    vmm_i8259_set_line(&bench.pics, 4, true);
    assert_false(vmm_i8259_intr(&bench.pics));
    out(&bench, MASTER, 0x20);
    assert_true(vmm_i8259_intr(&bench.pics));
    assert_int_equal(bench.n_raised, 2);
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__a_lower_line_is_more_urgent(void **state)
{
    struct bench bench;

    set_up(&bench);
    vmm_i8259_set_line(&bench.pics, 5, true);
    vmm_i8259_set_line(&bench.pics, 1, true);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), MASTER_VECTOR + 1);
    assert_false(vmm_i8259_intr(&bench.pics));
    /* Line 0 interrupts the handler of line 1. */
    vmm_i8259_set_line(&bench.pics, 0, true);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), MASTER_VECTOR);
    out(&bench, MASTER, 0x20);
    out(&bench, MASTER, 0x20);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), MASTER_VECTOR + 5);
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__the_second_chip_comes_through_line_2(void **state)
{
    struct bench bench;

    set_up(&bench);
    vmm_i8259_set_line(&bench.pics, 8, true);
    assert_int_equal(in(&bench, MASTER), 1u << 2);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), SLAVE_VECTOR);
    out(&bench, MASTER, 0x0b);
    out(&bench, SLAVE, 0x0b);
    assert_int_equal(in(&bench, MASTER), 1u << 2);
    assert_int_equal(in(&bench, SLAVE), 1);
    out(&bench, SLAVE, 0x20);
    out(&bench, MASTER, 0x20);
    assert_int_equal(in(&bench, MASTER) | in(&bench, SLAVE), 0);
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__a_level_line_that_fell_is_spurious(void **state)
{
    struct bench bench;

    set_up(&bench);
    out(&bench, VMM_I8259_ELCR_PORT, 1u << 5);
    out(&bench, VMM_I8259_ELCR_PORT + 1, 1u << 2);
    vmm_i8259_set_line(&bench.pics, 5, true);
    vmm_i8259_set_line(&bench.pics, 5, false);
    assert_false(vmm_i8259_intr(&bench.pics));
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), MASTER_VECTOR + 7);
    /* Nothing is in service. */
    out(&bench, MASTER, 0x0b);
    assert_int_equal(in(&bench, MASTER), 0);
    /* On the second chip: the first one keeps the edge of its output. */
    vmm_i8259_set_line(&bench.pics, 10, true);
    vmm_i8259_set_line(&bench.pics, 10, false);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), SLAVE_VECTOR + 7);
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__a_level_line_comes_again(void **state)
{
    struct bench bench;

    set_up(&bench);
    out(&bench, VMM_I8259_ELCR_PORT, 1u << 5);
    vmm_i8259_set_line(&bench.pics, 5, true);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), MASTER_VECTOR + 5);
    out(&bench, MASTER, 0x20);
    assert_true(vmm_i8259_intr(&bench.pics));
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__ports_are_also_read_as_words(void **state)
{
    struct bench bench;
    uint16_t value = 0x2010;

    set_up(&bench);
    vmm_bus_write(&bench.bus.ports, VMM_I8259_ELCR_PORT, &value, 2);
    assert_int_equal(in(&bench, VMM_I8259_ELCR_PORT), 0x10);
    /* Lines 8 and 13 are never level triggered. */
    assert_int_equal(in(&bench, VMM_I8259_ELCR_PORT + 1), 0);
    out(&bench, MASTER + 1, 0xfb);
    vmm_i8259_set_line(&bench.pics, 3, true);
    vmm_bus_read(&bench.bus.ports, MASTER, &value, 2);
    assert_int_equal(value, 0xfb08);
    vmm_i8259_deinit(&bench.pics);
}

/* As after SeaBIOS and mask_all_interrupts() of Linux's boot code. */
static void test_i8259__set_up_for_a_kernel(void **state)
{
    struct bench bench;

    set_up(&bench);
    vmm_i8259_reset(&bench.pics);
    vmm_i8259_set_up(&bench.pics);
    assert_int_equal(in(&bench, MASTER + 1), 0xfb);
    assert_int_equal(in(&bench, SLAVE + 1), 0xff);
    vmm_i8259_set_line(&bench.pics, 0, true);
    vmm_i8259_set_line(&bench.pics, 8, true);
    assert_false(vmm_i8259_intr(&bench.pics));
    out(&bench, MASTER + 1, 0xfa);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), 0x08);
    out(&bench, MASTER, 0x20);
    out(&bench, SLAVE + 1, 0xfe);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), 0x70);
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__reset(void **state)
{
    static const struct vmm_i8259_state fresh;
    struct bench bench;

    set_up(&bench);
    out(&bench, VMM_I8259_ELCR_PORT, 0x20);
    vmm_i8259_set_line(&bench.pics, 4, true);
    vmm_i8259_reset(&bench.pics);
    assert_false(vmm_i8259_intr(&bench.pics));
    for (size_t i = 0; i < VMM_I8259_CHIPS; i++) {
        assert_memory_equal(&bench.pics.chips[i], &fresh, sizeof(fresh));
    }
    vmm_i8259_deinit(&bench.pics);
}

/* The line is not in the section: it follows from the rest. */
static void test_i8259__a_loaded_request_raises_intr(void **state)
{
    /* last_irr, irr, imr, isr, priority, base and the others. */
    static const uint8_t section[16] = {1, 1, 0xee, 0, 0, 0x30};
    struct bench bench;

    set_up(&bench);
    expect_loaded(&vmm_i8259_vmstate, &bench.pics.chips[0], 1, section,
                  sizeof(section));
    assert_false(vmm_i8259_intr(&bench.pics));
    vmm_i8259_restart(&bench.pics);
    assert_true(vmm_i8259_intr(&bench.pics));
    assert_int_equal(bench.n_raised, 1);
    assert_int_equal(vmm_i8259_acknowledge(&bench.pics), 0x30);
    vmm_i8259_deinit(&bench.pics);
}

static void test_i8259__impossible_sections_are_refused(void **state)
{
    uint8_t section[16] = {0};
    struct vmm_i8259_state chip = {0};

    expect_truncations(&vmm_i8259_vmstate, &chip, NULL, 1, section,
                       sizeof(section));
    section[4] = 8;
    expect_refused(&vmm_i8259_vmstate, &chip, 1, section, sizeof(section),
                   -EBADMSG, "first line 8");
    section[4] = 7;
    section[9] = 3;
    expect_loaded(&vmm_i8259_vmstate, &chip, 1, section, sizeof(section));
    section[9] = 4;
    expect_refused(&vmm_i8259_vmstate, &chip, 1, section, sizeof(section),
                   -EBADMSG, "step 4 of initialisation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i8259__the_cpu_takes_an_edge_once),
        cmocka_unit_test(test_i8259__a_lower_line_is_more_urgent),
        cmocka_unit_test(test_i8259__the_second_chip_comes_through_line_2),
        cmocka_unit_test(test_i8259__a_level_line_that_fell_is_spurious),
        cmocka_unit_test(test_i8259__a_level_line_comes_again),
        cmocka_unit_test(test_i8259__ports_are_also_read_as_words),
        cmocka_unit_test(test_i8259__set_up_for_a_kernel),
        cmocka_unit_test(test_i8259__reset),
        cmocka_unit_test(test_i8259__a_loaded_request_raises_intr),
        cmocka_unit_test(test_i8259__impossible_sections_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
