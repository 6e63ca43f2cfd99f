/*
 * The blobs as RAM blocks.
 */
#include "acpi.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <godwit/machine.h>
#include <godwit/ram.h>
#include <godwit/tracker.h>

#include "util.h"

#define PAGE_BYTES 4096u

/* What a blob is called, in the stream and in fw_cfg, and its room. */
struct blob_kind {
    const char *idstr;
    const char *file;
    uint64_t max_bytes;
};

/* By vmm_acpi_blob_index; the room is that of QEMU's. */
static const struct blob_kind kinds[VMM_ACPI_BLOBS] = {
    {"/rom@etc/acpi/tables", "etc/acpi/tables", 0x200000},
    {"/rom@etc/table-loader", "etc/table-loader", 0x10000},
    {"/rom@etc/acpi/rsdp", "etc/acpi/rsdp", 0x1000},
};

int vmm_acpi_init(struct vmm_acpi *acpi, struct gw_error **errp)
{
    *acpi = (struct vmm_acpi){.enabled = true};
    for (size_t i = 0; i < VMM_ACPI_BLOBS; i++) {
        void *host = mmap(NULL, kinds[i].max_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (host == MAP_FAILED) {
            int r = gw_error_set_errno(errp, -errno, "cannot map ACPI tables");

            vmm_acpi_deinit(acpi);
            return r;
        }
        acpi->blobs[i] = (struct vmm_acpi_blob){.host = host,
                                                .max_bytes = kinds[i].max_bytes,
                                                .file = kinds[i].file};
    }
    return 0;
}

void vmm_acpi_deinit(struct vmm_acpi *acpi)
{
    for (size_t i = 0; i < VMM_ACPI_BLOBS; i++) {
        if (acpi->blobs[i].host) {
            munmap(acpi->blobs[i].host, acpi->blobs[i].max_bytes);
        }
    }
    *acpi = (struct vmm_acpi){0};
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

int vmm_acpi_add_block(struct vmm_acpi *acpi, enum vmm_acpi_blob_index index,
                       struct gw_machine *machine, struct gw_error **errp)
{
    struct vmm_acpi_blob *blob = &acpi->blobs[index];
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = kinds[index].idstr, .max_length = blob->max_bytes,
                    .flags = GW_RAM_RESIZEABLE);

    if (!acpi->enabled) {
        return 0;
    }
    attr.host = blob->host;
    /* An incoming guest brings its own; QEMU's blobs have a page at least. */
    attr.used_length = blob->size ? whole_pages(blob->size) : PAGE_BYTES;
    return gw_ram_block_add(machine, &attr, &blob->block, errp);
}

int vmm_acpi_rebuilt(struct vmm_acpi *acpi, struct gw_error **errp)
{
    for (size_t i = 0; i < VMM_ACPI_BLOBS; i++) {
        const struct vmm_acpi_blob *blob = &acpi->blobs[i];
        uint64_t bytes = whole_pages(blob->size);

        if (!blob->block) {
            continue;
        }
        if (gw_ram_block_used_length(blob->block) != bytes) {
            int r = gw_ram_block_resize(blob->block, bytes, errp);

            if (r < 0) {
                return r;
            }
        }
        memset(blob->host + blob->size, 0, bytes - blob->size);
        gw_ram_block_wrote(blob->block, 0, bytes);
    }
    return 0;
}

int vmm_acpi_resize(struct vmm_acpi *acpi, enum vmm_acpi_blob_index index,
                    uint64_t size, struct gw_error **errp)
{
    struct vmm_acpi_blob *blob = &acpi->blobs[index];

    if (size == 0 || size > blob->max_bytes) {
        return gw_error_set(
            errp, -EBADMSG, "%s of %llu bytes, expected 1 to %llu", blob->file,
            (unsigned long long)size, (unsigned long long)blob->max_bytes);
    }
    blob->size = size;
    return 0;
}
