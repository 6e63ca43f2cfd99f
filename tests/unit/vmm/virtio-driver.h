/*
 * A driver of virtio devices in guest memory, as far as tests need one: sets
 * a device up through its registers, builds chains by hand (bad ones, too),
 * and reads the used ring.
 */
#ifndef GW_TESTS_UNIT_VMM_VIRTIO_DRIVER_H
#define GW_TESTS_UNIT_VMM_VIRTIO_DRIVER_H

#include "vmstate-helpers.h"

#include "util.h"
#include "virtio.h"

#define RAM_BYTES (4u << 20)
/* Each queue has its rings and 1 MiB of buffers behind them. */
#define RING_AT(queue) (0x1000u + 0x8000u * (queue))
#define AVAIL_AT(queue) (RING_AT(queue) + 0x4000u)
#define USED_AT(queue) (RING_AT(queue) + 0x5000u)
#define DATA_AT 0x100000u
#define PIN 12
#define DESC_F_NEXT 1
#define DESC_F_WRITE 2
#define DESC_F_INDIRECT 4

struct driver {
    struct vmm_memory memory;
    struct vmm_guest_memory guest_memory;
    struct vmm_ioapic ioapic;
    struct vmm_virtio *device;
    uint32_t num;
    unsigned int n_messages;
};

static inline void driver_routes(void *opaque, const struct vmm_msi *routes)
{
}

static inline void driver_message(void *opaque, const struct vmm_msi *msi)
{
    struct driver *driver = opaque;

    driver->n_messages++;
}

static const struct vmm_ioapic_ops driver_ioapic_ops = {
    .routes_changed = driver_routes,
    .send = driver_message,
};

static inline struct vmm_virtio_config driver_init(struct driver *driver,
                                                   bool legacy)
{
    struct vmm_memory_config memory = {.bytes = RAM_BYTES};

    memset(driver, 0, sizeof(*driver));
    assert_int_equal(vmm_memory_init(&driver->memory, &memory, NULL), 0);
    vmm_guest_memory_init(&driver->guest_memory, &driver->memory, NULL);
    vmm_ioapic_init(&driver->ioapic, &driver_ioapic_ops, driver);
    /* An edge pin, so that each rise is a message. */
    driver->ioapic.state.entries[PIN] = 0x40;
    return (struct vmm_virtio_config){.memory = &driver->guest_memory,
                                      .ioapic = &driver->ioapic,
                                      .pin = PIN,
                                      .legacy = legacy};
}

static inline void driver_deinit(struct driver *driver)
{
    vmm_ioapic_deinit(&driver->ioapic);
    vmm_memory_deinit(&driver->memory);
}

static inline void *ram(struct driver *driver, uint64_t gpa)
{
    return driver->memory.host + gpa;
}

static inline uint32_t get_reg(struct driver *driver, uint64_t offset)
{
    return (uint32_t)vmm_virtio_bus_ops.read(driver->device, offset, 4);
}

static inline void set_reg(struct driver *driver, uint64_t offset,
                           uint32_t value)
{
    vmm_virtio_bus_ops.write(driver->device, offset, 4, value);
}

/* Negotiates and sets all queues up with `num` entries. */
static inline void driver_start(struct driver *driver, uint64_t features,
                                uint32_t num)
{
    struct vmm_virtio *device = driver->device;
    bool legacy = device->legacy;

    driver->num = num;
    set_reg(driver, 0x70, 0);
    set_reg(driver, 0x70, 1);
    set_reg(driver, 0x70, 3);
    for (uint32_t i = 0; i < (legacy ? 1 : 2); i++) {
        set_reg(driver, 0x24, i);
        set_reg(driver, 0x20, (uint32_t)(features >> (32 * i)));
    }
    if (legacy) {
        set_reg(driver, 0x28, 4096);
    } else {
        set_reg(driver, 0x70, 0xb);
        assert_int_equal(get_reg(driver, 0x70), 0xb);
    }
    for (uint32_t i = 0; i < device->n_queues && i < 16; i++) {
        set_reg(driver, 0x30, i);
        set_reg(driver, 0x38, num);
        if (legacy) {
            set_reg(driver, 0x3c, 4096);
            set_reg(driver, 0x40, RING_AT(i) >> 12);
            continue;
        }
        set_reg(driver, 0x80, RING_AT(i));
        set_reg(driver, 0x90, AVAIL_AT(i));
        set_reg(driver, 0xa0, USED_AT(i));
        set_reg(driver, 0x44, 1);
    }
    set_reg(driver, 0x70, legacy ? 7 : 0xf);
}

static inline void put_desc(struct driver *driver, uint64_t table, uint32_t at,
                            uint64_t address, uint32_t bytes, uint16_t flags,
                            uint16_t next)
{
    uint8_t *desc = ram(driver, table + 16u * at);

    vmm_put_le64(desc, address);
    vmm_put_le32(desc + 8, bytes);
    vmm_put_le16(desc + 12, flags);
    vmm_put_le16(desc + 14, next);
}

/* A descriptor of the queue's own table. */
static inline void put(struct driver *driver, uint32_t queue, uint32_t at,
                       uint64_t address, uint32_t bytes, uint16_t flags,
                       uint16_t next)
{
    put_desc(driver, RING_AT(queue), at, address, bytes, flags, next);
}

static inline uint8_t *avail(struct driver *driver, uint32_t queue)
{
    return ram(driver, driver->device->queues[queue].avail);
}

static inline uint8_t *used(struct driver *driver, uint32_t queue)
{
    return ram(driver, driver->device->queues[queue].used);
}

static inline uint16_t avail_idx(struct driver *driver, uint32_t queue)
{
    return vmm_get_le16(avail(driver, queue) + 2);
}

static inline uint16_t used_idx(struct driver *driver, uint32_t queue)
{
    /* The worker may write it at this moment. */
    return __atomic_load_n((uint16_t *)(void *)(used(driver, queue) + 2),
                           __ATOMIC_ACQUIRE);
}

/* Makes the chain with that head available. */
static inline void offer(struct driver *driver, uint32_t queue, uint16_t head)
{
    uint16_t idx = avail_idx(driver, queue);
    uint8_t *ring = avail(driver, queue);

    vmm_put_le16(ring + 4 + 2 * (idx % driver->num), head);
    __atomic_store_n((uint16_t *)(void *)(ring + 2), (uint16_t)(idx + 1),
                     __ATOMIC_RELEASE);
}

/* Bytes written of the entry `index` of the used ring. */
static inline uint32_t used_len(struct driver *driver, uint32_t queue,
                                uint16_t index, uint32_t *ret_head)
{
    const uint8_t *entry = used(driver, queue) + 4 + 8 * (index % driver->num);

    if (ret_head) {
        *ret_head = vmm_get_le32(entry);
    }
    return vmm_get_le32(entry + 4);
}

/* Tells the device and lets it work until so many entries are used. */
static inline void run(struct driver *driver, uint32_t queue, uint16_t wanted)
{
    set_reg(driver, 0x50, queue);
    for (int i = 0; i < 1000 && used_idx(driver, queue) != wanted; i++) {
        vmm_virtio_work(driver->device, 10);
    }
    assert_int_equal(used_idx(driver, queue), wanted);
}

/* The same for a mistake, after which the device wants a reset. */
static inline void expect_broken(struct driver *driver, uint32_t queue)
{
    set_reg(driver, 0x50, queue);
    for (int i = 0; i < 5 && !driver->device->broken; i++) {
        vmm_virtio_work(driver->device, 0);
    }
    assert_true(driver->device->broken);
}

#endif
