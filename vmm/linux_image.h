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
#include "contents.h"

/* Where the protected-mode part of every bzImage is loaded. */
#define VMM_LINUX_LOAD_ADDRESS 0x100000u
/* Bytes of the boot parameters. */
#define VMM_LINUX_PARAMS_BYTES 4096u

/* Where the longest setup header ends. */
#define VMM_LINUX_HEAD_BYTES 0x290u

/* What is in an image. */
struct vmm_linux_image {
    /* Its start, with the setup header; zeros beyond its end. */
    uint8_t head[VMM_LINUX_HEAD_BYTES];
    /* Real-mode part: boot sector and setup sectors. */
    size_t setup_size;
    /* Protected-mode part; lent by the image. */
    struct vmm_contents kernel;
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
int vmm_linux_probe(const struct vmm_contents *image, bool *ret_found,
                    struct gw_error **errp) GW_MUST_CHECK;

/* -EBADMSG for a malformed one, -ENOTSUP for one that is too old. */
int vmm_linux_parse(const struct vmm_contents *image,
                    struct vmm_linux_image *ret_image, struct gw_error **errp)
    GW_MUST_CHECK;

/* Fills in VMM_LINUX_PARAMS_BYTES bytes. */
void vmm_linux_write_params(const struct vmm_linux_image *image,
                            const struct vmm_linux_params *params,
                            uint8_t *ret_page);

#endif
