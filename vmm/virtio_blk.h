/*
 * virtio-blk: a disk.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "block.h"
#include "virtio.h"
#include "virtio_element.h"

/* Longest serial number; not terminated if it is as long. */
#define VMM_VIRTIO_BLK_ID_BYTES 20
#define VMM_VIRTIO_BLK_QUEUES_MAX 16
/* As of QEMU: the largest request that an int of bytes can express. */
#define VMM_VIRTIO_BLK_RANGE_SECTORS_MAX \
    ((uint32_t)INT32_MAX / VMM_SECTOR_BYTES)
/* The device is read-only, and says so. */
#define VMM_VIRTIO_BLK_F_RO 5
/* Where the configuration space has the number of sectors. */
#define VMM_VIRTIO_BLK_CAPACITY_AT 0

struct vmm_virtio_blk_config {
    struct vmm_virtio_config virtio;
    struct vmm_block_config image;
    unsigned int n_queues;
    /* Serial number, or NULL. */
    const char *serial;
};

struct vmm_virtio_blk {
    struct vmm_virtio device;
    struct vmm_block image;
    /* Writes may wait in a cache until a flush. */
    bool write_back;
    char serial[VMM_VIRTIO_BLK_ID_BYTES];
    /* Requests that came in with the state (struct vmm_virtio_blk_saved). */
    struct gw_list saved;
    /* Queues with requests that were given back since the last interrupt. */
    uint32_t given_back;
};

/* A request that came in with the state. */
struct vmm_virtio_blk_saved {
    struct gw_list_link link;
    uint32_t queue;
    uint8_t element[VMM_VIRTIO_ELEMENT_BYTES];
};

extern const struct gw_vmstate vmm_virtio_blk_vmstate;

int vmm_virtio_blk_init(struct vmm_virtio_blk *blk,
                        const struct vmm_virtio_blk_config *config,
                        struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_blk_deinit(struct vmm_virtio_blk *blk);

/* --- For its parts, with the device's lock held --- */

/* Begins what a chain asks for; it is given back now or when it is done. */
void vmm_virtio_blk_take(struct vmm_virtio_blk *blk, unsigned int queue,
                         const struct vmm_virtio_chain *chain);
/* The image is done with a request. */
void vmm_virtio_blk_finish(struct vmm_virtio_blk *blk,
                           struct vmm_block_request *io);
/* Begins a request that came in. */
void vmm_virtio_blk_redo(struct vmm_virtio_blk *blk,
                         const struct vmm_virtio_blk_saved *saved);
/* For the section: forgets requests that came in. */
void vmm_virtio_blk_drop_saved(struct vmm_virtio_blk *blk);

#endif
