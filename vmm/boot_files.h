/*
 * The files that the machine boots from: kernel, initial RAM disk, firmware.
 * They are opened once, before the guest runs, and stay: a reset boots what
 * the cold start did, whatever has become of their names.
 */
#ifndef VMM_BOOT_FILES_H
#define VMM_BOOT_FILES_H

#include <godwit/error.h>

#include "contents.h"

struct vmm_options;

/* Those that were not asked for are empty. */
struct vmm_boot_files {
    struct vmm_contents kernel;
    struct vmm_contents initrd;
    struct vmm_contents firmware;
};

/* Opens those that the options name. */
int vmm_boot_files_open(struct vmm_boot_files *files,
                        const struct vmm_options *options,
                        struct gw_error **errp) GW_MUST_CHECK;

/*
 * Whether they can still be booted: each is as long as it was. A firmware
 * would only learn it halfway.
 */
int vmm_boot_files_check(const struct vmm_boot_files *files,
                         struct gw_error **errp) GW_MUST_CHECK;

/* Accepts a zeroed object. */
void vmm_boot_files_close(struct vmm_boot_files *files);

#endif
