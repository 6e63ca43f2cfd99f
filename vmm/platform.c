/*
 * Which parts there are, in the order in which QEMU's machine has them.
 */
#include "platform.h"

#include <errno.h>

#include "machine.h"

/* QEMU's firmwares: SeaBIOS with ACPI, qboot without. */
#define FIRMWARE_BYTES_ACPI (128u << 10)
#define FIRMWARE_BYTES_PLAIN (64u << 10)

static uint64_t firmware_bytes(const struct vmm_options *options)
{
    if (options->has_firmware_size) {
        return options->firmware_bytes;
    }
    return options->machine.acpi ? FIRMWARE_BYTES_ACPI : FIRMWARE_BYTES_PLAIN;
}

/* What only a PC has may not be asked for elsewhere. */
static int check_no_pc(const struct vmm_machine *machine,
                       const struct vmm_options *options,
                       struct gw_error **errp)
{
    if (options->firmware_bytes > 0 || options->initrd) {
        return gw_error_set(errp, -ENOTSUP,
                            "accelerator %s has neither firmware nor initrd",
                            machine->accel->ops->name);
    }
    return 0;
}

int vmm_platform_init(struct vmm_machine *machine,
                      const struct vmm_options *options, struct gw_error **errp)
{
    int r;

    if (!machine->accel->ops->is_pc) {
        return check_no_pc(machine, options, errp);
    }
    r = vmm_firmware_init(&machine->firmware, firmware_bytes(options), errp);
    if (r < 0 || !options->machine.acpi) {
        return r;
    }
    vmm_ged_init(&machine->ged, &machine->ioapic);
    vmm_bus_add(&machine->bus.mmio, VMM_GED_BASE, VMM_GED_BYTES,
                &vmm_ged_bus_ops, &machine->ged);
    return vmm_acpi_init(&machine->acpi, errp);
}

void vmm_platform_deinit(struct vmm_machine *machine)
{
    vmm_acpi_deinit(&machine->acpi);
    vmm_firmware_deinit(&machine->firmware);
}

int vmm_platform_build_tables(struct vmm_machine *machine,
                              struct gw_error **errp)
{
    struct vmm_acpi_config config = {.n_cpus = machine->n_cpus,
                                     .virtio_slots = machine->virtio_slots};

    if (!machine->acpi.enabled) {
        return 0;
    }
    return vmm_acpi_build(&machine->acpi, &config, errp);
}

int vmm_platform_add_blocks(struct vmm_machine *machine, struct gw_error **errp)
{
    int r;

    r = vmm_acpi_add_block(&machine->acpi, VMM_ACPI_TABLES, machine->gw, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_firmware_add_block(&machine->firmware, machine->gw, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_acpi_add_block(&machine->acpi, VMM_ACPI_LOADER, machine->gw, errp);
    if (r < 0) {
        return r;
    }
    return vmm_acpi_add_block(&machine->acpi, VMM_ACPI_RSDP, machine->gw, errp);
}

int vmm_platform_add_first(struct vmm_machine *machine, struct gw_error **errp)
{
    return vmm_firmware_add_device(&machine->firmware, machine->gw, errp);
}

int vmm_platform_add_last(struct vmm_machine *machine, struct gw_error **errp)
{
    if (!machine->acpi.enabled) {
        return 0;
    }
    return gw_machine_add_device(machine->gw, &vmm_ged_vmstate, NULL, 0,
                                 &machine->ged.state, NULL, errp);
}
