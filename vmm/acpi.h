/*
 * The ACPI tables of the machine, as QEMU hands them to firmware: three blobs.
 * `tables` holds the DSDT, FADT, MADT and XSDT with pointers relative to the
 * blob, `rsdp` the root pointer, and `loader` is a script that says where to
 * put both, which pointers to fix and which sums to correct.
 *
 * The blobs are RAM blocks, `/rom@etc/acpi/tables` and so on, so a guest that
 * comes in brings its own. Firmware reads them through fw_cfg; without
 * firmware vmm_acpi_place does what the script says.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "virtio_slots.h"

struct gw_machine;
struct gw_ram_block;

/* What the tables describe. */
struct vmm_acpi_config {
    unsigned int n_cpus;
    /* Bit n: virtio-mmio slot n is occupied. */
    uint32_t virtio_slots;
    /* There are 8259s; there is a clock in CMOS. */
    bool has_pic;
    bool has_rtc;
};

enum vmm_acpi_blob_index {
    VMM_ACPI_TABLES,
    VMM_ACPI_LOADER,
    VMM_ACPI_RSDP,
    VMM_ACPI_BLOBS,
};

/* One file of fw_cfg that is a RAM block. */
struct vmm_acpi_blob {
    /* The block in this process. */
    uint8_t *host;
    /* Bytes in use; those mapped. */
    uint64_t size;
    uint64_t max_bytes;
    /* Its name in fw_cfg. */
    const char *file;
    /* Of the machine, once it was added. */
    struct gw_ram_block *block;
};

struct vmm_acpi {
    /* The machine has ACPI. */
    bool enabled;
    struct vmm_acpi_blob blobs[VMM_ACPI_BLOBS];
};

/* Maps the blobs, empty. */
int vmm_acpi_init(struct vmm_acpi *acpi, struct gw_error **errp) GW_MUST_CHECK;
/* Accepts a zeroed object. */
void vmm_acpi_deinit(struct vmm_acpi *acpi);

/* Fills in the blobs. */
int vmm_acpi_build(struct vmm_acpi *acpi, const struct vmm_acpi_config *config,
                   struct gw_error **errp) GW_MUST_CHECK;

/*
 * After vmm_acpi_build, when the blobs are blocks of a machine already: makes
 * the blocks as long as they are, and tells that they were written.
 */
int vmm_acpi_rebuilt(struct vmm_acpi *acpi, struct gw_error **errp)
    GW_MUST_CHECK;

/* Adds one of the blobs to the machine; nothing without ACPI. */
int vmm_acpi_add_block(struct vmm_acpi *acpi, enum vmm_acpi_blob_index index,
                       struct gw_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;

/* A blob has another size, at most max_bytes; on the migration's thread. */
int vmm_acpi_resize(struct vmm_acpi *acpi, enum vmm_acpi_blob_index index,
                    uint64_t size, struct gw_error **errp) GW_MUST_CHECK;

/* How many bytes the tables take in guest RAM, whole pages. */
uint64_t vmm_acpi_placed_bytes(const struct vmm_acpi *acpi);

/*
 * Runs the script: puts the tables to host, which the guest sees at gpa, page
 * aligned, vmm_acpi_placed_bytes long. Gives the address of the root pointer.
 */
int vmm_acpi_place(const struct vmm_acpi *acpi, uint8_t *host, uint64_t gpa,
                   uint64_t *ret_rsdp, struct gw_error **errp) GW_MUST_CHECK;

#endif
