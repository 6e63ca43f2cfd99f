/*
 * Fills what the guest offers (VIRTIO 1.2, 5.4).
 */
#include "virtio_rng.h"

#include <string.h>
#include <sys/random.h>

#include "util.h"

#define QUEUE_ENTRIES 8
/* The most for one request; less than asked for is allowed. */
#define BYTES_MAX 4096u

static void process(void *opaque, unsigned int queue)
{
    struct vmm_virtio_rng *rng = opaque;
    struct vmm_virtio *device = &rng->device;
    uint8_t bytes[BYTES_MAX];
    unsigned int n_done = 0;

    while (vmm_virtio_next(device, queue, &n_done)) {
        size_t wanted = device->chain.in_bytes;
        ssize_t n;

        wanted = wanted < sizeof(bytes) ? wanted : sizeof(bytes);
        n = getrandom(bytes, wanted, 0);
        n = n < 0 ? 0 : n;
        vmm_virtio_chain_write(&device->chain, device->guest.memory, 0, bytes,
                               (size_t)n);
        vmm_virtio_push(device, queue, device->chain.head, (uint32_t)n);
    }
    vmm_virtio_interrupt(device, queue);
}

static const struct vmm_virtio_ops ops = {
    .id = VMM_VIRTIO_ID_RNG,
    .name = "virtio-rng",
    .get_config = vmm_virtio_no_get_config,
    .set_config = vmm_virtio_no_set_config,
    .set_features = vmm_virtio_no_op,
    .reset = vmm_virtio_no_op,
    .process = process,
    VMM_VIRTIO_OPS_AT_ONCE,
};

int vmm_virtio_rng_init(struct vmm_virtio_rng *rng,
                        const struct vmm_virtio_config *config,
                        struct gw_error **errp)
{
    struct vmm_virtio_config virtio = *config;
    int r;

    virtio.features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT);
    virtio.config_bytes = 0;
    r = vmm_virtio_init(&rng->device, &ops, rng, &virtio, errp);
    if (r == 0) {
        vmm_virtio_add_queue(&rng->device, QUEUE_ENTRIES);
    }
    return r;
}

void vmm_virtio_rng_deinit(struct vmm_virtio_rng *rng)
{
    vmm_virtio_deinit(&rng->device);
}

static const struct gw_field fields[] = {
    VMM_VIRTIO_FIELD_HEAD(struct vmm_virtio_rng, device),
    VMM_VIRTIO_FIELD_TAIL(struct vmm_virtio_rng, device),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_virtio_rng_vmstate = {
    .name = "virtio-rng",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_rng),
    .fields = fields,
    .pre_save = vmm_virtio_pre_save_hook,
    .pre_load = vmm_virtio_pre_load_hook,
    /* A request that QEMU had not answered yet is taken again. */
    .post_load = vmm_virtio_post_load_hook,
};
