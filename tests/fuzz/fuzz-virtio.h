/*
 * What the targets for virtio devices share: the input is a program of a
 * hostile driver, which writes into guest memory, descriptors and registers,
 * makes chains available, and has the machine paused, saved and restored.
 */
#ifndef GW_TESTS_FUZZ_FUZZ_VIRTIO_H
#define GW_TESTS_FUZZ_FUZZ_VIRTIO_H

#include <errno.h>
#include <string.h>

#include <godwit/vmstate.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "channel/input.h"
#include "fuzz.h"
#include "util.h"
#include "virtio.h"
#include "vmstate/load.h"
#include "vmstate/save.h"

/* Guest memory: rings of 16 queues from 0, buffers behind. */
#define FUZZ_RAM_BYTES (256u << 10)
#define FUZZ_RING_AT(queue) (0x1000u * ((queue) % 16))
#define FUZZ_ENTRIES 16
#define FUZZ_MOVES_MAX 3

/* The target's device; made once, in its own object. */
struct fuzz_virtio {
    struct vmm_memory memory;
    struct vmm_guest_memory guest_memory;
    struct vmm_ioapic ioapic;
    struct vmm_virtio *device;
    const struct gw_vmstate *vmstate;
    void *object;
};

/* Where the program is. */
struct fuzz_program {
    const uint8_t *at;
    const uint8_t *end;
    /* Moves are slow. */
    unsigned int n_moves;
};

static void fuzz_routes(void *opaque, const struct vmm_msi *routes)
{
}

static void fuzz_send(void *opaque, const struct vmm_msi *msi)
{
}

static const struct vmm_ioapic_ops fuzz_ioapic_ops = {
    .routes_changed = fuzz_routes,
    .send = fuzz_send,
};

static inline struct vmm_virtio_config
fuzz_virtio_host(struct fuzz_virtio *fuzz, bool legacy)
{
    struct vmm_memory_config memory = {.bytes = FUZZ_RAM_BYTES};

    FUZZ_ASSERT(vmm_memory_init(&fuzz->memory, &memory, NULL) == 0);
    vmm_guest_memory_init(&fuzz->guest_memory, &fuzz->memory, NULL);
    vmm_ioapic_init(&fuzz->ioapic, &fuzz_ioapic_ops, NULL);
    return (struct vmm_virtio_config){.memory = &fuzz->guest_memory,
                                      .ioapic = &fuzz->ioapic,
                                      .pin = 12,
                                      .legacy = legacy};
}

static inline uint32_t fuzz_take(struct fuzz_program *program, size_t bytes)
{
    uint32_t value = 0;

    for (size_t i = 0; i < bytes && program->at < program->end; i++) {
        value |= (uint32_t)*program->at++ << (8 * i);
    }
    return value;
}

static inline void fuzz_reg(struct fuzz_virtio *fuzz, uint32_t offset,
                            uint32_t value)
{
    vmm_virtio_bus_ops.write(fuzz->device, offset, 4, value);
}

/* A driver that did everything right so far. */
static inline void fuzz_start(struct fuzz_virtio *fuzz, uint32_t features)
{
    fuzz_reg(fuzz, 0x70, 0);
    memset(fuzz->memory.host, 0, FUZZ_RAM_BYTES);
    fuzz_reg(fuzz, 0x70, 3);
    fuzz_reg(fuzz, 0x24, 0);
    fuzz_reg(fuzz, 0x20, features & (uint32_t)fuzz->device->host_features);
    fuzz_reg(fuzz, 0x24, 1);
    fuzz_reg(fuzz, 0x20, 1);
    fuzz_reg(fuzz, 0x70, 0xb);
    fuzz_reg(fuzz, 0x28, 4096);
    for (uint32_t i = 0; i < fuzz->device->n_queues && i < 16; i++) {
        fuzz_reg(fuzz, 0x30, i);
        fuzz_reg(fuzz, 0x38, FUZZ_ENTRIES);
        fuzz_reg(fuzz, 0x3c, 256);
        fuzz_reg(fuzz, 0x80, FUZZ_RING_AT(i + 1));
        fuzz_reg(fuzz, 0x90, FUZZ_RING_AT(i + 1) + 0x200);
        fuzz_reg(fuzz, 0xa0, FUZZ_RING_AT(i + 1) + 0x400);
        fuzz_reg(fuzz, 0x44, 1);
        if (fuzz->device->legacy) {
            fuzz_reg(fuzz, 0x40, FUZZ_RING_AT(i + 1) >> 12);
        }
    }
    fuzz_reg(fuzz, 0x70, 0xf);
}

static inline void fuzz_write_ram(struct fuzz_virtio *fuzz,
                                  struct fuzz_program *program)
{
    uint32_t at = fuzz_take(program, 3) % FUZZ_RAM_BYTES;
    uint32_t bytes = fuzz_take(program, 1);

    for (uint32_t i = 0; i < bytes && at + i < FUZZ_RAM_BYTES; i++) {
        fuzz->memory.host[at + i] = (uint8_t)fuzz_take(program, 1);
    }
}

static inline void fuzz_write_desc(struct fuzz_virtio *fuzz,
                                   struct fuzz_program *program)
{
    uint32_t queue = fuzz_take(program, 1) % fuzz->device->n_queues;
    uint32_t index = fuzz_take(program, 1) % FUZZ_ENTRIES;
    uint8_t *desc =
        fuzz->memory.host + FUZZ_RING_AT(queue + 1) + (size_t)16 * index;

    vmm_put_le64(desc, fuzz_take(program, 3));
    vmm_put_le32(desc + 8, fuzz_take(program, 3));
    vmm_put_le16(desc + 12, (uint16_t)fuzz_take(program, 1));
    vmm_put_le16(desc + 14, (uint16_t)fuzz_take(program, 1));
}

static inline void fuzz_offer(struct fuzz_virtio *fuzz,
                              struct fuzz_program *program)
{
    uint32_t queue = fuzz_take(program, 1) % fuzz->device->n_queues;
    uint16_t head = (uint16_t)fuzz_take(program, 1);
    struct vmm_virtio_queue *q = &fuzz->device->queues[queue];
    uint8_t *ring = vmm_memory_at(&fuzz->memory, q->avail, 4 + 2 * 1024);

    if (ring && q->num > 0) {
        uint16_t idx = vmm_get_le16(ring + 2);

        vmm_put_le16(ring + 4 + 2 * (size_t)(idx % q->num), head);
        vmm_put_le16(ring + 2, (uint16_t)(idx + 1));
    }
    fuzz_reg(fuzz, 0x50, queue);
    vmm_virtio_work(fuzz->device, 0);
}

static inline void fuzz_load(struct fuzz_virtio *fuzz, const void *data,
                             size_t size)
{
    struct gw_input *input = gw_input_new_memory(data, size, NULL);

    FUZZ_ASSERT(input);
    (void)!gw_vmstate_load(fuzz->vmstate, fuzz->object, fuzz->vmstate->version,
                           input, NULL);
    gw_input_free(input);
}

/* What is saved can be loaded, and is saved as the same again. */
static inline void fuzz_move(struct fuzz_virtio *fuzz)
{
    GW_AUTO_BUFFER struct gw_buffer first = {0};
    GW_AUTO_BUFFER struct gw_buffer second = {0};

    vmm_virtio_pause(fuzz->device);
    FUZZ_ASSERT(
        gw_vmstate_save(fuzz->vmstate, fuzz->object, &first, NULL, NULL) == 0);
    fuzz_load(fuzz, first.data, first.size);
    FUZZ_ASSERT(
        gw_vmstate_save(fuzz->vmstate, fuzz->object, &second, NULL, NULL) == 0);
    vmm_virtio_resume(fuzz->device);
}

/* The rest is a section that comes in from somewhere. */
static inline void fuzz_move_in(struct fuzz_virtio *fuzz,
                                struct fuzz_program *program)
{
    vmm_virtio_pause(fuzz->device);
    fuzz_load(fuzz, program->at, (size_t)(program->end - program->at));
    program->at = program->end;
    vmm_virtio_resume(fuzz->device);
    vmm_virtio_work(fuzz->device, 0);
}

static inline void fuzz_step(struct fuzz_virtio *fuzz,
                             struct fuzz_program *program)
{
    uint32_t offset;

    switch (fuzz_take(program, 1) % 8) {
    case 0:
        fuzz_write_ram(fuzz, program);
        break;
    case 1:
        offset = fuzz_take(program, 2) % 0x200;
        vmm_virtio_bus_ops.write(fuzz->device, offset & ~3u, 4,
                                 fuzz_take(program, 4));
        break;
    case 2:
        offset = fuzz_take(program, 2) % 0x200;
        vmm_virtio_bus_ops.read(fuzz->device, offset, 1u << (offset & 3));
        break;
    case 3:
        fuzz_write_desc(fuzz, program);
        break;
    case 4:
        fuzz_offer(fuzz, program);
        break;
    case 5:
        if (program->n_moves++ < FUZZ_MOVES_MAX) {
            fuzz_move(fuzz);
        }
        break;
    case 6:
        fuzz_move_in(fuzz, program);
        break;
    default:
        vmm_virtio_work(fuzz->device, 0);
        break;
    }
}

static inline int fuzz_virtio_run(struct fuzz_virtio *fuzz, const uint8_t *data,
                                  size_t size)
{
    struct fuzz_program program = {.at = data, .end = data + size};

    /* Each mistake would be told of. */
    fuzz->device->reported = true;
    vmm_virtio_resume(fuzz->device);
    fuzz_start(fuzz, fuzz_take(&program, 4));
    while (program.at < program.end) {
        fuzz_step(fuzz, &program);
    }
    vmm_virtio_pause(fuzz->device);
    return 0;
}

#endif
