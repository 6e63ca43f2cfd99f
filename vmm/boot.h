/*
 * Cold start without firmware: a kernel, its boot data, its initial RAM disk
 * and the ACPI tables in guest RAM.
 *
 * Three kinds of kernel: a Linux bzImage (linux_boot.h), an ELF image with a
 * PVH note, and any other ELF image. All are entered in 32-bit protected mode
 * without paging, with flat segments: what Linux' 32-bit boot protocol and PVH
 * have in common. ESI holds the address of Linux' boot parameters, EBX that
 * of the PVH start information; the one that is not there is 0.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdint.h>

#include <godwit/error.h>

#include "contents.h"
#include "memory.h"
#include "mp_table.h"

struct vmm_acpi;

/* Boot data lie here; an image may not. */
#define VMM_BOOT_DATA_START 0x6000u
#define VMM_BOOT_DATA_END 0x30000u
/* Selectors of the flat segments in the GDT we leave to the guest: Linux'. */
#define VMM_BOOT_CS 0x10u
#define VMM_BOOT_DS 0x18u
#define VMM_BOOT_TSS 0x20u
/* Where that GDT is, and its size. */
#define VMM_BOOT_GDT 0x6100u
#define VMM_BOOT_GDT_BYTES 40u
/* Linux' boot parameters, and the command line of either kind of kernel. */
#define VMM_BOOT_PARAMS 0x10000u
#define VMM_BOOT_CMDLINE 0x20000u
/* Bytes of the longest command line, NUL included. */
#define VMM_BOOT_CMDLINE_MAX 4096u

/* What is to be started. Pointers are lent. */
struct vmm_boot_config {
    struct vmm_contents image;
    /* The initial RAM disk; 0 bytes: none. */
    struct vmm_contents initrd;
    /* Names of their files, for messages, or NULL. */
    const char *kernel_name;
    const char *initrd_name;
    /* Command line; not NULL. */
    const char *cmdline;
    /* The tables, or NULL without ACPI: then there is an MP table. */
    const struct vmm_acpi *acpi;
    struct vmm_mp_config mp;
    /* The firmware's block, which hides as many bytes below 1 MiB; or 0. */
    uint8_t *firmware;
    uint64_t hidden_bytes;
};

/* What a vCPU needs to start. */
struct vmm_boot {
    uint32_t entry;
    /* PVH start information, for EBX; or 0. */
    uint32_t start_info;
    /* Linux' boot parameters, for ESI; or 0. */
    uint32_t params;
};

/*
 * Loads what the configuration says and writes the boot data; says what it
 * wrote (vmm_memory_wrote), but not of the firmware.
 */
int vmm_boot_load(struct vmm_memory *memory,
                  const struct vmm_boot_config *config,
                  struct vmm_boot *ret_boot, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
