/*
 * Items, the data register and DMA. Keys, offsets, addresses and lengths are
 * the guest's, or came in a stream: each is checked where it is used.
 */
#include "fw_cfg.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Bits of a key that only say how it is meant. */
#define KEY_FLAGS 0xc000u
/* Keys end here: as many files as QEMU has room for. */
#define KEY_END 0x40u
/* Features: the registers, DMA. */
#define FEATURES 3u

static const uint8_t signature[4] = {'Q', 'E', 'M', 'U'};
/* What the DMA register reads as. */
static const uint8_t dma_signature[8] = {'Q', 'E', 'M', 'U',
                                         ' ', 'C', 'F', 'G'};

static uint32_t get_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 |
           (uint32_t)from[2] << 8 | from[3];
}

static void put_be32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* ---- items ---- */

static struct vmm_fw_cfg_item *find(struct vmm_fw_cfg *fw_cfg, uint16_t key)
{
    for (unsigned int i = 0; i < fw_cfg->n_items; i++) {
        if (fw_cfg->items[i].key == key) {
            return &fw_cfg->items[i];
        }
    }
    return NULL;
}

static uint64_t size_of(const struct vmm_fw_cfg_item *item)
{
    return item->size_at ? *item->size_at : item->contents.size;
}

static struct vmm_fw_cfg_item *new_item(struct vmm_fw_cfg *fw_cfg, uint16_t key)
{
    assert(fw_cfg->n_items < VMM_FW_CFG_MAX_ITEMS && !find(fw_cfg, key));
    fw_cfg->items[fw_cfg->n_items] = (struct vmm_fw_cfg_item){.key = key};
    return &fw_cfg->items[fw_cfg->n_items++];
}

void vmm_fw_cfg_add_contents(struct vmm_fw_cfg *fw_cfg, uint16_t key,
                             const char *name,
                             const struct vmm_contents *contents)
{
    struct vmm_fw_cfg_item *item = new_item(fw_cfg, key);

    item->name = name;
    item->contents = *contents;
}

void vmm_fw_cfg_add(struct vmm_fw_cfg *fw_cfg, uint16_t key,
                    const uint8_t *bytes, uint64_t size)
{
    new_item(fw_cfg, key)->contents = vmm_contents_lend(bytes, size);
}

int vmm_fw_cfg_add_copy(struct vmm_fw_cfg *fw_cfg, uint16_t key,
                        const void *bytes, size_t size, struct gw_error **errp)
{
    struct vmm_fw_cfg_item *item;
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy) {
        return gw_error_set_errno(errp, -ENOMEM, "fw_cfg");
    }
    memcpy(copy, bytes, size);
    item = new_item(fw_cfg, key);
    item->contents = vmm_contents_lend(copy, size);
    item->owned = true;
    return 0;
}

int vmm_fw_cfg_add_u16(struct vmm_fw_cfg *fw_cfg, uint16_t key, uint16_t value,
                       struct gw_error **errp)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

    return vmm_fw_cfg_add_copy(fw_cfg, key, bytes, sizeof(bytes), errp);
}

int vmm_fw_cfg_add_u32(struct vmm_fw_cfg *fw_cfg, uint16_t key, uint32_t value,
                       struct gw_error **errp)
{
    uint8_t bytes[4];

    vmm_put_le32(bytes, value);
    return vmm_fw_cfg_add_copy(fw_cfg, key, bytes, sizeof(bytes), errp);
}

int vmm_fw_cfg_add_u64(struct vmm_fw_cfg *fw_cfg, uint16_t key, uint64_t value,
                       struct gw_error **errp)
{
    uint8_t bytes[8];

    vmm_put_le64(bytes, value);
    return vmm_fw_cfg_add_copy(fw_cfg, key, bytes, sizeof(bytes), errp);
}

static uint8_t *entry_at(struct vmm_fw_cfg *fw_cfg, unsigned int i)
{
    return fw_cfg->directory + 4 + (size_t)i * VMM_FW_CFG_ENTRY;
}

static const char *name_at(struct vmm_fw_cfg *fw_cfg, unsigned int i)
{
    return (const char *)entry_at(fw_cfg, i) + 8;
}

static void update_directory(struct vmm_fw_cfg *fw_cfg)
{
    put_be32(fw_cfg->directory, fw_cfg->n_files);
    for (unsigned int i = 0; i < fw_cfg->n_files; i++) {
        const struct vmm_fw_cfg_item *item =
            find(fw_cfg, (uint16_t)(VMM_FW_CFG_FILES + i));

        if (item) {
            put_be32(entry_at(fw_cfg, i), (uint32_t)size_of(item));
        }
    }
}

/* Entries from `from` on have the keys of their places. */
static void number_entries(struct vmm_fw_cfg *fw_cfg, unsigned int from)
{
    for (unsigned int i = from; i < fw_cfg->n_files; i++) {
        uint16_t key = (uint16_t)(VMM_FW_CFG_FILES + i);

        entry_at(fw_cfg, i)[4] = (uint8_t)(key >> 8);
        entry_at(fw_cfg, i)[5] = (uint8_t)key;
    }
}

/* The key of a new file; those behind it move. */
static uint16_t insert_name(struct vmm_fw_cfg *fw_cfg, const char *name)
{
    unsigned int at = 0;
    uint16_t key;

    assert(fw_cfg->n_files < VMM_FW_CFG_MAX_FILES &&
           strlen(name) < VMM_FW_CFG_NAME);
    while (at < fw_cfg->n_files && strcmp(name_at(fw_cfg, at), name) < 0) {
        at++;
    }
    key = (uint16_t)(VMM_FW_CFG_FILES + at);
    for (unsigned int i = 0; i < fw_cfg->n_items; i++) {
        if (fw_cfg->items[i].key >= key &&
            fw_cfg->items[i].key < VMM_FW_CFG_FILES + fw_cfg->n_files) {
            fw_cfg->items[i].key++;
        }
    }
    memmove(entry_at(fw_cfg, at + 1), entry_at(fw_cfg, at),
            (size_t)(fw_cfg->n_files - at) * VMM_FW_CFG_ENTRY);
    memset(entry_at(fw_cfg, at), 0, VMM_FW_CFG_ENTRY);
    vmm_put_text(entry_at(fw_cfg, at) + 8, name, strlen(name));
    fw_cfg->n_files++;
    number_entries(fw_cfg, at);
    return key;
}

int vmm_fw_cfg_add_file(struct vmm_fw_cfg *fw_cfg, const char *name,
                        const void *bytes, size_t size, struct gw_error **errp)
{
    return vmm_fw_cfg_add_copy(fw_cfg, insert_name(fw_cfg, name), bytes, size,
                               errp);
}

void vmm_fw_cfg_add_file_contents(struct vmm_fw_cfg *fw_cfg, const char *name,
                                  const char *path,
                                  const struct vmm_contents *contents)
{
    vmm_fw_cfg_add_contents(fw_cfg, insert_name(fw_cfg, name), path, contents);
}

void vmm_fw_cfg_add_blob(struct vmm_fw_cfg *fw_cfg, const char *name,
                         const uint8_t *bytes, const uint64_t *size_at)
{
    vmm_fw_cfg_add(fw_cfg, insert_name(fw_cfg, name), bytes, 0);
    fw_cfg->items[fw_cfg->n_items - 1].size_at = size_at;
}

/* ---- the registers ---- */

static void select_key(struct vmm_fw_cfg *fw_cfg, uint16_t key)
{
    fw_cfg->offset = 0;
    fw_cfg->key = (key & ~KEY_FLAGS) < KEY_END ? key : VMM_FW_CFG_INVALID;
    if (fw_cfg->key == VMM_FW_CFG_DIRECTORY) {
        update_directory(fw_cfg);
    }
}

/* How much of the selected item is left from the offset on, if there is one. */
static uint64_t rest(const struct vmm_fw_cfg *fw_cfg,
                     const struct vmm_fw_cfg_item *item)
{
    return item && fw_cfg->offset < size_of(item)
               ? size_of(item) - fw_cfg->offset
               : 0;
}

/* Reads bytes that the item has. */
static bool read_item(struct vmm_fw_cfg_item *item, uint64_t offset, void *to,
                      uint64_t bytes)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;
    struct vmm_contents contents = item->contents;

    contents.size = size_of(item);
    if (vmm_contents_read(&contents, offset, to, bytes, &error) == 0) {
        return true;
    }
    if (!item->failed) {
        item->failed = true;
        fprintf(stderr, "godwit run: fw_cfg: '%s' for the firmware: %s\n",
                item->name, gw_error_text(error));
    }
    return false;
}

static uint8_t read_byte(struct vmm_fw_cfg *fw_cfg)
{
    struct vmm_fw_cfg_item *item = find(fw_cfg, fw_cfg->key);
    uint8_t byte = 0;

    if (rest(fw_cfg, item) == 0 ||
        !read_item(item, fw_cfg->offset++, &byte, 1)) {
        return 0;
    }
    return byte;
}

/* ---- DMA ---- */

/*
 * Copies of an item to guest memory, or zeros without one. False: not all could
 * be read, or not all is RAM.
 */
static bool put_guest(struct vmm_fw_cfg *fw_cfg, uint64_t gpa,
                      struct vmm_fw_cfg_item *item, uint64_t offset,
                      uint64_t bytes)
{
    bool good = true;

    while (bytes > 0 && good) {
        uint64_t n = 0;
        uint8_t *to = fw_cfg->ops->at(fw_cfg->opaque, gpa, &n);

        if (!to || n == 0) {
            return false;
        }
        n = n < bytes ? n : bytes;
        if (item) {
            good = read_item(item, offset, to, n);
        } else {
            memset(to, 0, n);
        }
        fw_cfg->ops->wrote(fw_cfg->opaque, to, n);
        gpa += n;
        offset += n;
        bytes -= n;
    }
    return good;
}

static bool get_guest(struct vmm_fw_cfg *fw_cfg, uint64_t gpa, uint8_t *to,
                      uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t n = 0;
        const uint8_t *from = fw_cfg->ops->at(fw_cfg->opaque, gpa, &n);

        if (!from || n == 0) {
            return false;
        }
        n = n < bytes ? n : bytes;
        memcpy(to, from, n);
        to += n;
        gpa += n;
        bytes -= n;
    }
    return true;
}

/* Reads or skips; beyond the item's end there are zeros. */
static bool transfer(struct vmm_fw_cfg *fw_cfg, bool read, uint32_t length,
                     uint64_t gpa)
{
    struct vmm_fw_cfg_item *item = find(fw_cfg, fw_cfg->key);
    uint64_t left = rest(fw_cfg, item);
    uint32_t n = left < length ? (uint32_t)left : length;
    uint32_t offset = fw_cfg->offset;

    fw_cfg->offset += n;
    if (!read) {
        return true;
    }
    return put_guest(fw_cfg, gpa, item, offset, n) &&
           put_guest(fw_cfg, gpa + n, NULL, 0, length - n);
}

/* The control word of a descriptor that was run. */
static void put_result(struct vmm_fw_cfg *fw_cfg, uint64_t gpa, bool good)
{
    uint8_t bytes[4];
    struct vmm_fw_cfg_item result = {
        .contents = vmm_contents_lend(bytes, sizeof(bytes))};

    put_be32(bytes, good ? 0 : VMM_FW_CFG_DMA_ERROR);
    put_guest(fw_cfg, gpa, &result, 0, sizeof(bytes));
}

static void run_dma(struct vmm_fw_cfg *fw_cfg)
{
    uint64_t gpa = fw_cfg->dma;
    uint8_t descriptor[VMM_FW_CFG_DESCRIPTOR];
    uint32_t control;
    uint32_t length;
    bool good = true;

    fw_cfg->dma = 0;
    if (!get_guest(fw_cfg, gpa, descriptor, sizeof(descriptor))) {
        return;
    }
    control = get_be32(descriptor);
    length = get_be32(descriptor + 4);
    if (control & VMM_FW_CFG_DMA_SELECT) {
        select_key(fw_cfg, (uint16_t)(control >> 16));
    }
    if (control & (VMM_FW_CFG_DMA_READ | VMM_FW_CFG_DMA_SKIP)) {
        good = transfer(fw_cfg, control & VMM_FW_CFG_DMA_READ, length,
                        (uint64_t)get_be32(descriptor + 8) << 32 |
                            get_be32(descriptor + 12));
    } else if (control & VMM_FW_CFG_DMA_WRITE) {
        good = length == 0;
    }
    put_result(fw_cfg, gpa, good);
}

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_fw_cfg *fw_cfg = opaque;
    uint64_t value = 0;

    if (offset >= VMM_FW_CFG_DMA_HIGH) {
        memcpy(&value, dma_signature + (offset - VMM_FW_CFG_DMA_HIGH), size);
    } else if (offset == VMM_FW_CFG_DATA && size == 1) {
        pthread_mutex_lock(&fw_cfg->lock);
        value = read_byte(fw_cfg);
        pthread_mutex_unlock(&fw_cfg->lock);
    }
    return value;
}

/* The halves of the address are big endian; the low one starts it. */
static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_fw_cfg *fw_cfg = opaque;
    uint32_t half = __builtin_bswap32((uint32_t)value);

    pthread_mutex_lock(&fw_cfg->lock);
    if (offset == VMM_FW_CFG_SELECTOR && size == 2) {
        select_key(fw_cfg, (uint16_t)value);
    } else if (offset == VMM_FW_CFG_DMA_HIGH && size == 4) {
        fw_cfg->dma = (uint64_t)half << 32;
    } else if (offset == VMM_FW_CFG_DMA_LOW && size == 4) {
        fw_cfg->dma |= half;
        run_dma(fw_cfg);
    }
    pthread_mutex_unlock(&fw_cfg->lock);
}

const struct vmm_bus_ops vmm_fw_cfg_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};

int vmm_fw_cfg_init(struct vmm_fw_cfg *fw_cfg, struct vmm_acpi *acpi,
                    const struct vmm_fw_cfg_ops *ops, void *opaque,
                    struct gw_error **errp)
{
    memset(fw_cfg, 0, sizeof(*fw_cfg));
    pthread_mutex_init(&fw_cfg->lock, NULL);
    fw_cfg->acpi = acpi;
    fw_cfg->ops = ops;
    fw_cfg->opaque = opaque;
    vmm_fw_cfg_add(fw_cfg, VMM_FW_CFG_SIGNATURE, signature, sizeof(signature));
    vmm_fw_cfg_add(fw_cfg, VMM_FW_CFG_DIRECTORY, fw_cfg->directory,
                   sizeof(fw_cfg->directory));
    return vmm_fw_cfg_add_u32(fw_cfg, VMM_FW_CFG_ID, FEATURES, errp);
}

void vmm_fw_cfg_reset(struct vmm_fw_cfg *fw_cfg)
{
    pthread_mutex_lock(&fw_cfg->lock);
    select_key(fw_cfg, VMM_FW_CFG_SIGNATURE);
    fw_cfg->dma = 0;
    pthread_mutex_unlock(&fw_cfg->lock);
}

void vmm_fw_cfg_deinit(struct vmm_fw_cfg *fw_cfg)
{
    if (!fw_cfg->ops) {
        return;
    }
    for (unsigned int i = 0; i < fw_cfg->n_items; i++) {
        if (fw_cfg->items[i].owned) {
            free((void *)(uintptr_t)fw_cfg->items[i].contents.bytes);
        }
    }
    pthread_mutex_destroy(&fw_cfg->lock);
    memset(fw_cfg, 0, sizeof(*fw_cfg));
}
