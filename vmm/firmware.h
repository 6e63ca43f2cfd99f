/*
 * What QEMU's machine has for its firmware, for guests that come from there
 * or go there: the RAM block `pc.bios` at the end of 4 GiB, its last part
 * again below 1 MiB, and the state of the fw_cfg device. There is no firmware
 * in it, and fw_cfg does not answer: a guest that runs does not ask.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <stdint.h>

#include <godwit/error.h>

#include "memory.h"

struct gw_machine;
struct gw_vmstate;

/* The largest part of the firmware that shows below 1 MiB. */
#define VMM_FIRMWARE_MAX 0x20000u
/* The most ranges of RAM that the guest sees with a firmware. */
#define VMM_FIRMWARE_RANGES 5

/* Section `fw_cfg`. */
struct vmm_fw_cfg {
    /* Selected key, and the offset of the next byte. */
    uint16_t key;
    uint32_t offset;
    /* Pending DMA address. */
    uint64_t dma;
};

struct vmm_firmware {
    /* The block in this process; NULL without firmware. */
    uint8_t *host;
    /* Its size: 64 or 128 KiB, or 0. */
    uint64_t bytes;
    struct vmm_fw_cfg fw_cfg;
};

extern const struct gw_vmstate vmm_fw_cfg_vmstate;

/* Makes it, all zero; nothing if bytes is 0. */
int vmm_firmware_init(struct vmm_firmware *firmware, uint64_t bytes,
                      struct gw_error **errp) GW_MUST_CHECK;
void vmm_firmware_deinit(struct vmm_firmware *firmware);

/* Adds the block and the section to the machine; nothing without firmware. */
int vmm_firmware_add_block(struct vmm_firmware *firmware,
                           struct gw_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;
int vmm_firmware_add_device(struct vmm_firmware *firmware,
                            struct gw_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * All ranges of RAM as the guest sees them, the firmware over guest RAM, with
 * or without firmware. Returns how many.
 */
unsigned int
vmm_firmware_ranges(const struct vmm_firmware *firmware,
                    const struct vmm_memory *memory,
                    struct vmm_memory_range ret_ranges[VMM_FIRMWARE_RANGES]);

#endif
