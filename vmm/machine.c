/*
 * Putting the machine together.
 */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine_run.h"
#include "platform.h"
#include "start.h"
#include "util.h"
#include "virtio_balloon.h"

/* The type in the stream: laid out like QEMU's. */
#define MACHINE_TYPE "microvm"

static bool serial_put(void *opaque, uint8_t byte)
{
    struct vmm_machine *machine = opaque;

    return vmm_console_put(&machine->console, byte);
}

static void serial_room(void *opaque)
{
    struct vmm_machine *machine = opaque;

    vmm_console_wake(&machine->console);
}

static void serial_set_irq(void *opaque, bool high)
{
    struct vmm_machine *machine = opaque;

    vmm_ioapic_set_line(&machine->ioapic, VMM_SERIAL_IRQ, high);
}

static const struct vmm_serial_ops serial_ops = {
    .put = serial_put,
    .room = serial_room,
    .set_irq = serial_set_irq,
};

static size_t console_room(void *opaque)
{
    struct vmm_machine *machine = opaque;

    return vmm_serial_room(&machine->serial);
}

static void console_input(void *opaque, const uint8_t *bytes, size_t n)
{
    struct vmm_machine *machine = opaque;

    vmm_serial_receive(&machine->serial, bytes, n);
}

static void console_writable(void *opaque)
{
    struct vmm_machine *machine = opaque;

    vmm_serial_writable(&machine->serial);
}

static const struct vmm_console_ops console_ops = {
    .room = console_room,
    .input = console_input,
    .writable = console_writable,
};

static void power_off(void *opaque)
{
    vmm_machine_request_end(opaque, VMM_END_POWER_OFF);
}

static void power_reset(void *opaque)
{
    vmm_machine_request_end(opaque, VMM_END_RESET);
}

static void connect_bus(struct vmm_machine *machine)
{
    vmm_bus_init(&machine->bus);
    machine->power = (struct vmm_power){
        .power_off = power_off, .reset = power_reset, .opaque = machine};
    vmm_bus_add(&machine->bus.ports, VMM_SERIAL_PORT, VMM_SERIAL_PORTS,
                &vmm_serial_bus_ops, &machine->serial);
    vmm_bus_add(&machine->bus.mmio, VMM_IOAPIC_BASE, VMM_IOAPIC_BYTES,
                &vmm_ioapic_bus_ops, &machine->ioapic);
    vmm_bus_add(&machine->bus.mmio, VMM_POWER_BASE, VMM_POWER_BYTES,
                &vmm_power_bus_ops, &machine->power);
    vmm_bus_add(&machine->bus.mmio, VMM_VIRTIO_BASE,
                VMM_VIRTIO_SLOTS * VMM_VIRTIO_BYTES, &vmm_virtio_set_bus_ops,
                &machine->virtio);
}

static int add_device(struct vmm_machine *machine,
                      const struct gw_vmstate *vmstate, void *state,
                      struct gw_error **errp)
{
    return gw_machine_add_device(machine->gw, vmstate, NULL, 0, state, NULL,
                                 errp);
}

/* In the order in which the sections are sent. */
static int add_devices(struct vmm_machine *machine, struct gw_error **errp)
{
    struct vmm_accel *accel = machine->accel;
    int r;

    r = add_device(machine, &vmm_clock_vmstate, &machine->clock, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_platform_add_first(machine, errp);
    if (r < 0) {
        return r;
    }
    r = accel->ops->add_cpus(accel, errp);
    if (r < 0) {
        return r;
    }
    r = add_device(machine, &vmm_ioapic_vmstate, &machine->ioapic.state, errp);
    if (r < 0) {
        return r;
    }
    r = accel->ops->add_clock(accel, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_platform_add_last(machine, errp);
    if (r < 0) {
        return r;
    }
    r = add_device(machine, &vmm_serial_vmstate, &machine->serial.state, errp);
    if (r < 0) {
        return r;
    }
    return vmm_virtio_set_add_devices(&machine->virtio, machine->gw, errp);
}

/* What needs no undoing but by deinit, which takes zeros. */
static int init_basics(struct vmm_machine *machine,
                       const struct vmm_options *options,
                       struct gw_error **errp)
{
    memset(machine, 0, sizeof(*machine));
    machine->memory.fd = -1;
    machine->options = options;
    machine->n_cpus = options->smp;
    machine->cpu = options->cpu;
    machine->dirty_ring_size = options->dirty_ring_size;
    pthread_mutex_init(&machine->lock, NULL);
    pthread_mutex_init(&machine->switch_lock, NULL);
    machine->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (machine->end_fd < 0) {
        return gw_error_set_errno(errp, -errno, "eventfd");
    }
    machine->gw = gw_machine_new(MACHINE_TYPE, &vmm_machine_ops, machine);
    if (!machine->gw) {
        return gw_error_set_errno(errp, -ENOMEM, "machine");
    }
    if (options->has_uuid) {
        gw_machine_set_uuid(machine->gw, options->uuid);
    }
    return 0;
}

static int add_notify(void *opaque, uint64_t gpa, uint32_t value, int fd)
{
    struct vmm_accel *accel = opaque;

    return accel->ops->add_notify(accel, gpa, VMM_VIRTIO_NOTIFY_BYTES, value,
                                  fd);
}

static int init_virtio(struct vmm_machine *machine,
                       const struct vmm_options *options,
                       struct gw_error **errp)
{
    struct vmm_virtio_place place = {.memory = &machine->guest_memory,
                                     .ioapic = &machine->ioapic,
                                     .first_pin = options->machine.acpi
                                                      ? VMM_VIRTIO_GSI_ACPI
                                                      : VMM_VIRTIO_GSI_PLAIN};
    struct vmm_virtio_balloon *balloon;
    int r;

    if (options->virtio.n_devices > 0 && !machine->accel->ops->is_pc) {
        return gw_error_set(errp, -ENOTSUP,
                            "accelerator %s has no virtio devices",
                            machine->accel->ops->name);
    }
    r = vmm_virtio_set_init(&machine->virtio, &options->virtio, &place, errp);
    if (r == 0) {
        r = vmm_virtio_set_notify(&machine->virtio, add_notify, machine->accel,
                                  errp);
    }
    machine->virtio_slots = vmm_virtio_set_slots(&machine->virtio);
    balloon = vmm_virtio_set_balloon(&machine->virtio);
    if (balloon) {
        balloon->changed = vmm_balloon_changed;
        balloon->changed_opaque = machine;
    }
    return r;
}

static int check_cpu(const struct vmm_machine *machine, struct gw_error **errp)
{
    if (machine->cpu.n_removed > 0 && !machine->accel->ops->is_pc) {
        return gw_error_set(errp, -ENOTSUP,
                            "accelerator %s has no CPU features",
                            machine->accel->ops->name);
    }
    return 0;
}

static int init_hardware(struct vmm_machine *machine,
                         const struct vmm_options *options,
                         struct gw_error **errp)
{
    struct vmm_memory_config config = {.bytes = options->memory_bytes,
                                       .path = options->mem_path,
                                       .share = options->share};
    int r;

    r = vmm_memory_init(&machine->memory, &config, errp);
    if (r < 0) {
        return r;
    }
    vmm_serial_init(&machine->serial, &serial_ops, machine);
    connect_bus(machine);
    r = vmm_accel_choose(machine, options->accel, &machine->accel, errp);
    if (r < 0) {
        return r;
    }
    vmm_ioapic_init(&machine->ioapic, &machine->accel->ops->ioapic,
                    machine->accel);
    r = check_cpu(machine, errp);
    if (r < 0) {
        return r;
    }
    r = init_virtio(machine, options, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_platform_init(machine, options, errp);
    if (r < 0) {
        return r;
    }
    r = machine->accel->ops->attach(machine->accel, errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "accelerator %s",
                               machine->accel->ops->name);
    }
    return vmm_console_init(&machine->console, &options->serial, &console_ops,
                            machine, errp);
}

static void add_tracker(struct vmm_machine *machine)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;

    if (machine->accel->ops->add_tracker(machine->accel, &error) < 0) {
        fprintf(stderr,
                "godwit run: the guest is stopped while it is saved: %s\n",
                gw_error_text(error));
    }
}

static int build(struct vmm_machine *machine, const struct vmm_options *options,
                 struct gw_error **errp)
{
    int r;

    r = init_basics(machine, options, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_boot_files_open(&machine->boot_files, options, errp);
    if (r < 0) {
        return r;
    }
    r = init_hardware(machine, options, errp);
    if (r < 0) {
        return r;
    }
    if (options->incoming) {
        vmm_memory_expect_load(&machine->memory);
    } else {
        r = vmm_machine_cold_start(machine, errp);
        if (r < 0) {
            return r;
        }
    }
    r = vmm_memory_add_block(&machine->memory, machine->gw, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_platform_add_blocks(machine, errp);
    if (r < 0) {
        return r;
    }
    r = add_devices(machine, errp);
    if (r < 0) {
        return r;
    }
    add_tracker(machine);
    return vmm_vcpus_init(&machine->vcpus, machine->n_cpus,
                          &machine->accel->ops->vcpu, machine->accel, errp);
}

int vmm_machine_init(struct vmm_machine *machine,
                     const struct vmm_options *options, struct gw_error **errp)
{
    int r = build(machine, options, errp);

    if (r < 0) {
        vmm_machine_deinit(machine);
    }
    return r;
}

void vmm_machine_deinit(struct vmm_machine *machine)
{
    vmm_vcpus_deinit(&machine->vcpus);
    vmm_isa_stop(&machine->isa);
    vmm_virtio_set_deinit(&machine->virtio);
    machine->gw = gw_machine_free(machine->gw);
    if (machine->accel) {
        machine->accel->ops->destroy(machine->accel);
        machine->accel = NULL;
    }
    vmm_console_deinit(&machine->console);
    vmm_platform_deinit(machine);
    vmm_boot_files_close(&machine->boot_files);
    vmm_memory_deinit(&machine->memory);
    if (machine->end_fd > 0) {
        close(machine->end_fd);
        machine->end_fd = -1;
    }
}
