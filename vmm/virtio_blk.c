/*
 * Requests of the guest (VIRTIO 1.2, 5.2.6) to requests of the image.
 */
#include "virtio_blk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define F_SEG_MAX 2
#define F_GEOMETRY 4
#define F_RO 5
#define F_BLK_SIZE 6
#define F_SCSI 7
#define F_FLUSH 9
#define F_TOPOLOGY 10
#define F_CONFIG_WCE 11
#define F_MQ 12
#define F_DISCARD 13
#define F_WRITE_ZEROES 14

#define TYPE_IN 0u
#define TYPE_OUT 1u
#define TYPE_FLUSH 4u
#define TYPE_GET_ID 8u
#define TYPE_DISCARD 11u
#define TYPE_WRITE_ZEROES 13u
/* An old flag of drivers before VIRTIO 1.0, without meaning here. */
#define TYPE_BARRIER 0x80000000u

#define STATUS_OK 0
#define STATUS_IOERR 1
#define STATUS_UNSUPP 2

/* type, reserved, sector; and sector, sectors, flags of a range. */
#define HEADER_BYTES 16u
#define RANGE_BYTES 16u
#define RANGE_UNMAP 1u
/* As of QEMU: the largest request that an int of bytes can express. */
#define RANGE_SECTORS_MAX ((uint32_t)INT32_MAX / VMM_SECTOR_BYTES)

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

/* One request of the guest, while the image works on it. */
struct request {
    struct vmm_block_request io;
    uint16_t queue;
    uint16_t head;
    /* Bytes that the guest gets, the status included. */
    uint32_t in_bytes;
    uint8_t *status;
    struct iovec iov[];
};

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
    vmm_put_le32(config + CONFIG_DISCARD_SECTORS, RANGE_SECTORS_MAX);
    vmm_put_le32(config + CONFIG_DISCARD_SEGMENTS, 1);
    vmm_put_le32(config + CONFIG_DISCARD_ALIGN,
                 blk->image.align / VMM_SECTOR_BYTES);
    vmm_put_le32(config + CONFIG_ZERO_SECTORS, RANGE_SECTORS_MAX);
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

static void give_back(struct vmm_virtio_blk *blk, struct request *request,
                      uint8_t status)
{
    *request->status = status;
    vmm_memory_wrote(blk->device.guest.memory, request->status, 1);
    vmm_virtio_push(&blk->device, request->queue, request->head,
                    status == STATUS_OK ? request->in_bytes : 1);
    blk->given_back |= 1u << request->queue;
    free(request);
}

/* The parts of the chain from `first` on, without `skip` and `cut` bytes. */
static void take_parts(struct request *request, const struct iovec *parts,
                       unsigned int n, size_t skip, size_t cut)
{
    struct iovec *out = request->iov;
    size_t bytes = 0;

    for (unsigned int i = 0; i < n; i++) {
        size_t head = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        struct iovec part = {.iov_base = (uint8_t *)parts[i].iov_base + head,
                             .iov_len = parts[i].iov_len - head};

        skip -= head;
        if (i == n - 1) {
            part.iov_len -= cut < part.iov_len ? cut : part.iov_len;
        }
        if (part.iov_len > 0) {
            *out++ = part;
            bytes += part.iov_len;
        }
    }
    request->io.iov = request->iov;
    request->io.n_iov = (unsigned int)(out - request->iov);
    request->io.bytes = bytes;
}

/* Whether the range lies on the disk and suits its unit. */
static bool is_on_disk(const struct vmm_virtio_blk *blk, uint64_t sector,
                       uint64_t bytes)
{
    uint64_t sectors = blk->image.bytes / VMM_SECTOR_BYTES;

    return bytes % blk->image.align == 0 && sector <= sectors &&
           bytes / VMM_SECTOR_BYTES <= sectors - sector &&
           sector * VMM_SECTOR_BYTES % blk->image.align == 0;
}

static void transfer(struct vmm_virtio_blk *blk, struct request *request,
                     uint64_t sector, enum vmm_block_op op)
{
    if (!is_on_disk(blk, sector, request->io.bytes) ||
        (op != VMM_BLOCK_READ && blk->image.readonly)) {
        give_back(blk, request, STATUS_IOERR);
        return;
    }
    if (request->io.bytes == 0) {
        give_back(blk, request, STATUS_OK);
        return;
    }
    request->io.op = op;
    request->io.offset = sector * VMM_SECTOR_BYTES;
    request->io.durable = !blk->write_back;
    vmm_block_submit(&blk->image, &request->io);
}

static void get_id(struct vmm_virtio_blk *blk, struct request *request,
                   const struct vmm_virtio_chain *chain)
{
    size_t room = request->in_bytes - 1;
    size_t n = room < sizeof(blk->serial) ? room : sizeof(blk->serial);

    vmm_virtio_chain_write(chain, blk->device.guest.memory, 0, blk->serial, n);
    request->in_bytes = (uint32_t)n + 1;
    give_back(blk, request, STATUS_OK);
}

static void flush(struct vmm_virtio_blk *blk, struct request *request)
{
    request->io.op = VMM_BLOCK_FLUSH;
    vmm_block_submit(&blk->image, &request->io);
}

/* One range per request, which is what the configuration says. */
static void change_range(struct vmm_virtio_blk *blk, struct request *request,
                         const struct vmm_virtio_chain *chain, bool discard)
{
    uint8_t bytes[RANGE_BYTES];
    uint32_t sectors;
    uint32_t flags;

    if (chain->out_bytes != HEADER_BYTES + RANGE_BYTES ||
        vmm_virtio_chain_read(chain, HEADER_BYTES, bytes, sizeof(bytes)) !=
            sizeof(bytes)) {
        give_back(blk, request, STATUS_IOERR);
        return;
    }
    sectors = vmm_get_le32(bytes + 8);
    flags = vmm_get_le32(bytes + 12);
    if ((flags & ~RANGE_UNMAP) || (discard && flags)) {
        give_back(blk, request, STATUS_UNSUPP);
        return;
    }
    if (sectors > RANGE_SECTORS_MAX) {
        give_back(blk, request, STATUS_IOERR);
        return;
    }
    request->io.bytes = (uint64_t)sectors * VMM_SECTOR_BYTES;
    transfer(blk, request, vmm_get_le64(bytes),
             discard                 ? VMM_BLOCK_DISCARD
             : (flags & RANGE_UNMAP) ? VMM_BLOCK_ZERO_UNMAP
                                     : VMM_BLOCK_ZERO);
}

static void start(struct vmm_virtio_blk *blk, struct request *request,
                  const struct vmm_virtio_chain *chain, const uint8_t *header)
{
    uint64_t sector = vmm_get_le64(header + 8);

    switch (vmm_get_le32(header) & ~TYPE_BARRIER) {
    case TYPE_IN:
        take_parts(request, chain->iov + chain->n_out, chain->n_in, 0, 1);
        transfer(blk, request, sector, VMM_BLOCK_READ);
        break;
    case TYPE_OUT:
        take_parts(request, chain->iov, chain->n_out, HEADER_BYTES, 0);
        transfer(blk, request, sector, VMM_BLOCK_WRITE);
        break;
    case TYPE_FLUSH:
        flush(blk, request);
        break;
    case TYPE_GET_ID:
        get_id(blk, request, chain);
        break;
    case TYPE_DISCARD:
        change_range(blk, request, chain, true);
        break;
    case TYPE_WRITE_ZEROES:
        change_range(blk, request, chain, false);
        break;
    default:
        give_back(blk, request, STATUS_UNSUPP);
        break;
    }
}

static void refuse(struct vmm_virtio_blk *blk, const char *why)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;

    gw_error_set(&error, -EBADMSG, "%s", why);
    vmm_virtio_break(&blk->device, error);
}

/* Without a place for the status nothing can be answered. */
static void take_chain(struct vmm_virtio_blk *blk, unsigned int queue,
                       const struct vmm_virtio_chain *chain)
{
    uint8_t header[HEADER_BYTES];
    const struct iovec *last;
    struct request *request;

    if (vmm_virtio_chain_read(chain, 0, header, sizeof(header)) !=
            sizeof(header) ||
        chain->n_in == 0) {
        refuse(blk, "a request without a header or a status");
        return;
    }
    request = calloc(1, sizeof(*request) + (chain->n_out + chain->n_in) *
                                               sizeof(struct iovec));
    if (!request) {
        refuse(blk, "memory is short for a request");
        return;
    }
    last = &chain->iov[chain->n_out + chain->n_in - 1];
    request->queue = (uint16_t)queue;
    request->head = chain->head;
    request->in_bytes = chain->in_bytes;
    request->status = (uint8_t *)last->iov_base + last->iov_len - 1;
    start(blk, request, chain, header);
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
        take_chain(blk, queue, &blk->device.chain);
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

static void finish(struct vmm_virtio_blk *blk, struct request *request)
{
    const struct vmm_block_request *io = &request->io;

    /* Also what a read that failed has left. */
    for (unsigned int i = 0; io->op == VMM_BLOCK_READ && i < io->n_iov; i++) {
        vmm_memory_wrote(blk->device.guest.memory, io->iov[i].iov_base,
                         io->iov[i].iov_len);
    }
    give_back(blk, request, io->result < 0 ? STATUS_IOERR : STATUS_OK);
}

static void dispatch(void *opaque, bool running,
                     const struct pollfd polls[VMM_VIRTIO_POLLS])
{
    struct vmm_virtio_blk *blk = opaque;
    struct vmm_block_request *io;

    while ((io = vmm_block_reap(&blk->image))) {
        finish(blk, (struct request *)(void *)io);
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

static void redo(struct vmm_virtio_blk *blk,
                 const struct vmm_virtio_blk_saved *saved)
{
    struct vmm_virtio *device = &blk->device;
    uint16_t head = vmm_virtio_element_head(saved->element);

    if (saved->queue < device->n_queues &&
        vmm_virtio_queue_read_chain(&device->queues[saved->queue],
                                    &device->guest, head, &device->chain,
                                    NULL) == 0) {
        take_chain(blk, saved->queue, &device->chain);
    } else {
        refuse(blk, "a saved request that makes no sense");
    }
}

/* Requests that QEMU had on its way when it was saved: done again. */
static void resumed(void *opaque)
{
    struct vmm_virtio_blk *blk = opaque;

    for (struct gw_list_link *at = blk->saved.first; at && !blk->device.broken;
         at = at->next) {
        redo(blk, GW_LIST_ENTRY(at, struct vmm_virtio_blk_saved, link));
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
        features |= VMM_VIRTIO_BIT(F_RO);
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
