/*
 * The addresses are those that QEMU gives: setup code at 0x10000, command line
 * at 0x20000, kernel at 1 MiB, the initial RAM disk below the end of low RAM.
 */
#include "boot_firmware.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot_map.h"
#include "linux_image.h"
#include "linuxboot_rom.h"
#include "util.h"

#define SETUP_ADDRESS 0x10000u
#define CMDLINE_ADDRESS 0x20000u
/* The top of low RAM is left to the firmware's tables. */
#define FIRMWARE_RESERVE 0x40000u
#define PAGE_MASK 0xfffull
/* Fields of the setup header that a boot loader fills in. */
#define HDR_TYPE_OF_LOADER 0x210u
#define HDR_LOADFLAGS 0x211u
#define HDR_RAMDISK_IMAGE 0x218u
#define HDR_RAMDISK_SIZE 0x21cu
#define HDR_HEAP_END 0x224u
#define HDR_CMD_LINE_PTR 0x228u
#define LOADER_QEMU 0xb0u
#define CAN_USE_HEAP 0x80u
/* The heap ends this far before the command line: its own offset base. */
#define HEAP_OFFSET 0x200u

#define E820_BYTES 20u

/* A number under a key. */
struct number {
    uint16_t key;
    uint32_t value;
};

static int add_numbers(struct vmm_fw_cfg *fw_cfg, const struct number *numbers,
                       size_t n, struct gw_error **errp)
{
    for (size_t i = 0; i < n; i++) {
        int r =
            vmm_fw_cfg_add_u32(fw_cfg, numbers[i].key, numbers[i].value, errp);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void put_e820(uint8_t *table, size_t *n, uint64_t gpa, uint64_t bytes,
                     uint32_t type)
{
    uint8_t *entry = table + *n * E820_BYTES;

    vmm_put_le64(entry, gpa);
    vmm_put_le64(entry + 8, bytes);
    vmm_put_le32(entry + 16, type);
    *n += 1;
}

/* What there is, not what the guest is told: that is the firmware's work. */
static int add_e820(struct vmm_fw_cfg *fw_cfg, const struct vmm_memory *memory,
                    struct gw_error **errp)
{
    uint64_t low_end = vmm_map_low_end(memory);
    uint8_t table[3 * E820_BYTES];
    size_t n = 0;

    put_e820(table, &n, VMM_MAP_KVM_START, VMM_MAP_KVM_BYTES, VMM_MAP_RESERVED);
    put_e820(table, &n, 0, low_end, VMM_MAP_RAM);
    if (memory->bytes > low_end) {
        put_e820(table, &n, VMM_HIGH_RAM_START, memory->bytes - low_end,
                 VMM_MAP_RAM);
    }
    return vmm_fw_cfg_add_file(fw_cfg, "etc/e820", table, n * E820_BYTES, errp);
}

/*
 * What else QEMU has, so that keys are the same: no disk geometries, SeaBIOS
 * waits for ever if nothing boots, no device tree (QEMU has one for UEFI).
 */
static int add_small_files(struct vmm_fw_cfg *fw_cfg, struct gw_error **errp)
{
    static const uint8_t for_ever[4] = {0xff, 0xff, 0xff, 0xff};
    int r = vmm_fw_cfg_add_file(fw_cfg, "bios-geometry", "", 0, errp);

    if (r == 0) {
        r = vmm_fw_cfg_add_file(fw_cfg, "etc/boot-fail-wait", for_ever,
                                sizeof(for_ever), errp);
    }
    return r < 0 ? r : vmm_fw_cfg_add_file(fw_cfg, "etc/fdt", "", 0, errp);
}

int vmm_boot_firmware_basics(struct vmm_fw_cfg *fw_cfg,
                             const struct vmm_memory *memory,
                             unsigned int n_cpus, struct gw_error **errp)
{
    int r;

    r = vmm_fw_cfg_add_u64(fw_cfg, VMM_FW_CFG_RAM_SIZE, memory->bytes, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_fw_cfg_add_u16(fw_cfg, VMM_FW_CFG_CPUS, (uint16_t)n_cpus, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_fw_cfg_add_u16(fw_cfg, VMM_FW_CFG_MAX_CPUS, (uint16_t)n_cpus, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_fw_cfg_add_u32(fw_cfg, VMM_FW_CFG_IRQ0_OVERRIDE, 1, errp);
    if (r == 0) {
        r = add_e820(fw_cfg, memory, errp);
    }
    return r < 0 ? r : add_small_files(fw_cfg, errp);
}

static int add_initrd(struct vmm_fw_cfg *fw_cfg,
                      const struct vmm_memory *memory,
                      const struct vmm_linux_image *image, const char *path,
                      const struct vmm_contents *file, uint32_t *ret_address,
                      struct gw_error **errp)
{
    uint64_t end = vmm_map_low_end(memory) - FIRMWARE_RESERVE;
    struct number numbers[2];

    *ret_address = 0;
    if (!path) {
        return 0;
    }
    end = image->initrd_max < end ? image->initrd_max + 1 : end;
    if (file->size > end ||
        ((end - file->size) & ~PAGE_MASK) < image->run_end) {
        return gw_error_set(errp, -ERANGE,
                            "initrd '%s' of %llu bytes does not fit guest RAM",
                            path, (unsigned long long)file->size);
    }
    *ret_address = (uint32_t)((end - file->size) & ~PAGE_MASK);
    vmm_fw_cfg_add_contents(fw_cfg, VMM_FW_CFG_INITRD_DATA, path, file);
    numbers[0] = (struct number){VMM_FW_CFG_INITRD_ADDR, *ret_address};
    numbers[1] = (struct number){VMM_FW_CFG_INITRD_SIZE, (uint32_t)file->size};
    return add_numbers(fw_cfg, numbers, VMM_ARRAY_SIZE(numbers), errp);
}

static int add_cmdline(struct vmm_fw_cfg *fw_cfg,
                       const struct vmm_linux_image *image, const char *cmdline,
                       struct gw_error **errp)
{
    size_t len = strlen(cmdline);
    const struct number numbers[] = {
        {VMM_FW_CFG_CMDLINE_ADDR, CMDLINE_ADDRESS},
        {VMM_FW_CFG_CMDLINE_SIZE, (uint32_t)len + 1},
    };
    int r;

    if (len > image->cmdline_max) {
        return gw_error_set(errp, -EOVERFLOW,
                            "guest command line of %zu bytes, at most %u fit",
                            len, image->cmdline_max);
    }
    r = vmm_fw_cfg_add_copy(fw_cfg, VMM_FW_CFG_CMDLINE_DATA, cmdline, len + 1,
                            errp);
    return r < 0 ? r
                 : add_numbers(fw_cfg, numbers, VMM_ARRAY_SIZE(numbers), errp);
}

/* The setup code with what a boot loader writes into its header. */
static int add_setup(struct vmm_fw_cfg *fw_cfg,
                     const struct vmm_contents *kernel,
                     const struct vmm_linux_image *image, uint32_t initrd,
                     uint32_t initrd_bytes, struct gw_error **errp)
{
    const struct number numbers[] = {
        {VMM_FW_CFG_SETUP_ADDR, SETUP_ADDRESS},
        {VMM_FW_CFG_SETUP_SIZE, (uint32_t)image->setup_size},
        {VMM_FW_CFG_KERNEL_ADDR, VMM_LINUX_LOAD_ADDRESS},
        {VMM_FW_CFG_KERNEL_SIZE, (uint32_t)image->kernel.size},
    };
    VMM_AUTO_FREE uint8_t *setup = malloc(image->setup_size);
    int r;

    if (!setup) {
        return gw_error_set_errno(errp, -ENOMEM, "setup code");
    }
    r = vmm_contents_read(kernel, 0, setup, image->setup_size, errp);
    if (r < 0) {
        return r;
    }
    setup[HDR_TYPE_OF_LOADER] = LOADER_QEMU;
    setup[HDR_LOADFLAGS] |= CAN_USE_HEAP;
    vmm_put_le16(setup + HDR_HEAP_END,
                 (uint16_t)(CMDLINE_ADDRESS - SETUP_ADDRESS - HEAP_OFFSET));
    vmm_put_le32(setup + HDR_CMD_LINE_PTR, CMDLINE_ADDRESS);
    vmm_put_le32(setup + HDR_RAMDISK_IMAGE, initrd);
    vmm_put_le32(setup + HDR_RAMDISK_SIZE, initrd_bytes);
    r = vmm_fw_cfg_add_copy(fw_cfg, VMM_FW_CFG_SETUP_DATA, setup,
                            image->setup_size, errp);
    return r < 0 ? r
                 : add_numbers(fw_cfg, numbers, VMM_ARRAY_SIZE(numbers), errp);
}

static int add_kernel(struct vmm_fw_cfg *fw_cfg,
                      const struct vmm_memory *memory,
                      const struct vmm_boot_firmware *config,
                      struct gw_error **errp)
{
    const struct vmm_boot_files *files = config->files;
    struct vmm_linux_image image;
    uint32_t initrd;
    int r;

    r = vmm_linux_parse(&files->kernel, &image, errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "kernel '%s' for a firmware",
                               config->kernel);
    }
    vmm_fw_cfg_add_contents(fw_cfg, VMM_FW_CFG_KERNEL_DATA, config->kernel,
                            &image.kernel);
    r = add_initrd(fw_cfg, memory, &image, config->initrd, &files->initrd,
                   &initrd, errp);
    if (r < 0) {
        return r;
    }
    r = add_setup(fw_cfg, &files->kernel, &image, initrd,
                  (uint32_t)files->initrd.size, errp);
    return r < 0 ? r : add_cmdline(fw_cfg, &image, config->cmdline, errp);
}

/* Its name is QEMU's, by which SeaBIOS finds it in the order to boot from. */
#define OPTION_ROM "genroms/linuxboot_dma.bin"

int vmm_boot_firmware_files(struct vmm_fw_cfg *fw_cfg,
                            const struct vmm_boot_firmware *config,
                            bool option_roms, struct gw_error **errp)
{
    static const char order[] = "/rom@" OPTION_ROM;
    bool is_linux = false;
    int r = vmm_linux_probe(&config->files->kernel, &is_linux, errp);

    if (r < 0) {
        return gw_error_prefix(errp, r, "kernel '%s'", config->kernel);
    }
    if (is_linux) {
        vmm_fw_cfg_add_file_contents(fw_cfg, "etc/boot/kernel", config->kernel,
                                     &config->files->kernel);
    }
    if (!is_linux || !option_roms) {
        return vmm_fw_cfg_add_file(fw_cfg, "bootorder", "", 0, errp);
    }
    r = vmm_fw_cfg_add_file(fw_cfg, "bootorder", order, sizeof(order), errp);
    return r < 0 ? r
                 : vmm_fw_cfg_add_file(fw_cfg, OPTION_ROM, gw_linuxboot_rom,
                                       gw_linuxboot_rom_size, errp);
}

int vmm_boot_firmware_kernel(struct vmm_fw_cfg *fw_cfg,
                             const struct vmm_memory *memory,
                             const struct vmm_boot_firmware *config,
                             struct gw_error **errp)
{
    return config->kernel ? add_kernel(fw_cfg, memory, config, errp) : 0;
}
