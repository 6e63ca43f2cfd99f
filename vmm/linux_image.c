/*
 * Reading a bzImage's header and writing the "zero page".
 */
#include "linux_image.h"

#include <errno.h>
#include <string.h>

#include "util.h"

#define SECTOR_BYTES 512u
/* Setup header, by offset from the start of the file or of the parameters. */
#define HDR_SETUP_SECTS 0x1f1u
#define HDR_BOOT_FLAG 0x1feu
#define HDR_JUMP_LENGTH 0x201u
#define HDR_MAGIC 0x202u
#define HDR_VERSION 0x206u
#define HDR_TYPE_OF_LOADER 0x210u
#define HDR_LOADFLAGS 0x211u
#define HDR_RAMDISK_IMAGE 0x218u
#define HDR_RAMDISK_SIZE 0x21cu
#define HDR_CMD_LINE_PTR 0x228u
#define HDR_INITRD_ADDR_MAX 0x22cu
#define HDR_RELOCATABLE 0x234u
#define HDR_CMDLINE_SIZE 0x238u
#define HDR_PREF_ADDRESS 0x258u
#define HDR_INIT_SIZE 0x260u
/* Up to here every version that we take has fields. */
#define HDR_MIN_END 0x23cu
#define HDR_FULL_END 0x264u

#define BOOT_FLAG 0xaa55u
#define MAGIC 0x53726448u /* "HdrS" */
#define OLDEST_PROTOCOL 0x206u
#define PROTOCOL_PREF_ADDRESS 0x20au
#define LOADED_HIGH 0x01u
#define LOADER_UNDEFINED 0xffu

/* Boot parameters beside the header. */
#define PARAMS_RSDP 0x070u
#define PARAMS_N_E820 0x1e8u
#define PARAMS_E820 0x2d0u
#define E820_ENTRY_BYTES 20u

static bool has_magic(const uint8_t *head, uint64_t size)
{
    return size >= HDR_MIN_END && vmm_get_le32(head + HDR_MAGIC) == MAGIC &&
           vmm_get_le16(head + HDR_BOOT_FLAG) == BOOT_FLAG;
}

int vmm_linux_probe(const struct vmm_contents *image, bool *ret_found,
                    struct gw_error **errp)
{
    uint8_t head[VMM_LINUX_HEAD_BYTES];
    int r = vmm_contents_read_head(image, head, sizeof(head), errp);

    if (r == 0) {
        *ret_found = has_magic(head, image->size);
    }
    return r;
}

static int check_header(const uint8_t *head, uint64_t size,
                        struct gw_error **errp)
{
    uint16_t protocol;

    if (!has_magic(head, size)) {
        return gw_error_set(errp, -EBADMSG, "not a Linux image");
    }
    protocol = vmm_get_le16(head + HDR_VERSION);
    if (protocol < OLDEST_PROTOCOL) {
        return gw_error_set(errp, -ENOTSUP,
                            "Linux boot protocol %u.%02u, expected at least "
                            "2.06",
                            protocol >> 8, protocol & 0xffu);
    }
    if (!(head[HDR_LOADFLAGS] & LOADED_HIGH)) {
        return gw_error_set(errp, -ENOTSUP,
                            "a Linux zImage, expected a bzImage");
    }
    return 0;
}

/* Where the kernel will be when it runs; it moves there from its load place. */
static void find_run_range(struct vmm_linux_image *parsed)
{
    uint64_t start = VMM_LINUX_LOAD_ADDRESS;
    uint64_t bytes = parsed->kernel.size;

    if (parsed->protocol >= PROTOCOL_PREF_ADDRESS &&
        parsed->setup_size >= HDR_FULL_END) {
        uint64_t preferred = vmm_get_le64(parsed->head + HDR_PREF_ADDRESS);

        start = preferred > start ? preferred : start;
        bytes = vmm_get_le32(parsed->head + HDR_INIT_SIZE);
    }
    parsed->run_start = start;
    parsed->run_end = start > UINT64_MAX - bytes ? UINT64_MAX : start + bytes;
}

int vmm_linux_parse(const struct vmm_contents *image,
                    struct vmm_linux_image *ret_image, struct gw_error **errp)
{
    struct vmm_linux_image parsed = {0};
    const uint8_t *head = parsed.head;
    size_t sectors;
    size_t header_end;
    int r;

    r = vmm_contents_read_head(image, parsed.head, sizeof(parsed.head), errp);
    if (r < 0) {
        return r;
    }
    r = check_header(head, image->size, errp);
    if (r < 0) {
        return r;
    }
    /* 0 means 4, for kernels of another century. */
    sectors = head[HDR_SETUP_SECTS] ? head[HDR_SETUP_SECTS] : 4;
    parsed.setup_size = (sectors + 1) * SECTOR_BYTES;
    if (parsed.setup_size >= image->size) {
        return gw_error_set(errp, -EBADMSG,
                            "Linux image of %llu bytes ends within its %zu "
                            "bytes of setup code",
                            (unsigned long long)image->size, parsed.setup_size);
    }
    header_end = HDR_MAGIC + (size_t)head[HDR_JUMP_LENGTH];
    if (header_end < HDR_MIN_END || header_end > VMM_LINUX_HEAD_BYTES) {
        return gw_error_set(errp, -EBADMSG,
                            "Linux setup header ends at 0x%zx, expected 0x%x "
                            "to 0x%x",
                            header_end, HDR_MIN_END, VMM_LINUX_HEAD_BYTES);
    }
    parsed.header_size = header_end - HDR_SETUP_SECTS;
    parsed.kernel = vmm_contents_from(image, parsed.setup_size);
    parsed.protocol = vmm_get_le16(head + HDR_VERSION);
    parsed.initrd_max = vmm_get_le32(head + HDR_INITRD_ADDR_MAX);
    parsed.cmdline_max = vmm_get_le32(head + HDR_CMDLINE_SIZE);
    find_run_range(&parsed);
    *ret_image = parsed;
    return 0;
}

static void write_map(const struct vmm_linux_params *params, uint8_t *page)
{
    page[PARAMS_N_E820] = (uint8_t)params->n_map;
    for (unsigned int i = 0; i < params->n_map; i++) {
        uint8_t *entry = page + PARAMS_E820 + (size_t)i * E820_ENTRY_BYTES;

        vmm_put_le64(entry, params->map[i].gpa);
        vmm_put_le64(entry + 8, params->map[i].bytes);
        vmm_put_le32(entry + 16, params->map[i].type);
    }
}

void vmm_linux_write_params(const struct vmm_linux_image *image,
                            const struct vmm_linux_params *params,
                            uint8_t *ret_page)
{
    memset(ret_page, 0, VMM_LINUX_PARAMS_BYTES);
    memcpy(ret_page + HDR_SETUP_SECTS, image->head + HDR_SETUP_SECTS,
           image->header_size);
    ret_page[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    vmm_put_le32(ret_page + HDR_RAMDISK_IMAGE, params->initrd);
    vmm_put_le32(ret_page + HDR_RAMDISK_SIZE, params->initrd_bytes);
    vmm_put_le32(ret_page + HDR_CMD_LINE_PTR, params->cmdline);
    vmm_put_le64(ret_page + PARAMS_RSDP, params->rsdp);
    write_map(params, ret_page);
}
