/*
 * Registers of the memory-mapped transport, in both versions (VIRTIO 1.2,
 * 4.2.2 and 4.2.4), with QEMU's answers where the text leaves room.
 */
#include "virtio.h"

#include <string.h>

#include "util.h"

#define REG_MAGIC 0x000
#define REG_VERSION 0x004
#define REG_DEVICE_ID 0x008
#define REG_VENDOR_ID 0x00c
#define REG_DEVICE_FEATURES 0x010
#define REG_DEVICE_FEATURES_SEL 0x014
#define REG_DRIVER_FEATURES 0x020
#define REG_DRIVER_FEATURES_SEL 0x024
#define REG_GUEST_PAGE_SIZE 0x028
#define REG_QUEUE_SEL 0x030
#define REG_QUEUE_NUM_MAX 0x034
#define REG_QUEUE_NUM 0x038
#define REG_QUEUE_ALIGN 0x03c
#define REG_QUEUE_PFN 0x040
#define REG_QUEUE_READY 0x044
#define REG_QUEUE_NOTIFY VMM_VIRTIO_NOTIFY_OFFSET
#define REG_INTERRUPT_STATUS 0x060
#define REG_INTERRUPT_ACK 0x064
#define REG_STATUS 0x070
#define REG_QUEUE_DESC 0x080
#define REG_QUEUE_AVAIL 0x090
#define REG_QUEUE_USED 0x0a0
#define REG_SHM_LENGTH 0x0b0
#define REG_SHM_BASE 0x0b8
#define REG_QUEUE_RESET 0x0c0
#define REG_GENERATION 0x0fc
#define REG_CONFIG 0x100

#define MAGIC 0x74726976u
#define VENDOR 0x554d4551u
#define LEGACY_VERSION 1u
#define MODERN_VERSION 2u
/* No shared memory: all bits of the length. */
#define NO_SHM UINT32_MAX

static struct vmm_virtio_queue *selected(struct vmm_virtio *device)
{
    return device->queue_sel < device->n_queues
               ? &device->queues[device->queue_sel]
               : NULL;
}

static uint32_t read_features(const struct vmm_virtio *device)
{
    if (device->host_features_sel == 0) {
        return (uint32_t)device->host_features;
    }
    return device->legacy ? 0 : (uint32_t)(device->host_features >> 32);
}

static uint32_t read_pfn(struct vmm_virtio *device)
{
    const struct vmm_virtio_queue *queue = selected(device);

    return device->legacy && queue
               ? (uint32_t)(queue->desc >> device->guest_page_shift)
               : 0;
}

static bool is_enabled(struct vmm_virtio *device)
{
    return !device->legacy && selected(device) &&
           device->mmio_queues[device->queue_sel].enabled;
}

static uint32_t read_register(struct vmm_virtio *device, uint64_t offset)
{
    switch (offset) {
    case REG_MAGIC:
        return MAGIC;
    case REG_VERSION:
        return device->legacy ? LEGACY_VERSION : MODERN_VERSION;
    case REG_DEVICE_ID:
        return device->ops->id;
    case REG_VENDOR_ID:
        return VENDOR;
    case REG_DEVICE_FEATURES:
        return read_features(device);
    case REG_QUEUE_NUM_MAX:
        return selected(device) ? VMM_VIRTIO_QUEUE_ENTRIES_MAX : 0;
    case REG_QUEUE_PFN:
        return read_pfn(device);
    case REG_QUEUE_READY:
        return is_enabled(device);
    case REG_INTERRUPT_STATUS:
        return device->isr;
    case REG_STATUS:
        return device->status;
    case REG_GENERATION:
        return device->legacy ? 0 : device->generation;
    case REG_SHM_LENGTH:
    case REG_SHM_LENGTH + 4:
    case REG_SHM_BASE:
    case REG_SHM_BASE + 4:
        return NO_SHM;
    default:
        return 0;
    }
}

/* Past the end reads as ones. */
static uint32_t read_config(struct vmm_virtio *device, uint64_t offset,
                            unsigned int size)
{
    uint8_t bytes[4] = {0};

    if (offset + size > device->config_bytes) {
        return UINT32_MAX;
    }
    device->ops->get_config(device->opaque, device->config);
    memcpy(bytes, device->config + offset, size);
    return vmm_get_le32(bytes);
}

static void write_config(struct vmm_virtio *device, uint64_t offset,
                         unsigned int size, uint32_t value)
{
    uint8_t bytes[4];

    if (offset + size > device->config_bytes) {
        return;
    }
    vmm_put_le32(bytes, value);
    memcpy(device->config + offset, bytes, size);
    device->ops->set_config(device->opaque, device->config);
}

static bool take_features(struct vmm_virtio *device, uint64_t wanted)
{
    device->guest.features = wanted & device->host_features;
    device->ops->set_features(device->opaque);
    return (wanted & ~device->host_features) == 0;
}

static void write_features(struct vmm_virtio *device, uint32_t value)
{
    if (!device->legacy) {
        device->mmio_features[device->guest_features_sel] = value;
    } else if (device->guest_features_sel == 0 &&
               !(device->status & VMM_VIRTIO_DRIVER_OK)) {
        take_features(device, value);
    }
}

static void set_num(struct vmm_virtio *device, uint32_t num)
{
    struct vmm_virtio_queue *queue = selected(device);

    if (!queue || num == 0 || num > VMM_VIRTIO_QUEUE_ENTRIES_MAX) {
        return;
    }
    queue->num = num;
}

static void write_num(struct vmm_virtio *device, uint32_t num)
{
    struct vmm_virtio_queue *queue = selected(device);

    set_num(device, num);
    if (!queue) {
        return;
    }
    if (device->legacy) {
        vmm_virtio_queue_set_legacy(queue, queue->desc);
    } else {
        device->mmio_queues[device->queue_sel].num = (uint16_t)num;
    }
}

static void write_align(struct vmm_virtio *device, uint32_t align)
{
    struct vmm_virtio_queue *queue = selected(device);

    /* A power of two, as the specification wants it. */
    if (device->legacy && queue && align && (align & (align - 1)) == 0) {
        queue->align = align;
        vmm_virtio_queue_set_legacy(queue, queue->desc);
    }
}

/* Zero resets the whole device, as in QEMU. */
static void write_pfn(struct vmm_virtio *device, uint32_t pfn)
{
    struct vmm_virtio_queue *queue = selected(device);

    if (!device->legacy) {
        return;
    }
    if (pfn == 0) {
        vmm_virtio_reset(device);
    } else if (queue) {
        vmm_virtio_queue_set_legacy(queue,
                                    (uint64_t)pfn << device->guest_page_shift);
    }
}

static uint64_t join(const uint32_t halves[2])
{
    return halves[0] | (uint64_t)halves[1] << 32;
}

static void write_ready(struct vmm_virtio *device, uint32_t value)
{
    struct vmm_virtio_queue *queue = selected(device);
    struct vmm_virtio_mmio_queue *regs;

    if (device->legacy || !queue) {
        return;
    }
    regs = &device->mmio_queues[device->queue_sel];
    if (value) {
        set_num(device, regs->num);
        queue->desc = join(regs->desc);
        queue->avail = join(regs->avail);
        queue->used = join(regs->used);
    }
    regs->enabled = value != 0;
}

static void write_ring(struct vmm_virtio *device, uint64_t offset,
                       uint32_t value)
{
    struct vmm_virtio_mmio_queue *regs;
    unsigned int half = (offset & 4) != 0;

    if (device->legacy || !selected(device)) {
        return;
    }
    regs = &device->mmio_queues[device->queue_sel];
    switch (offset & ~UINT64_C(4)) {
    case REG_QUEUE_DESC:
        regs->desc[half] = value;
        break;
    case REG_QUEUE_AVAIL:
        regs->avail[half] = value;
        break;
    default:
        regs->used[half] = value;
        break;
    }
}

static void reset_registers(struct vmm_virtio *device)
{
    vmm_virtio_reset(device);
    for (unsigned int i = 0; i < device->n_queues; i++) {
        device->mmio_queues[i].enabled = false;
    }
}

void vmm_virtio_power_on(struct vmm_virtio *device)
{
    pthread_mutex_lock(&device->lock);
    vmm_virtio_reset(device);
    device->host_features_sel = 0;
    device->guest_features_sel = 0;
    device->guest_page_shift = 0;
    memset(device->mmio_features, 0, sizeof(device->mmio_features));
    memset(device->mmio_queues, 0, sizeof(device->mmio_queues));
    for (unsigned int i = 0; i < device->n_queues; i++) {
        device->queues[i].align = VMM_VIRTIO_DEFAULT_ALIGN;
    }
    device->reported = false;
    pthread_mutex_unlock(&device->lock);
}

static void write_status(struct vmm_virtio *device, uint32_t value)
{
    uint8_t status = (uint8_t)value;

    if (status == 0) {
        reset_registers(device);
        return;
    }
    /* Features are agreed on once; what is not offered is not agreed on. */
    if (!device->legacy && (status & VMM_VIRTIO_FEATURES_OK) &&
        !(device->status & VMM_VIRTIO_FEATURES_OK) &&
        !take_features(device, join(device->mmio_features))) {
        status &= (uint8_t)~VMM_VIRTIO_FEATURES_OK;
    }
    if ((device->status ^ status) & VMM_VIRTIO_DRIVER_OK) {
        device->started = status & VMM_VIRTIO_DRIVER_OK;
    }
    device->status = status;
    if (status & VMM_VIRTIO_DRIVER_OK) {
        device->kicked = UINT64_MAX;
        vmm_virtio_wake(device);
    }
}

static void write_page_size(struct vmm_virtio *device, uint32_t bytes)
{
    if (device->legacy) {
        device->guest_page_shift = bytes ? (uint32_t)__builtin_ctz(bytes) : 0;
    }
}

/* One queue starts over; for drivers that negotiated it. */
static void write_queue_reset(struct vmm_virtio *device, uint32_t value)
{
    struct vmm_virtio_queue *queue = selected(device);

    if (value != 1 || !queue || device->legacy ||
        !vmm_virtio_has(device, VMM_VIRTIO_F_RING_RESET)) {
        return;
    }
    vmm_virtio_wait(device);
    vmm_virtio_queue_reset(queue);
    device->mmio_queues[device->queue_sel].enabled = false;
}

static void write_register(struct vmm_virtio *device, uint64_t offset,
                           uint32_t value)
{
    switch (offset) {
    case REG_DEVICE_FEATURES_SEL:
        device->host_features_sel = value != 0;
        break;
    case REG_DRIVER_FEATURES:
        write_features(device, value);
        break;
    case REG_DRIVER_FEATURES_SEL:
        device->guest_features_sel = value != 0;
        break;
    case REG_GUEST_PAGE_SIZE:
        write_page_size(device, value);
        break;
    case REG_QUEUE_SEL:
        if (value < VMM_VIRTIO_QUEUES_MAX) {
            device->queue_sel = (uint16_t)value;
        }
        break;
    case REG_QUEUE_NUM:
        write_num(device, value);
        break;
    case REG_QUEUE_ALIGN:
        write_align(device, value);
        break;
    case REG_QUEUE_PFN:
        write_pfn(device, value);
        break;
    case REG_QUEUE_READY:
        write_ready(device, value);
        break;
    case REG_QUEUE_NOTIFY:
        if (vmm_virtio_notified(device, value)) {
            vmm_virtio_wake(device);
        }
        break;
    case REG_INTERRUPT_ACK:
        device->isr &= (uint8_t)~value;
        vmm_ioapic_set_line(device->ioapic, device->pin, device->isr != 0);
        break;
    case REG_STATUS:
        write_status(device, value);
        break;
    case REG_QUEUE_DESC:
    case REG_QUEUE_DESC + 4:
    case REG_QUEUE_AVAIL:
    case REG_QUEUE_AVAIL + 4:
    case REG_QUEUE_USED:
    case REG_QUEUE_USED + 4:
        write_ring(device, offset, value);
        break;
    case REG_QUEUE_RESET:
        write_queue_reset(device, value);
        break;
    default:
        break;
    }
}

static uint32_t read_locked(struct vmm_virtio *device, uint64_t offset,
                            unsigned int size)
{
    if (offset >= REG_CONFIG) {
        return read_config(device, offset - REG_CONFIG, size);
    }
    return size == 4 ? read_register(device, offset) : 0;
}

static uint64_t bus_read(void *opaque, uint64_t offset, unsigned int size)
{
    struct vmm_virtio *device = opaque;
    unsigned int part = size == 8 ? 4 : size;
    uint64_t value;

    pthread_mutex_lock(&device->lock);
    value = read_locked(device, offset, part);
    if (size == 8) {
        value |= (uint64_t)read_locked(device, offset + 4, part) << 32;
    }
    pthread_mutex_unlock(&device->lock);
    return value;
}

static void write_locked(struct vmm_virtio *device, uint64_t offset,
                         unsigned int size, uint32_t value)
{
    if (offset >= REG_CONFIG) {
        write_config(device, offset - REG_CONFIG, size, value);
    } else if (size == 4) {
        write_register(device, offset, value);
    }
}

static void bus_write(void *opaque, uint64_t offset, unsigned int size,
                      uint64_t value)
{
    struct vmm_virtio *device = opaque;
    unsigned int part = size == 8 ? 4 : size;

    pthread_mutex_lock(&device->lock);
    write_locked(device, offset, part, (uint32_t)value);
    if (size == 8) {
        write_locked(device, offset + 4, part, (uint32_t)(value >> 32));
    }
    pthread_mutex_unlock(&device->lock);
}

const struct vmm_bus_ops vmm_virtio_bus_ops = {
    .read = bus_read,
    .write = bus_write,
};
