/*
 * The I/O APIC: registers, edge and level pins, its section.
 */
#include "ioapic.h"

#include "i8259.h"
#include "vmstate-helpers.h"

/* What reached the accelerator. */
struct sink {
    struct vmm_msi last;
    unsigned int n_sent;
    unsigned int n_routed;
    struct vmm_msi routes[VMM_IOAPIC_PINS];
};

static void routes_changed(void *opaque,
                           const struct vmm_msi routes[VMM_IOAPIC_PINS])
{
    struct sink *sink = opaque;

    sink->n_routed++;
    memcpy(sink->routes, routes, sizeof(sink->routes));
}

static void send_message(void *opaque, const struct vmm_msi *msi)
{
    struct sink *sink = opaque;

    sink->n_sent++;
    sink->last = *msi;
}

static const struct vmm_ioapic_ops ops = {
    .routes_changed = routes_changed,
    .send = send_message,
};

static void write_reg(struct vmm_ioapic *ioapic, uint8_t reg, uint32_t value)
{
    vmm_ioapic_bus_ops.write(ioapic, 0, 4, reg);
    vmm_ioapic_bus_ops.write(ioapic, 0x10, 4, value);
}

static uint32_t read_reg(struct vmm_ioapic *ioapic, uint8_t reg)
{
    vmm_ioapic_bus_ops.write(ioapic, 0, 4, reg);
    return (uint32_t)vmm_ioapic_bus_ops.read(ioapic, 0x10, 4);
}

static void test_ioapic__reset(void **state)
{
    struct vmm_ioapic ioapic;
    struct sink sink = {0};

    vmm_ioapic_init(&ioapic, &ops, &sink);
    assert_int_equal(read_reg(&ioapic, 1), 0x00170020);
    for (uint8_t pin = 0; pin < 24; pin++) {
        assert_int_equal(read_reg(&ioapic, (uint8_t)(0x10 + 2 * pin)), 0x10000);
        assert_int_equal(read_reg(&ioapic, (uint8_t)(0x11 + 2 * pin)), 0);
    }
    assert_int_equal(read_reg(&ioapic, 0x10 + 48), 0);
    vmm_ioapic_set_line(&ioapic, 4, true);
    assert_int_equal(sink.n_sent, 0);
    vmm_ioapic_deinit(&ioapic);
}

/* The reference's rule: destination to bits 19..12, mode to bit 2. */
static void test_ioapic__message(void **state)
{
    struct vmm_msi msi =
        vmm_ioapic_message(0x0300000000000000ull | 1u << 15 | 1u << 11 | 0x123);

    assert_int_equal(msi.address, 0xfee03004);
    assert_int_equal(msi.data, 0x8123);
}

static void test_ioapic__edge_pin(void **state)
{
    struct vmm_ioapic ioapic;
    struct sink sink = {0};

    vmm_ioapic_init(&ioapic, &ops, &sink);
    write_reg(&ioapic, 0x10 + 8, 0x31);
    write_reg(&ioapic, 0x11 + 8, 1u << 24);
    assert_int_equal(sink.routes[4].data, 0x31);
    assert_int_equal(sink.routes[4].address, 0xfee01000);
    vmm_ioapic_set_line(&ioapic, 4, true);
    assert_int_equal(sink.n_sent, 1);
    assert_int_equal(sink.last.data, 0x31);
    vmm_ioapic_set_line(&ioapic, 4, true);
    assert_int_equal(sink.n_sent, 1);
    vmm_ioapic_set_line(&ioapic, 4, false);
    vmm_ioapic_set_line(&ioapic, 4, true);
    assert_int_equal(sink.n_sent, 2);
    assert_int_equal(ioapic.state.irr, 0);
    vmm_ioapic_deinit(&ioapic);
}

static void test_ioapic__level_pin_waits_for_eoi(void **state)
{
    struct vmm_ioapic ioapic;
    struct sink sink = {0};

    vmm_ioapic_init(&ioapic, &ops, &sink);
    write_reg(&ioapic, 0x10 + 2 * 17, 0x8041);
    vmm_ioapic_set_line(&ioapic, 17, true);
    assert_int_equal(sink.n_sent, 1);
    assert_int_equal(read_reg(&ioapic, 0x10 + 2 * 17), 0xc041);
    vmm_ioapic_set_line(&ioapic, 17, true);
    assert_int_equal(sink.n_sent, 1);
    vmm_ioapic_eoi(&ioapic, 0x40);
    assert_int_equal(sink.n_sent, 1);
    /* Still high: delivered again. */
    vmm_ioapic_eoi(&ioapic, 0x41);
    assert_int_equal(sink.n_sent, 2);
    vmm_ioapic_set_line(&ioapic, 17, false);
    vmm_ioapic_eoi(&ioapic, 0x41);
    assert_int_equal(sink.n_sent, 2);
    assert_int_equal(read_reg(&ioapic, 0x10 + 2 * 17), 0x8041);
    vmm_ioapic_deinit(&ioapic);
}

static void on_raised(void *opaque)
{
}

/* Lines 0 to 15 lead to 8259s too, and the first of them to pin 2. */
static void test_ioapic__lines_lead_to_both(void **state)
{
    static const struct vmm_i8259_ops pic_ops = {.raised = on_raised};
    struct vmm_ioapic ioapic;
    struct vmm_i8259 pics;
    struct sink sink = {0};

    vmm_ioapic_init(&ioapic, &ops, &sink);
    vmm_i8259_init(&pics, &pic_ops, NULL);
    write_reg(&ioapic, 0x10, 0x50);
    write_reg(&ioapic, 0x10 + 4, 0x52);
    write_reg(&ioapic, 0x10 + 30, 0x5f);
    vmm_ioapic_set_line(&ioapic, 0, true);
    assert_int_equal(sink.last.data, 0x52);
    assert_int_equal(pics.chips[0].irr, 0);
    vmm_ioapic_set_line(&ioapic, 0, false);
    vmm_ioapic_connect_pics(&ioapic, &pics);
    vmm_ioapic_set_line(&ioapic, 0, true);
    vmm_ioapic_set_line(&ioapic, 15, true);
    vmm_ioapic_set_line(&ioapic, 16, true);
    assert_int_equal(sink.last.data, 0x5f);
    assert_int_equal(sink.n_sent, 3);
    assert_int_equal(pics.chips[0].irr, 1u << 0 | 1u << 2);
    assert_int_equal(pics.chips[1].irr, 1u << 7);
    vmm_ioapic_reset(&ioapic);
    assert_true(ioapic.state.has_pics);
    vmm_i8259_deinit(&pics);
    vmm_ioapic_deinit(&ioapic);
}

static void test_ioapic__guest_cannot_set_status_bits(void **state)
{
    struct vmm_ioapic ioapic;
    struct sink sink = {0};

    vmm_ioapic_init(&ioapic, &ops, &sink);
    write_reg(&ioapic, 0x10, 0x1d041);
    assert_int_equal(read_reg(&ioapic, 0x10), 0x18041);
    vmm_ioapic_deinit(&ioapic);
}

static void test_ioapic__loaded_pins_are_delivered(void **state)
{
    struct vmm_ioapic ioapic;
    struct sink sink = {0};

    vmm_ioapic_init(&ioapic, &ops, &sink);
    ioapic.state.entries[17] = 0x8041;
    ioapic.state.entries[18] = 0xc042;
    ioapic.state.irr = 1u << 17 | 1u << 18;
    vmm_ioapic_restart(&ioapic);
    /* Pin 18 is in the guest's hands already. */
    assert_int_equal(sink.n_sent, 1);
    assert_int_equal(sink.last.data, 0x8041);
    assert_int_equal(sink.n_routed, 1);
    assert_int_equal(sink.routes[18].data, 0x8042);
    vmm_ioapic_eoi(&ioapic, 0x42);
    assert_int_equal(sink.n_sent, 2);
    vmm_ioapic_deinit(&ioapic);
}

/* 206 bytes: id, select, 8 unused, irr, 24 entries. */
static void test_ioapic__section_is_as_in_the_reference(void **state)
{
    struct vmm_ioapic_state from = {.id = 1, .select = 0x10, .irr = 0x00400010};
    struct vmm_ioapic_state to = {0};
    uint8_t expected[206] = {1, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0x10};

    from.entries[0] = 0x0102030405060008ull;
    /* ExtINT is sent as fixed delivery, masked. */
    from.entries[1] = 0x731;
    from.entries[23] = 0x10000;
    memcpy(expected + 14, "\1\2\3\4\5\6\0\10", 8);
    memcpy(expected + 22, "\0\0\0\0\0\1\0\x31", 8);
    expected[203] = 1;
    expect_sound(&vmm_ioapic_vmstate);
    expect_saved(&vmm_ioapic_vmstate, &from, expected, sizeof(expected));
    expect_loaded(&vmm_ioapic_vmstate, &to, 3, expected, sizeof(expected));
    assert_int_equal(to.id, 1);
    assert_int_equal(to.irr, from.irr);
    assert_int_equal(to.entries[0], from.entries[0]);
    assert_int_equal(to.entries[1], 0x10031);
    /* With 8259s there is somebody to ask for the vector. */
    from.has_pics = true;
    expected[22 + 5] = 0;
    expected[22 + 6] = 0x07;
    expect_saved(&vmm_ioapic_vmstate, &from, expected, sizeof(expected));
    expected[10] = 1;
    expect_refused(&vmm_ioapic_vmstate, &to, 3, expected, sizeof(expected),
                   -EBADMSG, "pending pins 0x01400010");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ioapic__reset),
        cmocka_unit_test(test_ioapic__message),
        cmocka_unit_test(test_ioapic__edge_pin),
        cmocka_unit_test(test_ioapic__level_pin_waits_for_eoi),
        cmocka_unit_test(test_ioapic__lines_lead_to_both),
        cmocka_unit_test(test_ioapic__guest_cannot_set_status_bits),
        cmocka_unit_test(test_ioapic__loaded_pins_are_delivered),
        cmocka_unit_test(test_ioapic__section_is_as_in_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
