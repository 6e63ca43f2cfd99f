/*
 * virtio-rng: random numbers of the host.
 */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "virtio.h"

struct vmm_virtio_rng {
    struct vmm_virtio device;
};

extern const struct gw_vmstate vmm_virtio_rng_vmstate;

int vmm_virtio_rng_init(struct vmm_virtio_rng *rng,
                        const struct vmm_virtio_config *config,
                        struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_rng_deinit(struct vmm_virtio_rng *rng);

#endif
