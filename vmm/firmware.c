/*
 * Room for a firmware, and fw_cfg's section.
 */
#include "firmware.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include <godwit/machine.h>
#include <godwit/ram.h>
#include <godwit/vmstate.h>

#include "util.h"

#define FIRMWARE_IDSTR "pc.bios"
#define ONE_MIB 0x100000ull
#define FOUR_GIB 0x100000000ull

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

static const struct gw_vmstate *const subsections[] = {
    &dma_vmstate,
    NULL,
};

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
};

int vmm_firmware_init(struct vmm_firmware *firmware, uint64_t bytes,
                      struct gw_error **errp)
{
    void *host;

    *firmware = (struct vmm_firmware){0};
    if (bytes == 0) {
        return 0;
    }
    host = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (host == MAP_FAILED) {
        return gw_error_set_errno(errp, -errno, "cannot map the firmware");
    }
    firmware->host = host;
    firmware->bytes = bytes;
    return 0;
}

void vmm_firmware_deinit(struct vmm_firmware *firmware)
{
    if (firmware->host) {
        munmap(firmware->host, firmware->bytes);
    }
    *firmware = (struct vmm_firmware){0};
}

int vmm_firmware_add_block(struct vmm_firmware *firmware,
                           struct gw_machine *machine, struct gw_error **errp)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = FIRMWARE_IDSTR, .host = firmware->host,
                    .used_length = firmware->bytes,
                    .flags = GW_RAM_ZEROED | GW_RAM_ANONYMOUS);

    if (!firmware->host) {
        return 0;
    }
    return gw_ram_block_add(machine, &attr, NULL, errp);
}

int vmm_firmware_add_device(struct vmm_firmware *firmware,
                            struct gw_machine *machine, struct gw_error **errp)
{
    if (!firmware->host) {
        return 0;
    }
    return gw_machine_add_device(machine, &vmm_fw_cfg_vmstate, NULL, 0,
                                 &firmware->fw_cfg, NULL, errp);
}

static void add_range(struct vmm_memory_range *ranges, unsigned int *n,
                      uint64_t gpa, uint64_t bytes, uint8_t *host)
{
    if (bytes > 0) {
        ranges[(*n)++] =
            (struct vmm_memory_range){.gpa = gpa, .bytes = bytes, .host = host};
    }
}

unsigned int
vmm_firmware_ranges(const struct vmm_firmware *firmware,
                    const struct vmm_memory *memory,
                    struct vmm_memory_range ret_ranges[VMM_FIRMWARE_RANGES])
{
    struct vmm_memory_range ram[2];
    unsigned int n_ram = vmm_memory_ranges(memory, ram);
    uint64_t fw = firmware->bytes;
    unsigned int n = 0;

    if (fw == 0) {
        add_range(ret_ranges, &n, ram[0].gpa, ram[0].bytes, ram[0].host);
    } else {
        add_range(ret_ranges, &n, 0, ONE_MIB - fw, ram[0].host);
        add_range(ret_ranges, &n, ONE_MIB - fw, fw, firmware->host);
        add_range(ret_ranges, &n, ONE_MIB, ram[0].bytes - ONE_MIB,
                  ram[0].host + ONE_MIB);
        add_range(ret_ranges, &n, FOUR_GIB - fw, fw, firmware->host);
    }
    if (n_ram > 1) {
        add_range(ret_ranges, &n, ram[1].gpa, ram[1].bytes, ram[1].host);
    }
    return n;
}
