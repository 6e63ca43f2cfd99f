/*
 * Loading an ELF image (32 or 64 bit, x86, little endian) into guest RAM.
 *
 * The image is hostile input: every offset and size is checked against the
 * file and against guest RAM before it is used.
 */
#ifndef VMM_ELF_IMAGE_H
#define VMM_ELF_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "contents.h"

/*
 * Asked before each segment is copied; returns where to put `bytes` bytes at
 * the guest physical address, or NULL if they may not go there.
 */
typedef void *(*vmm_elf_place_fn)(void *opaque, uint64_t gpa, uint64_t bytes);

/* What was loaded. */
struct vmm_elf {
    /* Guest physical address of the first instruction (32 bit). */
    uint32_t entry;
    /* Lowest and highest (exclusive) guest physical address used. */
    uint64_t start;
    uint64_t end;
    /* Entered through a PVH note (owner Xen, type 18). */
    bool pvh;
};

/*
 * Copies the loadable segments. -EBADMSG for a malformed image, -ENOTSUP for
 * one of another machine, -ERANGE if it does not fit guest RAM. Nothing is
 * written if a header is wrong. Each byte of the headers is read once: what was
 * checked is what is used, also of a file that is being written.
 */
int vmm_elf_load(const struct vmm_contents *file, vmm_elf_place_fn place,
                 void *opaque, struct vmm_elf *ret_elf, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
