/*
 * Notifications of a queue through a descriptor: the accelerator makes an
 * eventfd readable where the guest writes the queue's number, and the vCPU
 * goes on at once, without an exit to this program. The worker reads it.
 *
 * Queues above the first few are told of by an exit.
 */
#ifndef VMM_VIRTIO_NOTIFY_H
#define VMM_VIRTIO_NOTIFY_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

struct vmm_virtio;

/* Queues of a device that may have a descriptor. */
#define VMM_VIRTIO_NOTIFIERS 8

/* Offset of the register and size of the access that tell of a queue. */
#define VMM_VIRTIO_NOTIFY_OFFSET 0x050u
#define VMM_VIRTIO_NOTIFY_BYTES 4u

void vmm_virtio_notify_init(struct vmm_virtio *device);
void vmm_virtio_notify_deinit(struct vmm_virtio *device);

/*
 * Makes the descriptor of a queue and has the worker listen; lent. -ERANGE:
 * the queue is told of by an exit.
 */
int vmm_virtio_notify_open(struct vmm_virtio *device, unsigned int queue,
                           int *ret_fd, struct gw_error **errp) GW_MUST_CHECK;
/* Nobody writes to it: closes it. */
void vmm_virtio_notify_close(struct vmm_virtio *device, unsigned int queue);

/* --- With the lock held --- */

/*
 * The guest tells of a queue: true if there is such a one, and the worker,
 * unless it calls this itself, is to be woken.
 */
bool vmm_virtio_notified(struct vmm_virtio *device, uint32_t queue);

/* Worker: what to poll for, and what came of it. */
void vmm_virtio_notify_prepare(const struct vmm_virtio *device,
                               struct pollfd polls[VMM_VIRTIO_NOTIFIERS]);
void vmm_virtio_notify_dispatch(
    struct vmm_virtio *device, const struct pollfd polls[VMM_VIRTIO_NOTIFIERS]);

/*
 * Takes all that was told until now. After the vCPUs have stopped, so that
 * nothing is left that only this process knows of.
 */
void vmm_virtio_notify_take(struct vmm_virtio *device);

#endif
