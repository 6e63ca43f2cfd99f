/*
 * Cold start with firmware: a kernel, its command line and initial RAM disk as
 * items of fw_cfg, which the firmware copies to where they say.
 */
#ifndef VMM_BOOT_FIRMWARE_H
#define VMM_BOOT_FIRMWARE_H

#include <godwit/error.h>

#include "file_map.h"
#include "fw_cfg.h"
#include "memory.h"

/* Files that fw_cfg lends to the guest. */
struct vmm_boot_files {
    struct vmm_file_map kernel;
    struct vmm_file_map initrd;
};

/* What the firmware is to start; pointers are lent. */
struct vmm_boot_firmware {
    /* A bzImage, or NULL. */
    const char *kernel;
    const char *initrd;
    const char *cmdline;
};

/* Items that each firmware needs: RAM, CPUs, the memory map. */
int vmm_boot_firmware_basics(struct vmm_fw_cfg *fw_cfg,
                             const struct vmm_memory *memory,
                             unsigned int n_cpus, struct gw_error **errp)
    GW_MUST_CHECK;

/* Items of the kernel. files must live as long as fw_cfg. */
int vmm_boot_firmware_kernel(struct vmm_fw_cfg *fw_cfg,
                             const struct vmm_memory *memory,
                             const struct vmm_boot_firmware *config,
                             struct vmm_boot_files *files,
                             struct gw_error **errp) GW_MUST_CHECK;

/* Accepts a zeroed object. */
void vmm_boot_files_deinit(struct vmm_boot_files *files);

#endif
