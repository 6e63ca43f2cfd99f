/*
 * Eventfds of queues.
 */
#include "virtio_notify.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util.h"
#include "virtio.h"

void vmm_virtio_notify_init(struct vmm_virtio *device)
{
    for (unsigned int i = 0; i < VMM_VIRTIO_NOTIFIERS; i++) {
        device->notify_fds[i] = -1;
    }
}

void vmm_virtio_notify_deinit(struct vmm_virtio *device)
{
    for (unsigned int i = 0; i < VMM_VIRTIO_NOTIFIERS; i++) {
        vmm_virtio_notify_close(device, i);
    }
}

int vmm_virtio_notify_open(struct vmm_virtio *device, unsigned int queue,
                           int *ret_fd, struct gw_error **errp)
{
    int fd;

    if (queue >= VMM_VIRTIO_NOTIFIERS || queue >= device->n_queues) {
        return gw_error_set(errp, -ERANGE, "queue %u has no descriptor", queue);
    }
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "eventfd");
    }
    pthread_mutex_lock(&device->lock);
    device->notify_fds[queue] = fd;
    pthread_mutex_unlock(&device->lock);
    vmm_virtio_wake(device);
    *ret_fd = fd;
    return 0;
}

void vmm_virtio_notify_close(struct vmm_virtio *device, unsigned int queue)
{
    int fd;

    pthread_mutex_lock(&device->lock);
    fd = vmm_take_fd(&device->notify_fds[queue]);
    pthread_mutex_unlock(&device->lock);
    if (fd >= 0) {
        close(fd);
    }
}

bool vmm_virtio_notified(struct vmm_virtio *device, uint32_t queue)
{
    if (queue >= device->n_queues || device->queues[queue].desc == 0 ||
        device->broken) {
        return false;
    }
    if (!vmm_virtio_has(device, VMM_VIRTIO_F_VERSION_1)) {
        device->started = true;
    }
    device->kicked |= UINT64_C(1) << queue;
    return true;
}

/* Reads a descriptor empty: true if the worker has got something to do. */
static bool take(struct vmm_virtio *device, unsigned int queue)
{
    int fd = device->notify_fds[queue];
    uint64_t count;

    return fd >= 0 && read(fd, &count, sizeof(count)) == sizeof(count) &&
           vmm_virtio_notified(device, queue);
}

void vmm_virtio_notify_prepare(const struct vmm_virtio *device,
                               struct pollfd polls[VMM_VIRTIO_NOTIFIERS])
{
    for (unsigned int i = 0; i < VMM_VIRTIO_NOTIFIERS; i++) {
        polls[i] =
            (struct pollfd){.fd = device->notify_fds[i], .events = POLLIN};
    }
}

void vmm_virtio_notify_dispatch(struct vmm_virtio *device,
                                const struct pollfd polls[VMM_VIRTIO_NOTIFIERS])
{
    for (unsigned int i = 0; i < VMM_VIRTIO_NOTIFIERS; i++) {
        if (polls[i].revents) {
            take(device, i);
        }
    }
}

void vmm_virtio_notify_take(struct vmm_virtio *device)
{
    for (unsigned int i = 0; i < VMM_VIRTIO_NOTIFIERS; i++) {
        if (take(device, i)) {
            /* The worker may be on its way into poll. */
            vmm_virtio_wake(device);
        }
    }
}
