/*
 * Cold start: an ELF image and its PVH start information in guest RAM.
 *
 * The guest is entered in 32-bit protected mode without paging, flat
 * segments, EBX holding the address of the start information, whether the
 * image has a PVH note or not.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "memory.h"

/* Boot data lie here; an image may not. */
#define VMM_BOOT_DATA_START 0x6000u
#define VMM_BOOT_DATA_END 0x30000u
/* Selectors of the flat segments in the GDT we leave to the guest. */
#define VMM_BOOT_CS 0x08u
#define VMM_BOOT_DS 0x10u
#define VMM_BOOT_TSS 0x18u
/* Where that GDT is, and its size. */
#define VMM_BOOT_GDT 0x6100u
#define VMM_BOOT_GDT_BYTES 32u
/* Bytes of the longest command line, NUL included. */
#define VMM_BOOT_CMDLINE_MAX 4096u

/* What a vCPU needs to start. */
struct vmm_boot {
    uint32_t entry;
    uint32_t start_info;
};

/*
 * Loads an image from memory and writes the boot data. The cmdline is that of
 * the guest.
 */
int vmm_boot_load(struct vmm_memory *memory, const void *image,
                  size_t image_size, const char *cmdline,
                  struct vmm_boot *ret_boot, struct gw_error **errp)
    GW_MUST_CHECK;

/* The same from a file. */
int vmm_boot_load_file(struct vmm_memory *memory, const char *path,
                       const char *cmdline, struct vmm_boot *ret_boot,
                       struct gw_error **errp) GW_MUST_CHECK;

#endif
