/*
 * The life of a device: features, reset, the worker, interrupts.
 */
#include "virtio.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util.h"

/* Features of every device; QEMU 10 offers the same. */
#define COMMON_FEATURES                        \
    (VMM_VIRTIO_BIT(VMM_VIRTIO_F_INDIRECT) |   \
     VMM_VIRTIO_BIT(VMM_VIRTIO_F_EVENT_IDX) |  \
     VMM_VIRTIO_BIT(VMM_VIRTIO_F_RING_RESET) | \
     VMM_VIRTIO_BIT(VMM_VIRTIO_F_NOTIFY_ON_EMPTY))
/* Chains in a row before others have their turn. */
#define ROUND_MAX VMM_VIRTIO_QUEUE_ENTRIES_MAX
/* Without a worker, a pause waits for requests in steps of this. */
#define PAUSE_POLL_MS 10

int vmm_virtio_init(struct vmm_virtio *device, const struct vmm_virtio_ops *ops,
                    void *opaque, const struct vmm_virtio_config *config,
                    struct gw_error **errp)
{
    assert(config->config_bytes <= VMM_VIRTIO_CONFIG_MAX);
    memset(device, 0, sizeof(*device));
    device->ops = ops;
    device->opaque = opaque;
    device->ioapic = config->ioapic;
    device->pin = config->pin;
    device->legacy = config->legacy;
    device->host_features =
        (config->features | COMMON_FEATURES) & ~config->left_out;
    device->tolerated_features = config->tolerated;
    if (!config->legacy) {
        device->host_features |= VMM_VIRTIO_BIT(VMM_VIRTIO_F_VERSION_1);
    }
    device->config_bytes = config->config_bytes;
    device->guest.memory = config->memory;
    device->parked = true;
    vmm_virtio_notify_init(device);
    pthread_mutex_init(&device->lock, NULL);
    pthread_cond_init(&device->changed, NULL);
    device->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (device->wake_fd < 0) {
        return gw_error_set_errno(errp, -errno, "eventfd");
    }
    return 0;
}

void vmm_virtio_deinit(struct vmm_virtio *device)
{
    if (!device->ops) {
        return;
    }
    vmm_virtio_stop(device);
    vmm_virtio_notify_deinit(device);
    if (device->wake_fd >= 0) {
        close(device->wake_fd);
    }
    pthread_cond_destroy(&device->changed);
    pthread_mutex_destroy(&device->lock);
    device->ops = NULL;
}

void vmm_virtio_add_queue(struct vmm_virtio *device, uint32_t num)
{
    struct vmm_virtio_queue *queue;

    assert(device->n_queues < 64);
    queue = &device->queues[device->n_queues++];
    queue->num = queue->default_num = num;
    queue->align = VMM_VIRTIO_DEFAULT_ALIGN;
}

void vmm_virtio_wake(struct vmm_virtio *device)
{
    uint64_t one = 1;

    /* EAGAIN: it is readable already. */
    (void)!write(device->wake_fd, &one, sizeof(one));
}

bool vmm_virtio_is_live(const struct vmm_virtio *device)
{
    /* Drivers of the legacy kind may use a device before they say so. */
    bool started = (device->status & VMM_VIRTIO_DRIVER_OK) ||
                   !vmm_virtio_has(device, VMM_VIRTIO_F_VERSION_1);

    return device->running && started && !device->broken && !device->disabled &&
           device->n_resetting == 0;
}

void vmm_virtio_kick(struct vmm_virtio *device, unsigned int queue)
{
    device->kicked |= UINT64_C(1) << queue;
    vmm_virtio_wake(device);
}

static void update_line(struct vmm_virtio *device)
{
    vmm_ioapic_set_line(device->ioapic, device->pin, device->isr != 0);
}

void vmm_virtio_config_changed(struct vmm_virtio *device)
{
    if (!(device->status & VMM_VIRTIO_DRIVER_OK)) {
        return;
    }
    device->generation++;
    device->isr |= VMM_VIRTIO_ISR_QUEUE | VMM_VIRTIO_ISR_CONFIG;
    /* While the machine stands still its interrupts may have been saved. */
    if (!device->parked) {
        update_line(device);
    }
}

/* Said once: a guest must not fill the host's log. */
void vmm_virtio_break(struct vmm_virtio *device, const char *why)
{
    if (!device->reported) {
        device->reported = true;
        fprintf(stderr, "godwit run: %s: %s: the device waits for a reset\n",
                device->ops->name, why);
    }
    device->broken = true;
    if (vmm_virtio_has(device, VMM_VIRTIO_F_VERSION_1)) {
        device->status |= VMM_VIRTIO_NEEDS_RESET;
        vmm_virtio_config_changed(device);
    }
}

bool vmm_virtio_pop(struct vmm_virtio *device, unsigned int queue,
                    struct vmm_virtio_chain *ret_chain)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;
    int r;

    if (!vmm_virtio_is_live(device)) {
        return false;
    }
    r = vmm_virtio_queue_pop(&device->queues[queue], &device->guest, ret_chain,
                             &error);
    if (r < 0) {
        vmm_virtio_break(device, gw_error_text(error));
    }
    return r > 0;
}

void vmm_virtio_push(struct vmm_virtio *device, unsigned int queue,
                     uint16_t head, uint32_t written)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;

    if (!device->broken &&
        vmm_virtio_queue_push(&device->queues[queue], &device->guest, head,
                              written, &error) < 0) {
        vmm_virtio_break(device, gw_error_text(error));
    }
}

void vmm_virtio_interrupt(struct vmm_virtio *device, unsigned int queue)
{
    if (!device->broken && vmm_virtio_queue_wants_interrupt(
                               &device->queues[queue], &device->guest)) {
        device->isr |= VMM_VIRTIO_ISR_QUEUE;
        update_line(device);
    }
}

bool vmm_virtio_next(struct vmm_virtio *device, unsigned int queue,
                     unsigned int *n_done)
{
    struct vmm_virtio_queue *q = &device->queues[queue];

    if (!vmm_virtio_is_live(device)) {
        return false;
    }
    if (*n_done == 0) {
        vmm_virtio_queue_set_notify(q, &device->guest, false);
    }
    if ((*n_done)++ >= ROUND_MAX) {
        vmm_virtio_kick(device, queue);
        return false;
    }
    do {
        if (vmm_virtio_pop(device, queue, &device->chain)) {
            return true;
        }
    } while (!device->broken &&
             vmm_virtio_queue_set_notify(q, &device->guest, true));
    return false;
}

void vmm_virtio_wait(struct vmm_virtio *device)
{
    device->n_resetting++;
    while (device->has_thread &&
           device->ops->n_on_the_way(device->opaque) > 0) {
        pthread_cond_wait(&device->changed, &device->lock);
    }
    device->n_resetting--;
}

void vmm_virtio_reset(struct vmm_virtio *device)
{
    vmm_virtio_wait(device);
    device->guest.features = 0;
    device->queue_sel = 0;
    device->status = 0;
    device->isr = 0;
    device->broken = false;
    device->started = false;
    device->disabled = false;
    device->kicked = 0;
    for (unsigned int i = 0; i < device->n_queues; i++) {
        vmm_virtio_queue_reset(&device->queues[i]);
    }
    device->ops->reset(device->opaque);
    update_line(device);
}

static void serve_kicks(struct vmm_virtio *device)
{
    uint64_t kicked = device->kicked;

    if (!vmm_virtio_is_live(device)) {
        return;
    }
    device->kicked = 0;
    for (unsigned int i = 0; kicked; i++, kicked >>= 1) {
        if ((kicked & 1) && i < device->n_queues) {
            device->ops->process(device->opaque, i);
        }
    }
}

static void settle(struct vmm_virtio *device)
{
    if (device->pausing) {
        vmm_virtio_notify_take(device);
        if (device->kicked == 0 || !vmm_virtio_is_live(device)) {
            device->pausing = false;
            device->running = false;
        }
    }
    if (device->ops->n_on_the_way(device->opaque) > 0) {
        return;
    }
    if (!device->running && !device->parked) {
        device->ops->paused(device->opaque);
        device->parked = true;
    }
    pthread_cond_broadcast(&device->changed);
}

static void work_locked(struct vmm_virtio *device, int timeout_ms)
{
    struct pollfd polls[1 + VMM_VIRTIO_POLLS + VMM_VIRTIO_NOTIFIERS];
    struct pollfd *notifies = polls + 1 + VMM_VIRTIO_POLLS;
    uint64_t count;

    serve_kicks(device);
    settle(device);
    for (unsigned int i = 0; i < VMM_ARRAY_SIZE(polls); i++) {
        polls[i] = (struct pollfd){.fd = -1};
    }
    polls[0] = (struct pollfd){.fd = device->wake_fd, .events = POLLIN};
    device->ops->prepare(device->opaque, vmm_virtio_is_live(device), polls + 1);
    vmm_virtio_notify_prepare(device, notifies);
    pthread_mutex_unlock(&device->lock);
    if (poll(polls, VMM_ARRAY_SIZE(polls), timeout_ms) < 0) {
        polls[0].revents = 0;
    }
    pthread_mutex_lock(&device->lock);
    if (polls[0].revents) {
        (void)!read(device->wake_fd, &count, sizeof(count));
    }
    vmm_virtio_notify_dispatch(device, notifies);
    device->ops->dispatch(device->opaque, vmm_virtio_is_live(device),
                          polls + 1);
    settle(device);
}

void vmm_virtio_work(struct vmm_virtio *device, int timeout_ms)
{
    pthread_mutex_lock(&device->lock);
    work_locked(device, timeout_ms);
    pthread_mutex_unlock(&device->lock);
}

static void *worker_main(void *opaque)
{
    struct vmm_virtio *device = opaque;

    pthread_setname_np(pthread_self(), device->ops->name);
    pthread_mutex_lock(&device->lock);
    while (!device->quit) {
        work_locked(device, -1);
    }
    pthread_mutex_unlock(&device->lock);
    return NULL;
}

int vmm_virtio_start(struct vmm_virtio *device, struct gw_error **errp)
{
    sigset_t blocked;
    sigset_t old;
    int r;

    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    r = pthread_create(&device->thread, NULL, worker_main, device);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        return gw_error_set_errno(errp, -r, "cannot start the thread of %s",
                                  device->ops->name);
    }
    device->has_thread = true;
    return 0;
}

/* What is on its way refers to guest memory: it is waited for. */
void vmm_virtio_stop(struct vmm_virtio *device)
{
    if (!device->has_thread) {
        return;
    }
    vmm_virtio_pause(device);
    pthread_mutex_lock(&device->lock);
    device->quit = true;
    pthread_mutex_unlock(&device->lock);
    vmm_virtio_wake(device);
    pthread_join(device->thread, NULL);
    device->has_thread = false;
}

/*
 * What the guest told of before it was stopped is done first: nobody would
 * tell the next process of it again.
 */
void vmm_virtio_pause(struct vmm_virtio *device)
{
    pthread_mutex_lock(&device->lock);
    device->pausing = device->running;
    vmm_virtio_wake(device);
    while (!device->parked) {
        if (device->has_thread) {
            pthread_cond_wait(&device->changed, &device->lock);
        } else {
            work_locked(device, PAUSE_POLL_MS);
        }
    }
    pthread_mutex_unlock(&device->lock);
}

void vmm_virtio_resume(struct vmm_virtio *device)
{
    pthread_mutex_lock(&device->lock);
    device->running = true;
    device->pausing = false;
    device->parked = false;
    update_line(device);
    device->ops->resumed(device->opaque);
    device->kicked = UINT64_MAX;
    vmm_virtio_wake(device);
    pthread_mutex_unlock(&device->lock);
}

void vmm_virtio_no_op(void *opaque)
{
}

void vmm_virtio_no_get_config(void *opaque, uint8_t *config)
{
}

void vmm_virtio_no_set_config(void *opaque, const uint8_t *config)
{
}

void vmm_virtio_no_polls(void *opaque, bool running,
                         struct pollfd polls[VMM_VIRTIO_POLLS])
{
}

void vmm_virtio_no_dispatch(void *opaque, bool running,
                            const struct pollfd polls[VMM_VIRTIO_POLLS])
{
}

unsigned int vmm_virtio_none_on_the_way(void *opaque)
{
    return 0;
}
