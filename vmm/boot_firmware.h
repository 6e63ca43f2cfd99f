/*
 * Cold start with firmware: a kernel, its command line and initial RAM disk as
 * items of fw_cfg, which the firmware copies to where they say.
 */
#ifndef VMM_BOOT_FIRMWARE_H
#define VMM_BOOT_FIRMWARE_H

#include <godwit/error.h>

#include "boot_files.h"
#include "fw_cfg.h"
#include "memory.h"

/* What the firmware is to start; pointers are lent. */
struct vmm_boot_firmware {
    /* Lent to the guest: they and their names live as long as fw_cfg. */
    const struct vmm_boot_files *files;
    /* Names of the files, for messages: a bzImage, or NULL; initrd or NULL. */
    const char *kernel;
    const char *initrd;
    const char *cmdline;
};

/* Items of each machine: RAM, CPUs, the memory map. */
int vmm_boot_firmware_basics(struct vmm_fw_cfg *fw_cfg,
                             const struct vmm_memory *memory,
                             unsigned int n_cpus, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * Files of a machine with a kernel, which may be none: the kernel as a whole
 * and, for SeaBIOS, which alone starts no kernel, an option ROM that does
 * (guest/linuxboot/); and the order to boot from. qboot wants none of them. Of
 * config only the kernel counts.
 */
int vmm_boot_firmware_files(struct vmm_fw_cfg *fw_cfg,
                            const struct vmm_boot_firmware *config,
                            bool option_roms, struct gw_error **errp)
    GW_MUST_CHECK;

/* Items of the kernel, once. */
int vmm_boot_firmware_kernel(struct vmm_fw_cfg *fw_cfg,
                             const struct vmm_memory *memory,
                             const struct vmm_boot_firmware *config,
                             struct gw_error **errp) GW_MUST_CHECK;

#endif
