/*
 * The device: configuration, features, its queues and its image. Requests are
 * the subject of virtio_blk_request.c.
 */
#include "virtio_blk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define F_SEG_MAX 2
#define F_GEOMETRY 4
#define F_BLK_SIZE 6
#define F_SCSI 7
#define F_FLUSH 9
#define F_TOPOLOGY 10
#define F_CONFIG_WCE 11
#define F_MQ 12
#define F_DISCARD 13
#define F_WRITE_ZEROES 14

#define QUEUE_ENTRIES 256
#define SEG_MAX (QUEUE_ENTRIES - 2)

/* The configuration space, 60 bytes; QEMU's name for the last is unused. */
#define CONFIG_CAPACITY VMM_VIRTIO_BLK_CAPACITY_AT
#define CONFIG_SEG_MAX 12
#define CONFIG_CYLINDERS 16
#define CONFIG_HEADS 18
#define CONFIG_SECTORS 19
#define CONFIG_BLK_SIZE 20
#define CONFIG_MIN_IO 26
#define CONFIG_WCE 32
#define CONFIG_NUM_QUEUES 34
#define CONFIG_DISCARD_SECTORS 36
#define CONFIG_DISCARD_SEGMENTS 40
#define CONFIG_DISCARD_ALIGN 44
#define CONFIG_ZERO_SECTORS 48
#define CONFIG_ZERO_SEGMENTS 52
#define CONFIG_ZERO_UNMAP 56
#define CONFIG_BYTES 57

static void get_config(void *opaque, uint8_t *config)
{
    struct vmm_virtio_blk *blk = opaque;
    uint64_t sectors = blk->image.bytes / VMM_SECTOR_BYTES;
    uint64_t cylinders = sectors / (16 * 63);

    memset(config, 0, CONFIG_BYTES);
    vmm_put_le64(config + CONFIG_CAPACITY, sectors);
    vmm_put_le32(config + CONFIG_SEG_MAX, SEG_MAX);
    /* The old made-up geometry: 2 to 16383 cylinders, 16 heads, 63 sectors. */
    cylinders = cylinders < 2 ? 2 : cylinders > 16383 ? 16383 : cylinders;
    vmm_put_le16(config + CONFIG_CYLINDERS, (uint16_t)cylinders);
    config[CONFIG_HEADS] = 16;
    config[CONFIG_SECTORS] = 63;
    vmm_put_le32(config + CONFIG_BLK_SIZE, blk->image.align);
    config[CONFIG_WCE] = blk->write_back;
    vmm_put_le16(config + CONFIG_NUM_QUEUES, (uint16_t)blk->device.n_queues);
    vmm_put_le32(config + CONFIG_DISCARD_SECTORS,
                 VMM_VIRTIO_BLK_RANGE_SECTORS_MAX);
    vmm_put_le32(config + CONFIG_DISCARD_SEGMENTS, 1);
    vmm_put_le32(config + CONFIG_DISCARD_ALIGN,
                 blk->image.align / VMM_SECTOR_BYTES);
    vmm_put_le32(config + CONFIG_ZERO_SECTORS,
                 VMM_VIRTIO_BLK_RANGE_SECTORS_MAX);
    vmm_put_le32(config + CONFIG_ZERO_SEGMENTS, 1);
    config[CONFIG_ZERO_UNMAP] = 1;
}

static void set_config(void *opaque, const uint8_t *config)
{
    struct vmm_virtio_blk *blk = opaque;

    if (vmm_virtio_has(&blk->device, F_CONFIG_WCE)) {
        blk->write_back = config[CONFIG_WCE] != 0;
    }
}

/* A driver that cannot flush must not need to. */
static void set_features(void *opaque)
{
    struct vmm_virtio_blk *blk = opaque;

    if (!vmm_virtio_has(&blk->device, F_CONFIG_WCE)) {
        blk->write_back = vmm_virtio_has(&blk->device, F_FLUSH);
    }
}

static void reset(void *opaque)
{
    struct vmm_virtio_blk *blk = opaque;

    blk->write_back = true;
}

static void interrupt(struct vmm_virtio_blk *blk)
{
    for (unsigned int i = 0; i < blk->device.n_queues; i++) {
        if (blk->given_back & 1u << i) {
            vmm_virtio_interrupt(&blk->device, i);
        }
    }
    blk->given_back = 0;
}

static void process(void *opaque, unsigned int queue)
{
    struct vmm_virtio_blk *blk = opaque;
    unsigned int n_done = 0;

    while (vmm_virtio_next(&blk->device, queue, &n_done)) {
        vmm_virtio_blk_take(blk, queue, &blk->device.chain);
    }
    vmm_block_kick(&blk->image);
    interrupt(blk);
}

static void prepare(void *opaque, bool running,
                    struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_blk *blk = opaque;

    polls[0] = (struct pollfd){.fd = blk->image.event_fd, .events = POLLIN};
}

static void dispatch(void *opaque, bool running,
                     const struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_blk *blk = opaque;
    struct vmm_block_request *io;

    while ((io = vmm_block_reap(&blk->image))) {
        vmm_virtio_blk_finish(blk, io);
    }
    interrupt(blk);
}

static unsigned int n_on_the_way(void *opaque)
{
    struct vmm_virtio_blk *blk = opaque;

    return blk->image.n_requests;
}

/* The next process may read the image before this one has ended. */
static void paused(void *opaque)
{
    struct vmm_virtio_blk *blk = opaque;
    int r = vmm_block_flush(&blk->image);

    if (r < 0) {
        fprintf(stderr, "godwit run: virtio-blk: cannot flush: %s\n",
                strerror(-r));
    }
}

void vmm_virtio_blk_drop_saved(struct vmm_virtio_blk *blk)
{
    while (blk->saved.first) {
        struct vmm_virtio_blk_saved *saved =
            GW_LIST_ENTRY(blk->saved.first, struct vmm_virtio_blk_saved, link);

        gw_list_remove(&blk->saved, &saved->link);
        free(saved);
    }
}

/* Requests that QEMU had on its way when it was saved: done again. */
static void resumed(void *opaque)
{
    struct vmm_virtio_blk *blk = opaque;

    for (struct gw_list_link *at = blk->saved.first; at && !blk->device.broken;
         at = at->next) {
        vmm_virtio_blk_redo(
            blk, GW_LIST_ENTRY(at, struct vmm_virtio_blk_saved, link));
    }
    vmm_virtio_blk_drop_saved(blk);
    vmm_block_kick(&blk->image);
}

static const struct vmm_virtio_ops ops = {
    .id = VMM_VIRTIO_ID_BLK,
    .name = "virtio-blk",
    .get_config = get_config,
    .set_config = set_config,
    .set_features = set_features,
    .reset = reset,
    .process = process,
    .prepare = prepare,
    .dispatch = dispatch,
    .n_on_the_way = n_on_the_way,
    .paused = paused,
    .resumed = resumed,
};

static uint64_t offered(const struct vmm_virtio_blk_config *config)
{
    uint64_t features =
        VMM_VIRTIO_BIT(F_SEG_MAX) | VMM_VIRTIO_BIT(F_GEOMETRY) |
        VMM_VIRTIO_BIT(F_BLK_SIZE) | VMM_VIRTIO_BIT(F_FLUSH) |
        VMM_VIRTIO_BIT(F_TOPOLOGY) | VMM_VIRTIO_BIT(F_CONFIG_WCE) |
        VMM_VIRTIO_BIT(F_DISCARD) | VMM_VIRTIO_BIT(F_WRITE_ZEROES);

    if (config->image.readonly) {
        features |= VMM_VIRTIO_BIT(VMM_VIRTIO_BLK_F_RO);
    }
    if (config->n_queues > 1) {
        features |= VMM_VIRTIO_BIT(F_MQ);
    }
    /* QEMU 10 offers one of them, by the transport. */
    features |= config->virtio.legacy ? VMM_VIRTIO_BIT(F_SCSI)
                                      : VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT);
    return features;
}

int vmm_virtio_blk_init(struct vmm_virtio_blk *blk,
                        const struct vmm_virtio_blk_config *config,
                        struct gw_error **errp)
{
    struct vmm_virtio_config virtio = config->virtio;
    int r;

    memset(blk, 0, sizeof(*blk));
    virtio.features = offered(config);
    virtio.config_bytes = CONFIG_BYTES;
    r = vmm_virtio_init(&blk->device, &ops, blk, &virtio, errp);
    if (r == 0) {
        r = vmm_block_open(&blk->image, &config->image, errp);
    }
    if (r < 0) {
        vmm_virtio_deinit(&blk->device);
        return r;
    }
    for (unsigned int i = 0; i < config->n_queues; i++) {
        vmm_virtio_add_queue(&blk->device, QUEUE_ENTRIES);
    }
    blk->write_back = true;
    if (config->serial) {
        memcpy(blk->serial, config->serial,
               strnlen(config->serial, sizeof(blk->serial)));
    }
    return 0;
}

void vmm_virtio_blk_deinit(struct vmm_virtio_blk *blk)
{
    vmm_virtio_deinit(&blk->device);
    vmm_block_close(&blk->image);
    vmm_virtio_blk_drop_saved(blk);
}
