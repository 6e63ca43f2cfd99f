/*
 * A Linux bzImage (Linux' x86 boot protocol 2.06 and later): its setup header
 * checked, its protected-mode part found, its boot parameters built.
 *
 * The image is hostile input. Offsets of the header are those of the kernel's
 * documentation, "The Linux/x86 Boot Protocol".
 */
#ifndef VMM_LINUX_IMAGE_H
#define VMM_LINUX_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "boot_map.h"

/* Where the protected-mode part of every bzImage is loaded. */
#define VMM_LINUX_LOAD_ADDRESS 0x100000u
/* Bytes of the boot parameters. */
#define VMM_LINUX_PARAMS_BYTES 4096u

/* What is in an image; pointers into it. */
struct vmm_linux_image {
    /* Real-mode part: boot sector and setup sectors. */
    const uint8_t *setup;
    size_t setup_size;
    /* Protected-mode part. */
    const uint8_t *kernel;
    size_t kernel_size;
    /* Bytes of the setup header, from offset 0x1f1 on. */
    size_t header_size;
    /* Boot protocol, 0x20f for 2.15. */
    uint16_t protocol;
    /* Highest address that the initial RAM disk may occupy. */
    uint64_t initrd_max;
    /* Bytes of the longest command line, without NUL. */
    uint32_t cmdline_max;
    /* The kernel unpacks itself within these addresses. */
    uint64_t run_start;
    uint64_t run_end;
};

/* What the boot parameters say. */
struct vmm_linux_params {
    uint32_t cmdline;
    uint32_t initrd;
    uint32_t initrd_bytes;
    /* Address of the ACPI root pointer, or 0. */
    uint64_t rsdp;
    const struct vmm_map_entry *map;
    unsigned int n_map;
};

/* Whether it looks like one: the magic of the header is there. */
bool vmm_linux_is_image(const uint8_t *image, size_t size);

/* -EBADMSG for a malformed one, -ENOTSUP for one that is too old. */
int vmm_linux_parse(const uint8_t *image, size_t size,
                    struct vmm_linux_image *ret_image, struct gw_error **errp)
    GW_MUST_CHECK;

/* Fills in VMM_LINUX_PARAMS_BYTES bytes. */
void vmm_linux_write_params(const struct vmm_linux_image *image,
                            const struct vmm_linux_params *params,
                            uint8_t *ret_page);

#endif
