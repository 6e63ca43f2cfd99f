/*
 * The RAM block `pc.bios` at the end of 4 GiB, its last part again below
 * 1 MiB. It holds a firmware that was loaded or that came in with a guest; else
 * there is only room for one.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "contents.h"

struct gw_machine;
struct gw_ram_block;

/* The largest part of the firmware that shows below 1 MiB. */
#define VMM_FIRMWARE_MAX 0x20000u

struct vmm_firmware {
    /* The block in this process; NULL without firmware. */
    uint8_t *host;
    /* Its size: 64 or 128 KiB, or 0. */
    uint64_t bytes;
    /* Something may have been written to it. */
    bool touched;
    /* Its block in the stream, once it was added; the machine's. */
    struct gw_ram_block *block;
};

/* Makes it, all zero; nothing if bytes is 0. */
int vmm_firmware_init(struct vmm_firmware *firmware, uint64_t bytes,
                      struct gw_error **errp) GW_MUST_CHECK;
void vmm_firmware_deinit(struct vmm_firmware *firmware);

/*
 * The VMM has written bytes at `host`: true, and noted for whoever saves the
 * guest meanwhile, if that is in the firmware.
 */
bool vmm_firmware_wrote(const struct vmm_firmware *firmware,
                        const uint8_t *host, uint64_t bytes);

/* Loads a firmware into the whole of it; path is for messages. */
int vmm_firmware_load(struct vmm_firmware *firmware, const char *path,
                      const struct vmm_contents *file, struct gw_error **errp)
    GW_MUST_CHECK;

/* Zeros, as without a firmware. */
void vmm_firmware_clear(struct vmm_firmware *firmware);

/* Adds the block to the machine; nothing without firmware. */
int vmm_firmware_add_block(struct vmm_firmware *firmware,
                           struct gw_machine *machine, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
