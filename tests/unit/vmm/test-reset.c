/*
 * Devices that are reset with the machine: what a guest finds then is what it
 * found after power-on; and the power button of one that stands still.
 */
#include "virtio-driver.h"

#include "fw_cfg.h"
#include "ged.h"
#include "serial.h"
#include "virtio_balloon.h"

static bool serial_put(void *opaque, uint8_t byte)
{
    return false;
}

static void serial_room(void *opaque)
{
}

static void serial_irq(void *opaque, bool high)
{
    *(bool *)opaque = high;
}

static const struct vmm_serial_ops serial_ops = {
    .put = serial_put, .room = serial_room, .set_irq = serial_irq};

static void test_serial__reset(void **state)
{
    struct vmm_serial fresh;
    struct vmm_serial used;
    bool irq = false;

    vmm_serial_init(&fresh, &serial_ops, &irq);
    vmm_serial_init(&used, &serial_ops, &irq);
    vmm_serial_start(&used);
    vmm_serial_bus_ops.write(&used, VMM_SERIAL_IIR, 1, 0xc1);
    vmm_serial_bus_ops.write(&used, VMM_SERIAL_IER, 1, 0x0f);
    vmm_serial_bus_ops.write(&used, VMM_SERIAL_SCR, 1, 0x5a);
    /* Nobody takes it: it is left in the transmitter. */
    vmm_serial_bus_ops.write(&used, VMM_SERIAL_DATA, 1, 'x');
    vmm_serial_receive(&used, (const uint8_t *)"input", 5);
    assert_true(irq);
    vmm_serial_stop(&used);
    vmm_serial_reset(&used);
    assert_false(irq);
    assert_true(used.stopped);
    assert_memory_equal(&used.state, &fresh.state, sizeof(fresh.state));
    vmm_serial_deinit(&fresh);
    vmm_serial_deinit(&used);
}

static void test_ioapic__reset(void **state)
{
    struct vmm_ioapic fresh;
    struct driver driver;

    driver_init(&driver, true);
    vmm_ioapic_init(&fresh, &driver_ioapic_ops, &driver);
    vmm_ioapic_bus_ops.write(&driver.ioapic, 0, 4, 0x10 + 2 * 3);
    vmm_ioapic_bus_ops.write(&driver.ioapic, 0x10, 4, 0x8041);
    vmm_ioapic_set_line(&driver.ioapic, 3, true);
    assert_int_equal(driver.n_messages, 1);
    vmm_ioapic_set_line(&driver.ioapic, 3, false);
    vmm_ioapic_reset(&driver.ioapic);
    assert_memory_equal(&driver.ioapic.state, &fresh.state,
                        sizeof(fresh.state));
    assert_memory_equal(driver.ioapic.routes, fresh.routes,
                        sizeof(fresh.routes));
    vmm_ioapic_deinit(&fresh);
    driver_deinit(&driver);
}

static uint8_t *no_memory(void *opaque, uint64_t gpa, uint64_t *ret_bytes)
{
    return NULL;
}

static void no_write(void *opaque, const uint8_t *host, uint64_t bytes)
{
}

static void test_fw_cfg__reset(void **state)
{
    static const struct vmm_fw_cfg_ops ops = {.at = no_memory,
                                              .wrote = no_write};
    struct vmm_fw_cfg fw_cfg;

    assert_int_equal(vmm_fw_cfg_init(&fw_cfg, NULL, &ops, NULL, NULL), 0);
    vmm_fw_cfg_bus_ops.write(&fw_cfg, VMM_FW_CFG_SELECTOR, 2, 1);
    vmm_fw_cfg_bus_ops.read(&fw_cfg, VMM_FW_CFG_DATA, 1);
    vmm_fw_cfg_bus_ops.write(&fw_cfg, VMM_FW_CFG_DMA_HIGH, 4, 7);
    vmm_fw_cfg_reset(&fw_cfg);
    /* Nothing is under way; the items are there: the next byte is a 'Q'. */
    assert_int_equal(fw_cfg.key, 0);
    assert_int_equal(fw_cfg.offset, 0);
    assert_int_equal(fw_cfg.dma, 0);
    assert_int_equal(vmm_fw_cfg_bus_ops.read(&fw_cfg, VMM_FW_CFG_DATA, 1), 'Q');
    vmm_fw_cfg_deinit(&fw_cfg);
}

static uint32_t read_events(struct vmm_ged *ged)
{
    return (uint32_t)vmm_ged_bus_ops.read(ged, 0, 4);
}

static void test_ged__power_button(void **state)
{
    struct driver driver;
    struct vmm_ged ged;

    driver_init(&driver, true);
    driver.ioapic.state.entries[VMM_GED_IRQ] = 0x40;
    vmm_ged_init(&ged, &driver.ioapic);
    vmm_ged_restart(&ged);
    assert_int_equal(driver.n_messages, 0);
    vmm_ged_press_power_button(&ged);
    /* Nothing is sent while the machine stands still. */
    assert_int_equal(driver.n_messages, 0);
    vmm_ged_restart(&ged);
    assert_int_equal(driver.n_messages, 1);
    /* Not read yet: told again by the next process. */
    vmm_ged_restart(&ged);
    assert_int_equal(driver.n_messages, 2);
    assert_int_equal(read_events(&ged), 2);
    vmm_ged_restart(&ged);
    assert_int_equal(driver.n_messages, 2);
    vmm_ged_press_power_button(&ged);
    ged.state.memory_slot = 5;
    vmm_ged_reset(&ged);
    assert_int_equal(read_events(&ged), 0);
    assert_int_equal(ged.state.memory_slot, 0);
    vmm_ged_deinit(&ged);
    driver_deinit(&driver);
}

/* Registers that a driver has written, and what they are without one. */
static void expect_power_on(struct driver *driver)
{
    struct vmm_virtio *device = driver->device;

    assert_int_equal(get_reg(driver, 0x70), 0);
    assert_int_equal(get_reg(driver, 0x60), 0);
    assert_int_equal(driver->ioapic.lines, 0);
    assert_int_equal(device->guest.features, 0);
    assert_int_equal(device->guest_page_shift, 0);
    assert_int_equal(device->host_features_sel, 0);
    assert_int_equal(device->guest_features_sel, 0);
    assert_int_equal(device->mmio_features[0] | device->mmio_features[1], 0);
    assert_int_equal(device->kicked, 0);
    for (uint32_t i = 0; i < device->n_queues; i++) {
        set_reg(driver, 0x30, i);
        assert_int_equal(get_reg(driver, 0x40), 0);
        assert_int_equal(get_reg(driver, 0x44), 0);
        assert_int_equal(device->queues[i].num, device->queues[i].default_num);
        assert_int_equal(device->queues[i].desc, 0);
        assert_int_equal(device->queues[i].last_avail, 0);
        assert_int_equal(device->queues[i].align, 4096);
        assert_int_equal(device->mmio_queues[i].num, 0);
        assert_int_equal(device->mmio_queues[i].desc[0], 0);
    }
}

static void reset_used_balloon(bool legacy)
{
    struct driver driver;
    struct vmm_virtio_balloon *balloon = calloc(1, sizeof(*balloon));
    struct vmm_virtio_balloon_config config = {
        .virtio = driver_init(&driver, legacy)};

    assert_int_equal(vmm_virtio_balloon_init(balloon, &config, NULL), 0);
    driver.device = &balloon->device;
    vmm_virtio_resume(driver.device);
    driver_start(&driver, legacy ? 0 : VMM_VIRTIO_BIT(VMM_VIRTIO_F_VERSION_1),
                 16);
    set_reg(&driver, 0x14, 1);
    vmm_virtio_balloon_set_target(balloon, 7);
    put(&driver, 0, 0, DATA_AT, 4, 0, 0);
    offer(&driver, 0, 0);
    run(&driver, 0, 1);
    assert_int_equal(get_reg(&driver, 0x60), 3);
    if (legacy) {
        set_reg(&driver, 0x3c, 8192);
    }
    vmm_virtio_pause(driver.device);
    vmm_virtio_power_on(driver.device);
    expect_power_on(&driver);
    /* What the host wants of the balloon is not the guest's to forget. */
    assert_int_equal(get_reg(&driver, 0x100), 7);
    vmm_virtio_balloon_deinit(balloon);
    free(balloon);
    driver_deinit(&driver);
}

static void test_virtio__reset_of_a_used_device(void **state)
{
    reset_used_balloon(true);
    reset_used_balloon(false);
}

/* A change while the machine stands still is told when it goes on. */
static void test_virtio__change_of_a_paused_device(void **state)
{
    struct driver driver;
    struct vmm_virtio_balloon *balloon = calloc(1, sizeof(*balloon));
    struct vmm_virtio_balloon_config config = {.virtio =
                                                   driver_init(&driver, true)};

    assert_int_equal(vmm_virtio_balloon_init(balloon, &config, NULL), 0);
    driver.device = &balloon->device;
    vmm_virtio_resume(driver.device);
    driver_start(&driver, 0, 16);
    vmm_virtio_pause(driver.device);
    /* What the empty queues were good for. */
    set_reg(&driver, 0x64, 3);
    driver.n_messages = 0;
    vmm_virtio_balloon_set_target(balloon, 7);
    assert_int_equal(driver.n_messages, 0);
    vmm_virtio_resume(driver.device);
    assert_int_equal(driver.n_messages, 1);
    assert_int_equal(get_reg(&driver, 0x60), 3);
    vmm_virtio_balloon_deinit(balloon);
    free(balloon);
    driver_deinit(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serial__reset),
        cmocka_unit_test(test_ioapic__reset),
        cmocka_unit_test(test_fw_cfg__reset),
        cmocka_unit_test(test_ged__power_button),
        cmocka_unit_test(test_virtio__reset_of_a_used_device),
        cmocka_unit_test(test_virtio__change_of_a_paused_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
