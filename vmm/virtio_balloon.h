/*
 * virtio-balloon: memory that the guest gives back to the host.
 */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

#include "virtio.h"

struct vmm_virtio_balloon_config {
    struct vmm_virtio_config virtio;
    /* The guest may report free memory by itself. */
    bool reporting;
};

struct vmm_virtio_balloon {
    struct vmm_virtio device;
    /* Pages of 4 KiB that the host wants, and that the guest has given. */
    uint32_t num_pages;
    uint32_t actual;
    /* What the guest fills free pages with, if it says so. */
    uint32_t poison;
    bool reporting;
    /* Called with the lock held when `actual` has changed; or NULL. */
    void (*changed)(void *opaque);
    void *changed_opaque;
};

extern const struct gw_vmstate vmm_virtio_balloon_vmstate;

int vmm_virtio_balloon_init(struct vmm_virtio_balloon *balloon,
                            const struct vmm_virtio_balloon_config *config,
                            struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_balloon_deinit(struct vmm_virtio_balloon *balloon);

/* The host wants so many pages of 4 KiB. Any thread. */
void vmm_virtio_balloon_set_target(struct vmm_virtio_balloon *balloon,
                                   uint32_t pages);

/* How many pages the guest says that it has given. Any thread. */
uint32_t vmm_virtio_balloon_actual(struct vmm_virtio_balloon *balloon);

#endif
