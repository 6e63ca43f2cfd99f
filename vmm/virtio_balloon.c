/*
 * Inflating, deflating, reports of free pages (VIRTIO 1.2, 5.5).
 *
 * Memory that the guest gives up goes back to the host in whole host pages.
 * What it reads as afterwards is not promised: zeros, or, where RAM is a
 * private mapping of a file, what is in the file.
 */
#include "virtio_balloon.h"

#include <string.h>
#include <sys/mman.h>

#include "util.h"

#define F_STATS 1
#define F_PAGE_POISON 4
#define F_REPORTING 5

#define QUEUE_INFLATE 0
#define QUEUE_DEFLATE 1
#define QUEUE_STATS 2
#define QUEUE_REPORTING 3
#define QUEUE_ENTRIES 128
#define REPORTING_ENTRIES 32

#define CONFIG_NUM_PAGES 0
#define CONFIG_ACTUAL 4
#define CONFIG_POISON 12
#define CONFIG_BYTES 16

#define PAGE_SHIFT 12
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)

static void get_config(void *opaque, uint8_t *config)
{
    struct vmm_virtio_balloon *balloon = opaque;

    memset(config, 0, CONFIG_BYTES);
    vmm_put_le32(config + CONFIG_NUM_PAGES, balloon->num_pages);
    vmm_put_le32(config + CONFIG_ACTUAL, balloon->actual);
    vmm_put_le32(config + CONFIG_POISON, balloon->poison);
}

static void set_config(void *opaque, const uint8_t *config)
{
    struct vmm_virtio_balloon *balloon = opaque;
    uint32_t before = balloon->actual;

    balloon->actual = vmm_get_le32(config + CONFIG_ACTUAL);
    if (balloon->actual != before && balloon->changed) {
        balloon->changed(balloon->changed_opaque);
    }
    if (vmm_virtio_has(&balloon->device, F_PAGE_POISON)) {
        balloon->poison = vmm_get_le32(config + CONFIG_POISON);
    }
}

static void reset(void *opaque)
{
    struct vmm_virtio_balloon *balloon = opaque;

    balloon->poison = 0;
}

/* Whole pages within a range go back to the host. */
static void release(struct vmm_virtio_balloon *balloon, void *host,
                    uint64_t bytes)
{
    uintptr_t start = ((uintptr_t)host + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)host + bytes) & ~(PAGE_BYTES - 1);

    if (start >= end) {
        return;
    }
    /* A file of shared memory keeps pages until they are punched out. */
    if (madvise((void *)start, end - start, MADV_REMOVE) < 0) {
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    vmm_guest_memory_wrote(balloon->device.guest.memory, (const void *)start,
                           end - start);
}

static void inflate(struct vmm_virtio_balloon *balloon,
                    const struct vmm_virtio_chain *chain)
{
    uint8_t number[4];

    for (size_t at = 0; vmm_virtio_chain_read(chain, at, number, 4) == 4;
         at += 4) {
        uint64_t gpa = (uint64_t)vmm_get_le32(number) << PAGE_SHIFT;
        void *host =
            vmm_guest_memory_at(balloon->device.guest.memory, gpa, PAGE_BYTES);

        if (host) {
            release(balloon, host, PAGE_BYTES);
        }
    }
}

/* Poisoned pages would come back as zeros: they stay. */
static void take_report(struct vmm_virtio_balloon *balloon,
                        const struct vmm_virtio_chain *chain)
{
    if (vmm_virtio_has(&balloon->device, F_PAGE_POISON) && balloon->poison) {
        return;
    }
    for (unsigned int i = 0; i < chain->n_in; i++) {
        const struct iovec *part = &chain->iov[chain->n_out + i];

        release(balloon, part->iov_base, part->iov_len);
    }
}

/*
 * A buffer with statistics is held until somebody wants new ones, which
 * nobody here does: it stays in the ring.
 */
static void process(void *opaque, unsigned int queue)
{
    struct vmm_virtio_balloon *balloon = opaque;
    struct vmm_virtio *device = &balloon->device;
    unsigned int n_done = 0;

    if (queue == QUEUE_STATS) {
        return;
    }
    while (vmm_virtio_next(device, queue, &n_done)) {
        if (queue == QUEUE_INFLATE) {
            inflate(balloon, &device->chain);
        } else if (queue == QUEUE_REPORTING) {
            take_report(balloon, &device->chain);
        }
        vmm_virtio_push(device, queue, device->chain.head, 0);
    }
    vmm_virtio_interrupt(device, queue);
}

static const struct vmm_virtio_ops ops = {
    .id = VMM_VIRTIO_ID_BALLOON,
    .name = "virtio-balloon",
    .get_config = get_config,
    .set_config = set_config,
    .set_features = vmm_virtio_no_op,
    .reset = reset,
    .process = process,
    VMM_VIRTIO_OPS_AT_ONCE,
};

int vmm_virtio_balloon_init(struct vmm_virtio_balloon *balloon,
                            const struct vmm_virtio_balloon_config *config,
                            struct gw_error **errp)
{
    struct vmm_virtio_config virtio = config->virtio;
    int r;

    virtio.features = VMM_VIRTIO_BIT(VMM_VIRTIO_F_ANY_LAYOUT) |
                      VMM_VIRTIO_BIT(F_STATS) | VMM_VIRTIO_BIT(F_PAGE_POISON);
    if (config->reporting) {
        virtio.features |= VMM_VIRTIO_BIT(F_REPORTING);
    }
    virtio.config_bytes = CONFIG_BYTES;
    balloon->num_pages = balloon->actual = balloon->poison = 0;
    balloon->reporting = config->reporting;
    r = vmm_virtio_init(&balloon->device, &ops, balloon, &virtio, errp);
    if (r < 0) {
        return r;
    }
    for (unsigned int i = QUEUE_INFLATE; i <= QUEUE_STATS; i++) {
        vmm_virtio_add_queue(&balloon->device, QUEUE_ENTRIES);
    }
    if (config->reporting) {
        vmm_virtio_add_queue(&balloon->device, REPORTING_ENTRIES);
    }
    return 0;
}

void vmm_virtio_balloon_deinit(struct vmm_virtio_balloon *balloon)
{
    vmm_virtio_deinit(&balloon->device);
}

void vmm_virtio_balloon_set_target(struct vmm_virtio_balloon *balloon,
                                   uint32_t pages)
{
    pthread_mutex_lock(&balloon->device.lock);
    balloon->num_pages = pages;
    vmm_virtio_config_changed(&balloon->device);
    pthread_mutex_unlock(&balloon->device.lock);
}

uint32_t vmm_virtio_balloon_actual(struct vmm_virtio_balloon *balloon)
{
    uint32_t actual;

    pthread_mutex_lock(&balloon->device.lock);
    actual = balloon->actual;
    pthread_mutex_unlock(&balloon->device.lock);
    return actual;
}

/* --- The section --- */

static bool poison_needed(const void *state)
{
    const struct vmm_virtio_balloon *balloon = state;

    return vmm_virtio_has(&balloon->device, F_PAGE_POISON);
}

static const struct gw_field poison_fields[] = {
    GW_FIELD_U32(struct vmm_virtio_balloon, poison),
    GW_FIELD_END,
};

static const struct gw_vmstate poison_vmstate = {
    .name = "virtio-balloon-device/page-poison",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_balloon),
    .fields = poison_fields,
    .needed = poison_needed,
};

static const struct gw_vmstate *const own_subsections[] = {
    &poison_vmstate,
    NULL,
};

static const struct gw_field own_fields[] = {
    GW_FIELD_U32(struct vmm_virtio_balloon, num_pages),
    GW_FIELD_U32(struct vmm_virtio_balloon, actual),
    GW_FIELD_END,
};

static const struct gw_vmstate own_vmstate = {
    .name = "virtio-balloon-device",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_balloon),
    .fields = own_fields,
    .subsections = own_subsections,
};

static const struct gw_field fields[] = {
    VMM_VIRTIO_FIELD_HEAD(struct vmm_virtio_balloon, device),
    GW_FIELD_SELF(struct vmm_virtio_balloon, "balloon", own_vmstate),
    VMM_VIRTIO_FIELD_TAIL(struct vmm_virtio_balloon, device),
    GW_FIELD_END,
};

static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_virtio_balloon *balloon = state;

    vmm_virtio_pre_load(&balloon->device);
    balloon->poison = 0;
    return 0;
}

const struct gw_vmstate vmm_virtio_balloon_vmstate = {
    .name = "virtio-balloon",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_virtio_balloon),
    .fields = fields,
    .pre_save = vmm_virtio_pre_save_hook,
    .pre_load = pre_load,
    /* QEMU saves with the buffer of statistics in its hands. */
    .post_load = vmm_virtio_post_load_hook,
};
