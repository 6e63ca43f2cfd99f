/*
 * Section `fw_cfg`, version 2.
 */
#include "fw_cfg.h"

#include <errno.h>

#include <godwit/ram.h>
#include <godwit/vmstate.h>

#include "acpi.h"

static const struct gw_field dma_fields[] = {
    GW_FIELD_U64(struct vmm_fw_cfg, dma),
    GW_FIELD_END,
};

/* Version 0: so it is on the wire. */
static const struct gw_vmstate dma_vmstate = {
    .name = "fw_cfg/dma",
    .version = 0,
    .min_version = 0,
    .size = sizeof(struct vmm_fw_cfg),
    .fields = dma_fields,
};

/* The true sizes, unless all are those of the RAM blocks: whole pages. */
static bool acpi_needed(const void *state)
{
    const struct vmm_fw_cfg *fw_cfg = state;
    uint64_t odd = 0;

    for (int i = 0; i < VMM_ACPI_BLOBS; i++) {
        odd |= fw_cfg->acpi_sizes[i] % GW_TARGET_PAGE_SIZE;
    }
    return fw_cfg->acpi->enabled && odd != 0;
}

static int acpi_post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_fw_cfg *fw_cfg = state;

    if (!fw_cfg->acpi->enabled) {
        return gw_error_set(errp, -EINVAL, "this machine has no ACPI");
    }
    for (int i = 0; i < VMM_ACPI_BLOBS; i++) {
        int r = vmm_acpi_resize(fw_cfg->acpi, (enum vmm_acpi_blob_index)i,
                                fw_cfg->acpi_sizes[i], errp);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Tables, loader, root pointer. */
static const struct gw_field acpi_fields[] = {
    GW_FIELD_U64(struct vmm_fw_cfg, acpi_sizes[0]),
    GW_FIELD_U64(struct vmm_fw_cfg, acpi_sizes[1]),
    GW_FIELD_U64(struct vmm_fw_cfg, acpi_sizes[2]),
    GW_FIELD_END,
};

static const struct gw_vmstate acpi_vmstate = {
    .name = "fw_cfg/acpi_mr",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_fw_cfg),
    .fields = acpi_fields,
    .needed = acpi_needed,
    .post_load = acpi_post_load,
};

static const struct gw_vmstate *const subsections[] = {
    &dma_vmstate,
    &acpi_vmstate,
    NULL,
};

static int pre_save(void *state, struct gw_error **errp)
{
    struct vmm_fw_cfg *fw_cfg = state;

    for (int i = 0; i < VMM_ACPI_BLOBS; i++) {
        fw_cfg->acpi_sizes[i] = fw_cfg->acpi->blobs[i].size;
    }
    return 0;
}

/* Without the subsection each blob is as long as its block. */
static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_fw_cfg *fw_cfg = state;

    for (int i = 0; i < VMM_ACPI_BLOBS; i++) {
        struct vmm_acpi_blob *blob = &fw_cfg->acpi->blobs[i];

        if (blob->block) {
            blob->size = gw_ram_block_used_length(blob->block);
        }
    }
    return 0;
}

static const struct gw_field fields[] = {
    GW_FIELD_U16(struct vmm_fw_cfg, key),
    GW_FIELD_U32(struct vmm_fw_cfg, offset),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_fw_cfg_vmstate = {
    .name = "fw_cfg",
    .version = 2,
    .min_version = 2,
    .size = sizeof(struct vmm_fw_cfg),
    .fields = fields,
    .subsections = subsections,
    .pre_save = pre_save,
    .pre_load = pre_load,
};
