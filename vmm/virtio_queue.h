/*
 * Split virtqueues over guest RAM (VIRTIO 1.2, 2.7).
 *
 * Everything in a ring is the guest's and may change at any moment or mean
 * anything: each value is read once, and each address, length and index is
 * checked before it is used. What does not fit makes the queue's device
 * broken (-EBADMSG), nothing more.
 *
 * Rings that lie in guest RAM are not saved with the queue; the position of
 * the device in them is. Not locked: the device's lock guards its queues.
 */
#ifndef VMM_VIRTIO_QUEUE_H
#define VMM_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/error.h>

#include "guest_memory.h"

/* The most queues of a device, entries of a queue, and parts of a chain. */
#define VMM_VIRTIO_QUEUES_MAX 1024
#define VMM_VIRTIO_QUEUE_ENTRIES_MAX 1024
#define VMM_VIRTIO_CHAIN_MAX 1024

/* Bytes of a descriptor. */
#define VMM_VIRTIO_DESC_BYTES 16u

/* Feature bits that change the rings. */
#define VMM_VIRTIO_F_NOTIFY_ON_EMPTY 24
#define VMM_VIRTIO_F_ANY_LAYOUT 27
#define VMM_VIRTIO_F_INDIRECT 28
#define VMM_VIRTIO_F_EVENT_IDX 29
#define VMM_VIRTIO_F_VERSION_1 32
#define VMM_VIRTIO_F_RING_RESET 40

#define VMM_VIRTIO_BIT(bit) (UINT64_C(1) << (bit))

struct vmm_virtio_queue {
    /* --- moves --- */
    /* Entries; 0: there is no such queue. */
    uint32_t num;
    /* Entries after a reset. */
    uint32_t default_num;
    /* Legacy transport: alignment of the used ring in bytes. */
    uint32_t align;
    /* Guest physical addresses; desc is 0 while the queue is not set up. */
    uint64_t desc;
    uint64_t avail;
    uint64_t used;
    /* Index of the next entry to be taken. */
    uint16_t last_avail;

    /* --- derived from the used ring by a load --- */
    /* Index of the next entry to be given back. */
    uint16_t used_idx;
    /* Taken and not yet given back. */
    uint32_t n_in_flight;
    /* used_idx when the guest was last told, if it was. */
    uint16_t signalled;
    bool signalled_valid;
};

/* What a queue needs to know of its device. */
struct vmm_virtio_guest {
    const struct vmm_guest_memory *memory;
    /* Negotiated feature bits. */
    uint64_t features;
};

static inline bool vmm_virtio_guest_has(const struct vmm_virtio_guest *guest,
                                        unsigned int feature)
{
    return guest->features & VMM_VIRTIO_BIT(feature);
}

/* As vmm_guest_memory_at, for an address that is a multiple of `align`. */
static inline uint8_t *vmm_virtio_guest_at(const struct vmm_virtio_guest *guest,
                                           uint64_t gpa, uint64_t bytes,
                                           unsigned int align)
{
    return gpa % align ? NULL : vmm_guest_memory_at(guest->memory, gpa, bytes);
}

/* A chain of descriptors: what the guest sends, then room for the answer. */
struct vmm_virtio_chain {
    uint16_t head;
    unsigned int n_out;
    unsigned int n_in;
    /* Bytes of either kind; their sum is at most UINT32_MAX. */
    uint32_t out_bytes;
    uint32_t in_bytes;
    /* n_out parts to read, then n_in parts to write. */
    struct iovec iov[VMM_VIRTIO_CHAIN_MAX];
};

/* As after a reset, with the entries of default_num. */
void vmm_virtio_queue_reset(struct vmm_virtio_queue *queue);

/* The rings of a legacy queue whose descriptors are at `desc`. */
void vmm_virtio_queue_set_legacy(struct vmm_virtio_queue *queue, uint64_t desc);

/* Whether the guest has set it up. */
static inline bool
vmm_virtio_queue_is_ready(const struct vmm_virtio_queue *queue)
{
    return queue->num > 0 && queue->desc != 0;
}

/*
 * Takes the next chain. 1: there is one; 0: the ring is empty; -EBADMSG: the
 * ring is not sound.
 */
int vmm_virtio_queue_pop(struct vmm_virtio_queue *queue,
                         const struct vmm_virtio_guest *guest,
                         struct vmm_virtio_chain *ret_chain,
                         struct gw_error **errp) GW_MUST_CHECK;

/*
 * The chain with that head again, of a queue that has taken it already (a
 * request that was on its way when the machine was saved).
 */
int vmm_virtio_queue_read_chain(const struct vmm_virtio_queue *queue,
                                const struct vmm_virtio_guest *guest,
                                uint16_t head,
                                struct vmm_virtio_chain *ret_chain,
                                struct gw_error **errp) GW_MUST_CHECK;

/* Puts the last chain that was taken back, as if it never had been. */
void vmm_virtio_queue_unpop(struct vmm_virtio_queue *queue);

/*
 * Gives chains back of which `written` bytes were written: fill each, with
 * `offset` 0, 1, ..., then flush that many. push does both for one.
 */
int vmm_virtio_queue_fill(struct vmm_virtio_queue *queue,
                          const struct vmm_virtio_guest *guest, uint16_t head,
                          uint32_t written, unsigned int offset,
                          struct gw_error **errp) GW_MUST_CHECK;
int vmm_virtio_queue_flush(struct vmm_virtio_queue *queue,
                           const struct vmm_virtio_guest *guest, unsigned int n,
                           struct gw_error **errp) GW_MUST_CHECK;
int vmm_virtio_queue_push(struct vmm_virtio_queue *queue,
                          const struct vmm_virtio_guest *guest, uint16_t head,
                          uint32_t written, struct gw_error **errp)
    GW_MUST_CHECK;

/* After push: whether the guest wants an interrupt; counts as given. */
bool vmm_virtio_queue_wants_interrupt(struct vmm_virtio_queue *queue,
                                      const struct vmm_virtio_guest *guest);

/*
 * Asks the guest to tell of new entries, or says that it need not. Returns
 * true if there are entries, to be looked at before one relies on being told.
 */
bool vmm_virtio_queue_set_notify(struct vmm_virtio_queue *queue,
                                 const struct vmm_virtio_guest *guest,
                                 bool wanted);

/* Whether there is an entry to be taken. */
bool vmm_virtio_queue_has_work(const struct vmm_virtio_queue *queue,
                               const struct vmm_virtio_guest *guest);

/*
 * After a load: takes from the rings what is not saved and checks the rest.
 * QEMU's rules: at most `num` entries are in flight or wait.
 */
int vmm_virtio_queue_restore(struct vmm_virtio_queue *queue,
                             const struct vmm_virtio_guest *guest,
                             struct gw_error **errp) GW_MUST_CHECK;

/* Bytes copied out of the read parts from `offset` on, and into the write
 * parts; both return how many there were room or data for. */
size_t vmm_virtio_chain_read(const struct vmm_virtio_chain *chain,
                             size_t offset, void *data, size_t size);
size_t vmm_virtio_chain_write(const struct vmm_virtio_chain *chain,
                              const struct vmm_guest_memory *memory,
                              size_t offset, const void *data, size_t size);

#endif
