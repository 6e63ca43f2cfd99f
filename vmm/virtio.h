/*
 * A virtio device on the memory-mapped transport: what all devices have in
 * common. A kind of device embeds it and gives it operations.
 *
 * Two threads meet here: vCPUs, which access registers, and the device's own
 * worker, which takes chains and moves data. The worker exists from start to
 * stop and is parked while the machine is paused: what is on its way then is
 * waited for, so that nothing of it is left out of the saved state.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/vmstate.h>

#include "bus.h"
#include "guest_memory.h"
#include "ioapic.h"
#include "virtio_notify.h"
#include "virtio_queue.h"

/* Bytes of the largest configuration space. */
#define VMM_VIRTIO_CONFIG_MAX 64
/* Descriptors that a device may have polled. */
#define VMM_VIRTIO_POLLS 3

/* Alignment of a legacy used ring before the driver says otherwise. */
#define VMM_VIRTIO_DEFAULT_ALIGN 4096

/* Status bits. */
#define VMM_VIRTIO_DRIVER_OK 4u
#define VMM_VIRTIO_FEATURES_OK 8u
#define VMM_VIRTIO_NEEDS_RESET 0x40u

/* Interrupt causes. */
#define VMM_VIRTIO_ISR_QUEUE 1u
#define VMM_VIRTIO_ISR_CONFIG 2u

/* Device numbers. */
enum vmm_virtio_id {
    VMM_VIRTIO_ID_NET = 1,
    VMM_VIRTIO_ID_BLK = 2,
    VMM_VIRTIO_ID_CONSOLE = 3,
    VMM_VIRTIO_ID_RNG = 4,
    VMM_VIRTIO_ID_BALLOON = 5,
    VMM_VIRTIO_ID_VSOCK = 19,
};

/*
 * A kind of device. All are called with the device's lock held; opaque is the
 * object of the kind. Every member is filled.
 */
struct vmm_virtio_ops {
    enum vmm_virtio_id id;
    /* Of the section, and in messages. */
    const char *name;
    /* Brings the configuration space up to date; the guest has written it. */
    void (*get_config)(void *opaque, uint8_t *config);
    void (*set_config)(void *opaque, const uint8_t *config);
    /* Features were negotiated. */
    void (*set_features)(void *opaque);
    /* The driver starts over; nothing is on its way. */
    void (*reset)(void *opaque);
    /* Worker: the guest has added to that queue, or may have. */
    void (*process)(void *opaque, unsigned int queue);
    /* Worker: what to poll for (while the machine runs, or what is on its
     * way), and what came of it. */
    void (*prepare)(void *opaque, bool running,
                    struct pollfd polls[VMM_VIRTIO_POLLS]);
    void (*dispatch)(void *opaque, bool running,
                     const struct pollfd polls[VMM_VIRTIO_POLLS]);
    /* Requests that others work on, and that refer to guest memory. */
    unsigned int (*n_on_the_way)(void *opaque);
    /* Worker: the machine is paused, nothing is on its way; and goes on. */
    void (*paused)(void *opaque);
    void (*resumed)(void *opaque);
};

/* Members for a kind that does all it does at once, when the guest tells it. */
#define VMM_VIRTIO_OPS_AT_ONCE                                              \
    .prepare = vmm_virtio_no_polls, .dispatch = vmm_virtio_no_dispatch,     \
    .n_on_the_way = vmm_virtio_none_on_the_way, .paused = vmm_virtio_no_op, \
    .resumed = vmm_virtio_no_op

/* Queue registers of the modern transport, as they were written last. */
struct vmm_virtio_mmio_queue {
    uint16_t num;
    bool enabled;
    /* Low and high half. */
    uint32_t desc[2];
    uint32_t avail[2];
    uint32_t used[2];
};

/* What a kind wants of the common part. */
struct vmm_virtio_config {
    const struct vmm_guest_memory *memory;
    struct vmm_ioapic *ioapic;
    /* Pin of the I/O APIC. */
    unsigned int pin;
    /* Version 1 of the transport's registers, QEMU's default; or version 2. */
    bool legacy;
    /* Device features that are offered, the transport's left out. */
    uint64_t features;
    /* Those of the common part that this kind does not offer. */
    uint64_t left_out;
    /* Not offered, but a guest that comes in may have them. */
    uint64_t tolerated;
    uint32_t config_bytes;
};

struct vmm_virtio {
    /* --- constant after init --- */
    const struct vmm_virtio_ops *ops;
    void *opaque;
    struct vmm_ioapic *ioapic;
    unsigned int pin;
    bool legacy;
    uint64_t host_features;
    uint64_t tolerated_features;
    uint32_t config_bytes;
    unsigned int n_queues;

    /* --- guarded by lock; moves --- */
    pthread_mutex_t lock;
    uint32_t host_features_sel;
    uint32_t guest_features_sel;
    uint32_t guest_page_shift;
    uint8_t status;
    uint8_t isr;
    uint16_t queue_sel;
    /* Its memory, and the features that were negotiated. */
    struct vmm_virtio_guest guest;
    /* The configuration space as the guest read it last. */
    uint8_t config[VMM_VIRTIO_CONFIG_MAX];
    struct vmm_virtio_queue queues[VMM_VIRTIO_QUEUES_MAX];
    /* The guest has done something that makes no sense. */
    bool broken;
    /* The driver has started. */
    bool started;
    bool disabled;
    /* Modern transport: the driver's features and queue registers. */
    uint32_t mmio_features[2];
    struct vmm_virtio_mmio_queue mmio_queues[VMM_VIRTIO_QUEUES_MAX];
    /* What is sent of the above in another form. */
    uint32_t sent_features;
    uint32_t sent_config_bytes;
    uint32_t sent_n_queues;

    /* --- guarded by lock; does not move --- */
    uint32_t generation;
    /* By queue: readable when the guest told of it, or -1. */
    int notify_fds[VMM_VIRTIO_NOTIFIERS];
    /* Queues that the guest told of, and that process is due for. */
    uint64_t kicked;
    /* A vCPU waits for what is on its way, to reset the device. */
    unsigned int n_resetting;
    /* The machine runs; it is to stop; it does not, and nothing is on its
     * way. */
    bool running;
    bool pausing;
    bool parked;
    bool quit;
    /* The guest's mistake was reported. */
    bool reported;
    /* Signalled when `parked` or what is on its way changes. */
    pthread_cond_t changed;

    /* --- main thread --- */
    pthread_t thread;
    bool has_thread;
    int wake_fd;
    /* Scratch of the worker: too large for a stack. */
    struct vmm_virtio_chain chain;
};

/* All registers of the transport. */
extern const struct vmm_bus_ops vmm_virtio_bus_ops;

/*
 * Tables for the section of a kind, in this order: the common part, the
 * kind's own fields, the common subsections.
 */
extern const struct gw_vmstate vmm_virtio_head_vmstate;
extern const struct gw_vmstate vmm_virtio_tail_vmstate;
#define VMM_VIRTIO_FIELD_HEAD(S, m) \
    GW_FIELD_STRUCT(S, m, vmm_virtio_head_vmstate, struct vmm_virtio)
#define VMM_VIRTIO_FIELD_TAIL(S, m) \
    GW_FIELD_STRUCT(S, m, vmm_virtio_tail_vmstate, struct vmm_virtio)
/* For the hooks of the kind's table. */
void vmm_virtio_pre_save(struct vmm_virtio *device);
void vmm_virtio_pre_load(struct vmm_virtio *device);
int vmm_virtio_post_load(struct vmm_virtio *device, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * Hooks for a kind that has nothing to add; `state` is its object, which
 * begins with the common part. What was taken before a load and not given
 * back is taken once more.
 */
int vmm_virtio_pre_save_hook(void *state, struct gw_error **errp);
int vmm_virtio_pre_load_hook(void *state, struct gw_error **errp);
int vmm_virtio_post_load_hook(void *state, uint32_t version,
                              struct gw_error **errp);

/*
 * After post_load: what was taken and not given back is taken once more. For
 * devices that answer in order and save no requests.
 */
void vmm_virtio_rewind(struct vmm_virtio *device);

/* A device without queues, paused. */
int vmm_virtio_init(struct vmm_virtio *device, const struct vmm_virtio_ops *ops,
                    void *opaque, const struct vmm_virtio_config *config,
                    struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_deinit(struct vmm_virtio *device);
/* Adds a queue of so many entries. */
void vmm_virtio_add_queue(struct vmm_virtio *device, uint32_t num);

/* Starts and ends the worker; the latter waits for it. Main thread. */
int vmm_virtio_start(struct vmm_virtio *device, struct gw_error **errp)
    GW_MUST_CHECK;
void vmm_virtio_stop(struct vmm_virtio *device);

/*
 * The machine is paused, and goes on. No vCPU runs. Pausing returns when
 * nothing is on its way any more; resuming raises the interrupt line where it
 * was and has every queue looked at.
 */
void vmm_virtio_pause(struct vmm_virtio *device);
void vmm_virtio_resume(struct vmm_virtio *device);

/* The machine, which is paused, is reset: transport, queues and the kind. */
void vmm_virtio_power_on(struct vmm_virtio *device);

/* One round of the worker; for tests that have none. -1 waits. */
void vmm_virtio_work(struct vmm_virtio *device, int timeout_ms);

/* --- For kinds, with the lock held --- */

static inline bool vmm_virtio_has(const struct vmm_virtio *device,
                                  unsigned int feature)
{
    return vmm_virtio_guest_has(&device->guest, feature);
}

/* The driver runs and the device can serve it. */
bool vmm_virtio_is_live(const struct vmm_virtio *device);
/* process is due for that queue. */
void vmm_virtio_kick(struct vmm_virtio *device, unsigned int queue);
/* Makes the worker look at its descriptors again. Any thread, no lock. */
void vmm_virtio_wake(struct vmm_virtio *device);
/* The guest made a mistake: nothing works before it resets the device. */
void vmm_virtio_break(struct vmm_virtio *device, const char *why);
/* As of the queue; -EBADMSG breaks the device and is 0 here. */
bool vmm_virtio_pop(struct vmm_virtio *device, unsigned int queue,
                    struct vmm_virtio_chain *ret_chain);
/* Gives one chain back; interrupts are another matter. */
void vmm_virtio_push(struct vmm_virtio *device, unsigned int queue,
                     uint16_t head, uint32_t written);
/* Interrupts the guest, if it wants that after what was given back. */
void vmm_virtio_interrupt(struct vmm_virtio *device, unsigned int queue);
/* The configuration space has changed. */
void vmm_virtio_config_changed(struct vmm_virtio *device);
/*
 * A loop for `process`: true while there is a chain in device->chain. Asks
 * to be told of more, and comes back to a guest that never stops.
 */
bool vmm_virtio_next(struct vmm_virtio *device, unsigned int queue,
                     unsigned int *n_done);
/* Until nothing is on its way; gives the lock up meanwhile. For resets. */
void vmm_virtio_wait(struct vmm_virtio *device);
/* The state of the driver is as after a reset. The transport's. */
void vmm_virtio_reset(struct vmm_virtio *device);

/* Does nothing, for kinds that have no use for an operation. */
void vmm_virtio_no_op(void *opaque);
void vmm_virtio_no_get_config(void *opaque, uint8_t *config);
void vmm_virtio_no_set_config(void *opaque, const uint8_t *config);
void vmm_virtio_no_polls(void *opaque, bool running,
                         struct pollfd polls[VMM_VIRTIO_POLLS]);
void vmm_virtio_no_dispatch(void *opaque, bool running,
                            const struct pollfd polls[VMM_VIRTIO_POLLS]);
unsigned int vmm_virtio_none_on_the_way(void *opaque);

#endif
