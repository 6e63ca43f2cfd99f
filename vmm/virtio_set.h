/*
 * The virtio devices of a machine: eight slots of virtio-mmio, filled from
 * the highest down in the order of the command line, as QEMU does it.
 */
#ifndef VMM_VIRTIO_SET_H
#define VMM_VIRTIO_SET_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "bus.h"
#include "virtio.h"
#include "virtio_options.h"

struct gw_machine;
struct vmm_virtio_balloon;

/* One device. */
struct vmm_virtio_member {
    unsigned int slot;
    struct vmm_virtio *device;
    /* The object of its kind; owned. */
    void *object;
    const struct gw_vmstate *vmstate;
    void (*deinit)(void *object);
};

struct vmm_virtio_set {
    bool legacy;
    /* In the order of the sections. */
    struct vmm_virtio_member members[VMM_VIRTIO_SLOTS];
    unsigned int n_members;
    /* By slot; NULL where none is. */
    struct vmm_virtio *slots[VMM_VIRTIO_SLOTS];
};

/* Where the devices find guest RAM, and whom they interrupt. */
struct vmm_virtio_place {
    const struct vmm_guest_memory *memory;
    struct vmm_ioapic *ioapic;
    /* Pin of slot 0; the others follow. */
    unsigned int first_pin;
};

/* All registers; opaque is the set. */
extern const struct vmm_bus_ops vmm_virtio_set_bus_ops;

/* Makes the devices and starts their threads, paused. */
int vmm_virtio_set_init(struct vmm_virtio_set *set,
                        const struct vmm_virtio_options *options,
                        const struct vmm_virtio_place *place,
                        struct gw_error **errp) GW_MUST_CHECK;
/* Accepts a zeroed or half-built set. No vCPU runs. */
void vmm_virtio_set_deinit(struct vmm_virtio_set *set);

/* Adds the sections. */
int vmm_virtio_set_add_devices(struct vmm_virtio_set *set,
                               struct gw_machine *machine,
                               struct gw_error **errp) GW_MUST_CHECK;

/* The balloon, or NULL. */
struct vmm_virtio_balloon *
vmm_virtio_set_balloon(const struct vmm_virtio_set *set);

/* Bit n: slot n has a device. */
uint32_t vmm_virtio_set_slots(const struct vmm_virtio_set *set);

/*
 * Has somebody else (the accelerator) watch the registers that tell of queues:
 * add is called for each with its address, the value that is written, and the
 * descriptor to be made readable. Where it fails, the write reaches the bus.
 */
int vmm_virtio_set_notify(struct vmm_virtio_set *set,
                          int (*add)(void *opaque, uint64_t gpa, uint32_t value,
                                     int fd),
                          void *opaque, struct gw_error **errp) GW_MUST_CHECK;

/* As of each device. */
void vmm_virtio_set_reset(struct vmm_virtio_set *set);
void vmm_virtio_set_pause(struct vmm_virtio_set *set);
void vmm_virtio_set_resume(struct vmm_virtio_set *set);

#endif
