/*
 * Which parts there are, in the order in which QEMU's machine has them.
 */
#include "platform.h"

#include <errno.h>
#include <sys/stat.h>

#include "boot_firmware.h"
#include "boot_virtio.h"
#include "machine.h"
#include "util.h"

/* QEMU's firmwares: SeaBIOS with ACPI, qboot without. */
#define FIRMWARE_BYTES_ACPI (128u << 10)
#define FIRMWARE_BYTES_PLAIN (64u << 10)

/* As it was asked for, as the file is long, or as QEMU's firmware is. */
static int firmware_bytes(const struct vmm_options *options,
                          uint64_t *ret_bytes, struct gw_error **errp)
{
    struct stat st;

    if (options->has_firmware_size) {
        *ret_bytes = options->firmware_bytes;
    } else if (options->bios) {
        if (stat(options->bios, &st) < 0) {
            return gw_error_set_errno(errp, -errno, "firmware '%s'",
                                      options->bios);
        }
        *ret_bytes = (uint64_t)st.st_size;
    } else {
        *ret_bytes =
            options->machine.acpi ? FIRMWARE_BYTES_ACPI : FIRMWARE_BYTES_PLAIN;
    }
    if (*ret_bytes != 0 && *ret_bytes != FIRMWARE_BYTES_ACPI &&
        *ret_bytes != FIRMWARE_BYTES_PLAIN) {
        return gw_error_set(errp, -EINVAL,
                            "firmware '%s' has %llu bytes, expected %u or %u",
                            options->bios, (unsigned long long)*ret_bytes,
                            FIRMWARE_BYTES_PLAIN, FIRMWARE_BYTES_ACPI);
    }
    return 0;
}

static int init_isa(struct vmm_machine *machine,
                    const struct vmm_options *options, struct gw_error **errp)
{
    struct vmm_memory_range ranges[2] = {{0}};
    struct vmm_isa_config config = {
        .options = &options->machine,
        .clock = &machine->clock,
        .ioapic = &machine->ioapic,
        .bus = &machine->bus,
        .pic_ops = &machine->accel->ops->pic,
        .pic_opaque = machine->accel,
    };

    vmm_memory_ranges(&machine->memory, ranges);
    config.low_bytes = ranges[0].bytes;
    config.high_bytes = ranges[1].bytes;
    return vmm_isa_init(&machine->isa, &config, errp);
}

static uint8_t *guest_at(void *opaque, uint64_t gpa, uint64_t *ret_bytes)
{
    struct vmm_machine *machine = opaque;

    return vmm_guest_memory_from(&machine->guest_memory, gpa, ret_bytes);
}

static void guest_wrote(void *opaque, const uint8_t *host, uint64_t bytes)
{
    struct vmm_machine *machine = opaque;

    vmm_guest_memory_wrote(&machine->guest_memory, host, bytes);
}

static const struct vmm_fw_cfg_ops fw_cfg_ops = {.at = guest_at,
                                                 .wrote = guest_wrote};

static int init_firmware(struct vmm_machine *machine,
                         const struct vmm_options *options,
                         struct gw_error **errp)
{
    uint64_t bytes = 0;
    int r = firmware_bytes(options, &bytes, errp);

    if (r < 0) {
        return r;
    }
    r = vmm_firmware_init(&machine->firmware, bytes, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_fw_cfg_init(&machine->fw_cfg, &machine->acpi, &fw_cfg_ops, machine,
                        errp);
    if (r < 0) {
        return r;
    }
    vmm_bus_add(&machine->bus.ports, VMM_FW_CFG_PORT, VMM_FW_CFG_PORTS,
                &vmm_fw_cfg_bus_ops, &machine->fw_cfg);
    return 0;
}

static int init_acpi(struct vmm_machine *machine, struct gw_error **errp)
{
    vmm_ged_init(&machine->ged, &machine->ioapic);
    vmm_bus_add(&machine->bus.mmio, VMM_GED_BASE, VMM_GED_BYTES,
                &vmm_ged_bus_ops, &machine->ged);
    return vmm_acpi_init(&machine->acpi, errp);
}

static void add_acpi_files(struct vmm_machine *machine)
{
    for (size_t i = 0; i < VMM_ACPI_BLOBS && machine->acpi.enabled; i++) {
        struct vmm_acpi_blob *blob = &machine->acpi.blobs[i];

        vmm_fw_cfg_add_blob(&machine->fw_cfg, blob->file, blob->host,
                            &blob->size);
    }
}

/* What a firmware is to start, be it ours or one that comes in. */
static int add_kernel(struct vmm_machine *machine,
                      const struct vmm_options *options, struct gw_error **errp)
{
    VMM_AUTO_FREE char *cmdline =
        vmm_boot_kernel_cmdline(options, machine->virtio_slots);
    const struct vmm_boot_firmware config = {.files = &machine->boot_files,
                                             .kernel = options->kernel,
                                             .initrd = options->initrd,
                                             .cmdline = cmdline};
    int r = vmm_boot_firmware_files(&machine->fw_cfg, &config,
                                    options->machine.option_roms, errp);

    if (r < 0 || !options->bios) {
        return r;
    }
    if (!cmdline) {
        return gw_error_set_errno(errp, -ENOMEM, "command line");
    }
    return vmm_boot_firmware_kernel(&machine->fw_cfg, &machine->memory, &config,
                                    errp);
}

static int fill_fw_cfg(struct vmm_machine *machine,
                       const struct vmm_options *options,
                       struct gw_error **errp)
{
    int r;

    add_acpi_files(machine);
    r = vmm_boot_firmware_basics(&machine->fw_cfg, &machine->memory,
                                 machine->n_cpus, errp);
    return r < 0 ? r : add_kernel(machine, options, errp);
}

/* What only a PC has may not be asked for elsewhere. */
static int check_no_pc(const struct vmm_machine *machine,
                       const struct vmm_options *options,
                       struct gw_error **errp)
{
    const struct vmm_machine_options *parts = &options->machine;

    if (options->firmware_bytes > 0 || options->bios || options->initrd) {
        return gw_error_set(errp, -ENOTSUP,
                            "accelerator %s has neither firmware nor initrd",
                            machine->accel->ops->name);
    }
    if (parts->pic || parts->pit || parts->rtc) {
        return gw_error_set(errp, -ENOTSUP,
                            "accelerator %s has neither PIC, PIT nor RTC",
                            machine->accel->ops->name);
    }
    return 0;
}

int vmm_platform_init(struct vmm_machine *machine,
                      const struct vmm_options *options, struct gw_error **errp)
{
    int r = machine->accel->ops->is_pc ? init_firmware(machine, options, errp)
                                       : check_no_pc(machine, options, errp);

    vmm_guest_memory_init(&machine->guest_memory, &machine->memory,
                          &machine->firmware);
    if (r < 0 || !machine->accel->ops->is_pc) {
        return r;
    }
    if (options->machine.acpi) {
        r = init_acpi(machine, errp);
    }
    if (r == 0) {
        r = init_isa(machine, options, errp);
    }
    return r < 0 ? r : fill_fw_cfg(machine, options, errp);
}

void vmm_platform_deinit(struct vmm_machine *machine)
{
    vmm_isa_deinit(&machine->isa);
    if (machine->ged.ioapic) {
        vmm_ged_deinit(&machine->ged);
        machine->ged.ioapic = NULL;
    }
    vmm_fw_cfg_deinit(&machine->fw_cfg);
    vmm_acpi_deinit(&machine->acpi);
    vmm_firmware_deinit(&machine->firmware);
}

void vmm_platform_reset(struct vmm_machine *machine)
{
    if (!machine->accel->ops->is_pc) {
        return;
    }
    vmm_fw_cfg_reset(&machine->fw_cfg);
    if (machine->ged.ioapic) {
        vmm_ged_reset(&machine->ged);
    }
    vmm_isa_reset(&machine->isa);
}

void vmm_platform_restart(struct vmm_machine *machine)
{
    if (machine->acpi.enabled) {
        vmm_ged_restart(&machine->ged);
    }
}

void vmm_platform_press_power_button(struct vmm_machine *machine)
{
    if (!machine->acpi.enabled) {
        return;
    }
    pthread_mutex_lock(&machine->switch_lock);
    vmm_ged_press_power_button(&machine->ged);
    /* The state of a machine that stands still is with whoever saves it. */
    if (machine->clock.running) {
        vmm_ged_restart(&machine->ged);
    }
    pthread_mutex_unlock(&machine->switch_lock);
}

int vmm_platform_build_tables(struct vmm_machine *machine,
                              struct gw_error **errp)
{
    struct vmm_acpi_config config = {.n_cpus = machine->n_cpus,
                                     .virtio_slots = machine->virtio_slots,
                                     .has_pic = machine->isa.has_pic,
                                     .has_rtc = machine->isa.has_rtc};
    int r;

    machine->firmware.touched = true;
    if (!machine->acpi.enabled) {
        return 0;
    }
    r = vmm_acpi_build(&machine->acpi, &config, errp);
    return r < 0 ? r : vmm_acpi_rebuilt(&machine->acpi, errp);
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
    if (!machine->accel->ops->is_pc) {
        return 0;
    }
    return gw_machine_add_device(machine->gw, &vmm_fw_cfg_vmstate, NULL, 0,
                                 &machine->fw_cfg, NULL, errp);
}

int vmm_platform_add_last(struct vmm_machine *machine, struct gw_error **errp)
{
    int r = 0;

    if (machine->acpi.enabled) {
        r = gw_machine_add_device(machine->gw, &vmm_ged_vmstate, NULL, 0,
                                  &machine->ged.state, NULL, errp);
    }
    return r < 0 ? r : vmm_isa_add_devices(&machine->isa, machine->gw, errp);
}
