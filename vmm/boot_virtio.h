/*
 * Linux' command line: the user's words, and those that name virtio-mmio
 * devices, for a machine without ACPI.
 */
#ifndef VMM_BOOT_VIRTIO_H
#define VMM_BOOT_VIRTIO_H

#include <stdint.h>

#include "acpi.h"

struct vmm_options;

/* Room for the words of all slots, NUL included. */
#define VMM_VIRTIO_WORDS_MAX (VMM_VIRTIO_SLOTS * 48u + 1)

/*
 * " virtio_mmio.device=512@0xfeb00e00:12" and so on for each bit of slots,
 * from the highest slot to the lowest, as QEMU adds them.
 */
void vmm_boot_virtio_words(uint32_t slots,
                           char ret_words[VMM_VIRTIO_WORDS_MAX]);

/*
 * The command line of a kernel that was given: the user's words, and without
 * ACPI those of the occupied slots. NULL: out of memory; the caller frees it.
 */
char *vmm_boot_kernel_cmdline(const struct vmm_options *options,
                              uint32_t slots);

#endif
