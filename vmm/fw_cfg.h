/*
 * QEMU's firmware configuration device at ports 0x510 to 0x51b: items by key,
 * read byte by byte or by DMA. Nothing of it can be written. Section `fw_cfg`.
 *
 * Registers and the DMA descriptor: docs/spec/machine.md, 2.2.
 */
#ifndef VMM_FW_CFG_H
#define VMM_FW_CFG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "bus.h"
#include "contents.h"

struct gw_vmstate;
struct vmm_acpi;

#define VMM_FW_CFG_PORT 0x510u
#define VMM_FW_CFG_PORTS 12u
/* Offsets of the selector, the data and the two halves of the DMA address. */
#define VMM_FW_CFG_SELECTOR 0u
#define VMM_FW_CFG_DATA 1u
#define VMM_FW_CFG_DMA_HIGH 4u
#define VMM_FW_CFG_DMA_LOW 8u

/* Keys. */
enum vmm_fw_cfg_key {
    VMM_FW_CFG_SIGNATURE = 0x00,
    VMM_FW_CFG_ID = 0x01,
    VMM_FW_CFG_RAM_SIZE = 0x03,
    VMM_FW_CFG_CPUS = 0x05,
    VMM_FW_CFG_KERNEL_ADDR = 0x07,
    VMM_FW_CFG_KERNEL_SIZE = 0x08,
    VMM_FW_CFG_INITRD_ADDR = 0x0a,
    VMM_FW_CFG_INITRD_SIZE = 0x0b,
    VMM_FW_CFG_MAX_CPUS = 0x0f,
    VMM_FW_CFG_KERNEL_DATA = 0x11,
    VMM_FW_CFG_INITRD_DATA = 0x12,
    VMM_FW_CFG_CMDLINE_ADDR = 0x13,
    VMM_FW_CFG_CMDLINE_SIZE = 0x14,
    VMM_FW_CFG_CMDLINE_DATA = 0x15,
    VMM_FW_CFG_SETUP_ADDR = 0x16,
    VMM_FW_CFG_SETUP_SIZE = 0x17,
    VMM_FW_CFG_SETUP_DATA = 0x18,
    VMM_FW_CFG_DIRECTORY = 0x19,
    VMM_FW_CFG_FILES = 0x20,
    VMM_FW_CFG_IRQ0_OVERRIDE = 0x8002,
    /* Selected after a key that cannot be. */
    VMM_FW_CFG_INVALID = 0xffff,
};

#define VMM_FW_CFG_MAX_FILES 10u
/* Bytes of a file's name, NUL included, and of an entry of the directory. */
#define VMM_FW_CFG_NAME 56u
#define VMM_FW_CFG_ENTRY 64u
/* The most items, files included. */
#define VMM_FW_CFG_MAX_ITEMS 40u

/* Bits of a DMA descriptor's control word; with SELECT, the key is above. */
#define VMM_FW_CFG_DMA_ERROR 1u
#define VMM_FW_CFG_DMA_READ 2u
#define VMM_FW_CFG_DMA_SKIP 4u
#define VMM_FW_CFG_DMA_SELECT 8u
#define VMM_FW_CFG_DMA_WRITE 16u
#define VMM_FW_CFG_DESCRIPTOR 16u

/* One item. */
struct vmm_fw_cfg_item {
    uint16_t key;
    /* What it is called in messages, if it can fail. */
    const char *name;
    struct vmm_contents contents;
    /* Its size, or NULL: that of contents. A blob may come in with another. */
    const uint64_t *size_at;
    /* The bytes of contents are ours to free. */
    bool owned;
    /* It could not be read, and that was said; guarded by lock. */
    bool failed;
};

/* What it needs from outside. */
struct vmm_fw_cfg_ops {
    /*
     * Where guest memory at gpa is, firmware included, and how many bytes are
     * contiguous from there; NULL: there is none. Called with the lock held.
     */
    uint8_t *(*at)(void *opaque, uint64_t gpa, uint64_t *ret_bytes);
    /* Bytes of it were written, at a place that `at` gave. */
    void (*wrote)(void *opaque, const uint8_t *host, uint64_t bytes);
};

struct vmm_fw_cfg {
    /* --- what moves; guarded by lock --- */
    /* Selected key, and the offset of the next byte. */
    uint16_t key;
    uint32_t offset;
    /* Pending DMA address. */
    uint64_t dma;
    /* Sizes of the ACPI blobs, by their index; while saving or loading. */
    uint64_t acpi_sizes[3];
    /* --- constant after the cold start --- */
    struct vmm_fw_cfg_item items[VMM_FW_CFG_MAX_ITEMS];
    unsigned int n_items;
    uint8_t directory[4 + VMM_FW_CFG_MAX_FILES * VMM_FW_CFG_ENTRY];
    unsigned int n_files;
    struct vmm_acpi *acpi;
    const struct vmm_fw_cfg_ops *ops;
    void *opaque;
    pthread_mutex_t lock;
};

extern const struct gw_vmstate vmm_fw_cfg_vmstate;
extern const struct vmm_bus_ops vmm_fw_cfg_bus_ops;

/* Without items but signature, features and an empty directory. */
int vmm_fw_cfg_init(struct vmm_fw_cfg *fw_cfg, struct vmm_acpi *acpi,
                    const struct vmm_fw_cfg_ops *ops, void *opaque,
                    struct gw_error **errp) GW_MUST_CHECK;
/* Nothing is selected; the items stay. */
void vmm_fw_cfg_reset(struct vmm_fw_cfg *fw_cfg);
/* Accepts a zeroed object. */
void vmm_fw_cfg_deinit(struct vmm_fw_cfg *fw_cfg);

/* Adds an item; bytes are lent until deinit. One per key. */
void vmm_fw_cfg_add(struct vmm_fw_cfg *fw_cfg, uint16_t key,
                    const uint8_t *bytes, uint64_t size);
/*
 * Adds an item that may be a part of a file, which is read when the guest reads
 * the item; the name, for messages, and the file are lent until deinit. What
 * cannot be read then is zeros for the data register and an error of the DMA
 * transfer; the first time it is said on standard error.
 */
void vmm_fw_cfg_add_contents(struct vmm_fw_cfg *fw_cfg, uint16_t key,
                             const char *name,
                             const struct vmm_contents *contents);
/* Adds a copy of bytes, or a number. */
int vmm_fw_cfg_add_copy(struct vmm_fw_cfg *fw_cfg, uint16_t key,
                        const void *bytes, size_t size, struct gw_error **errp)
    GW_MUST_CHECK;
int vmm_fw_cfg_add_u16(struct vmm_fw_cfg *fw_cfg, uint16_t key, uint16_t value,
                       struct gw_error **errp) GW_MUST_CHECK;
int vmm_fw_cfg_add_u32(struct vmm_fw_cfg *fw_cfg, uint16_t key, uint32_t value,
                       struct gw_error **errp) GW_MUST_CHECK;
int vmm_fw_cfg_add_u64(struct vmm_fw_cfg *fw_cfg, uint16_t key, uint64_t value,
                       struct gw_error **errp) GW_MUST_CHECK;

/*
 * Files have names, and keys by the order of these, as in QEMU: a guest that
 * comes in goes on with the keys that it has read where it began. All are added
 * before the guest runs. The first adds a copy.
 */
int vmm_fw_cfg_add_file(struct vmm_fw_cfg *fw_cfg, const char *name,
                        const void *bytes, size_t size, struct gw_error **errp)
    GW_MUST_CHECK;
/* As vmm_fw_cfg_add_contents; `path` is for messages. */
void vmm_fw_cfg_add_file_contents(struct vmm_fw_cfg *fw_cfg, const char *name,
                                  const char *path,
                                  const struct vmm_contents *contents);
/* A file whose size may change; all is lent until deinit. */
void vmm_fw_cfg_add_blob(struct vmm_fw_cfg *fw_cfg, const char *name,
                         const uint8_t *bytes, const uint64_t *size_at);

#endif
