/*
 * The block, and guest memory with it.
 */
#include "firmware.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <godwit/machine.h>
#include <godwit/ram.h>
#include <godwit/tracker.h>

#include "util.h"

#define FIRMWARE_IDSTR "pc.bios"

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

int vmm_firmware_load(struct vmm_firmware *firmware, const char *path,
                      const struct vmm_contents *file, struct gw_error **errp)
{
    int r;

    if (file->size != firmware->bytes) {
        return gw_error_set(errp, -EINVAL,
                            "firmware '%s' has %llu bytes, there is room for "
                            "%llu",
                            path, (unsigned long long)file->size,
                            (unsigned long long)firmware->bytes);
    }
    firmware->touched = true;
    r = vmm_contents_read(file, 0, firmware->host, file->size, errp);
    vmm_firmware_wrote(firmware, firmware->host, firmware->bytes);
    return gw_error_prefix(errp, r, "firmware '%s'", path);
}

void vmm_firmware_clear(struct vmm_firmware *firmware)
{
    if (firmware->host && firmware->touched) {
        memset(firmware->host, 0, firmware->bytes);
        vmm_firmware_wrote(firmware, firmware->host, firmware->bytes);
    }
}

int vmm_firmware_add_block(struct vmm_firmware *firmware,
                           struct gw_machine *machine, struct gw_error **errp)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = FIRMWARE_IDSTR, .host = firmware->host,
                    .used_length = firmware->bytes,
                    .flags = GW_RAM_ANONYMOUS |
                             (firmware->touched ? 0 : GW_RAM_ZEROED));

    if (!firmware->host) {
        return 0;
    }
    return gw_ram_block_add(machine, &attr, &firmware->block, errp);
}

bool vmm_firmware_wrote(const struct vmm_firmware *firmware,
                        const uint8_t *host, uint64_t bytes)
{
    uintptr_t offset = (uintptr_t)host - (uintptr_t)firmware->host;

    if (!firmware->host || offset >= firmware->bytes) {
        return false;
    }
    if (firmware->block) {
        gw_ram_block_wrote(firmware->block, offset, bytes);
    }
    return true;
}
