/*
 * The VMM's commands about the balloon, and its event. Texts and rules were
 * observed with QEMU 10.0.
 */
#include "monitor_commands.h"

#include "vmstate-helpers.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <godwit/control.h>

#include "machine.h"
#include "virtio_balloon.h"

#define RAM_BYTES (64u << 20)
#define SECOND INT64_C(1000000000)

struct world {
    struct vmm_machine machine;
    struct gw_control *control;
    /* Events that came, and what the last one said. */
    unsigned int n_events;
    uint64_t actual_bytes;
};

static int do_nothing(void *opaque, struct gw_error **errp)
{
    return 0;
}

static const struct gw_machine_ops machine_ops = {.pause = do_nothing,
                                                  .resume = do_nothing};

static void no_routes(void *opaque, const struct vmm_msi *routes)
{
}

static void no_message(void *opaque, const struct vmm_msi *msi)
{
}

static const struct vmm_ioapic_ops ioapic_ops = {.routes_changed = no_routes,
                                                 .send = no_message};

static void on_event(void *opaque, const struct gw_event *event)
{
    struct world *w = opaque;

    assert_int_equal(event->type, GW_EVENT_BALLOON_CHANGE);
    w->n_events++;
    w->actual_bytes = event->actual_bytes;
}

static void add_balloon(struct vmm_machine *machine)
{
    struct vmm_virtio_options options = {
        .n_devices = 1, .devices = {{.kind = VMM_VIRTIO_BALLOON, .slot = -1}}};
    struct vmm_virtio_place place = {.memory = &machine->guest_memory,
                                     .ioapic = &machine->ioapic,
                                     .first_pin = 16};

    assert_int_equal(
        vmm_virtio_set_init(&machine->virtio, &options, &place, NULL), 0);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct vmm_memory_config memory = {.bytes = RAM_BYTES};
    struct vmm_machine *machine = &w->machine;

    machine->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    machine->gw = gw_machine_new("box", &machine_ops, w);
    assert_int_equal(vmm_memory_init(&machine->memory, &memory, NULL), 0);
    vmm_guest_memory_init(&machine->guest_memory, &machine->memory, NULL);
    vmm_ioapic_init(&machine->ioapic, &ioapic_ops, w);
    w->control = gw_control_new(machine->gw, NULL, NULL);
    assert_int_equal(vmm_monitor_commands_add(machine, w->control, NULL), 0);
    assert_int_equal(gw_machine_add_listener(machine->gw, on_event, w), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    gw_control_free(w->control);
    gw_machine_free(w->machine.gw);
    vmm_virtio_set_deinit(&w->machine.virtio);
    vmm_ioapic_deinit(&w->machine.ioapic);
    vmm_memory_deinit(&w->machine.memory);
    close(w->machine.end_fd);
    free(w);
    return 0;
}

static void expect(struct world *w, const char *line, const char *expected)
{
    char *output = gw_hmp_execute(w->control, line);

    assert_string_equal(output, expected);
    free(output);
}

static void test_balloon__is_not_there(void **state)
{
    struct world *w = *state;

    expect(w, "balloon 10", "Error: No balloon device has been activated\n");
    expect(w, "balloon 0", "Error: No balloon device has been activated\n");
    expect(w, "info balloon", "Error: No balloon device has been activated\n");
}

static void test_balloon__target(void **state)
{
    struct world *w = *state;
    struct vmm_virtio_balloon *balloon;

    add_balloon(&w->machine);
    balloon = vmm_virtio_set_balloon(&w->machine.virtio);
    assert_non_null(balloon);
    expect(w, "balloon 10", "");
    assert_int_equal(balloon->num_pages, (64 - 10) * 256);
    expect(w, "balloon 64", "");
    assert_int_equal(balloon->num_pages, 0);
    expect(w, "balloon 1", "");
    assert_int_equal(balloon->num_pages, 63 * 256);
    /* More than there is: all of it. */
    expect(w, "balloon 1000000", "");
    assert_int_equal(balloon->num_pages, 0);
    expect(w, "balloon 0", "Error: Parameter 'value' expects a size\n");
}

static void test_balloon__actual(void **state)
{
    struct world *w = *state;
    struct vmm_virtio_balloon *balloon;

    add_balloon(&w->machine);
    balloon = vmm_virtio_set_balloon(&w->machine.virtio);
    expect(w, "info balloon", "balloon: actual=64\n");
    balloon->actual = 54 * 256;
    expect(w, "info balloon", "balloon: actual=10\n");
    /* The guest's own word: more than there is. */
    balloon->actual = UINT32_MAX;
    expect(w, "info balloon", "balloon: actual=0\n");
}

/* What the guest writes into its configuration space. */
static void guest_gives(struct world *w, uint32_t pages)
{
    vmm_virtio_set_bus_ops.write(&w->machine.virtio, 7 * 0x200 + 0x104, 4,
                                 pages);
}

static void test_event__once_a_second(void **state)
{
    struct world *w = *state;
    struct vmm_machine *machine = &w->machine;
    struct vmm_virtio_balloon *balloon;

    add_balloon(machine);
    balloon = vmm_virtio_set_balloon(&machine->virtio);
    balloon->changed = vmm_balloon_changed;
    balloon->changed_opaque = machine;
    assert_int_equal(vmm_balloon_send_event(machine, 0), -1);
    guest_gives(w, 0);
    assert_int_equal(vmm_balloon_send_event(machine, 0), -1);
    assert_int_equal(w->n_events, 0);
    guest_gives(w, 256);
    assert_int_equal(vmm_balloon_send_event(machine, 5), -1);
    assert_int_equal(w->n_events, 1);
    assert_int_equal(w->actual_bytes, 63u << 20);
    for (uint32_t i = 1; i < 100; i++) {
        guest_gives(w, 256 + i);
        assert_int_equal(vmm_balloon_send_event(machine, 5 + SECOND / 4), 751);
    }
    assert_int_equal(w->n_events, 1);
    assert_int_equal(vmm_balloon_send_event(machine, 5 + SECOND), -1);
    assert_int_equal(w->n_events, 2);
    assert_int_equal(w->actual_bytes, (63u << 20) - 99 * 4096);
    assert_int_equal(vmm_balloon_send_event(machine, 5 + SECOND), -1);
    assert_int_equal(w->n_events, 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_balloon__is_not_there),
        TEST(test_balloon__target),
        TEST(test_balloon__actual),
        TEST(test_event__once_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
