/*
 * Requests of the guest (VIRTIO 1.2, 5.2.6) to requests of the image.
 */
#include "virtio_blk.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

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

static void give_back(struct vmm_virtio_blk *blk, struct request *request,
                      uint8_t status)
{
    *request->status = status;
    vmm_guest_memory_wrote(blk->device.guest.memory, request->status, 1);
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
    if (sectors > VMM_VIRTIO_BLK_RANGE_SECTORS_MAX) {
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

/* Without a place for the status nothing can be answered. */
void vmm_virtio_blk_take(struct vmm_virtio_blk *blk, unsigned int queue,
                         const struct vmm_virtio_chain *chain)
{
    uint8_t header[HEADER_BYTES];
    const struct iovec *last;
    struct request *request;

    if (vmm_virtio_chain_read(chain, 0, header, sizeof(header)) !=
            sizeof(header) ||
        chain->n_in == 0) {
        vmm_virtio_break(&blk->device,
                         "a request without a header or a status");
        return;
    }
    request = calloc(1, sizeof(*request) + (chain->n_out + chain->n_in) *
                                               sizeof(struct iovec));
    if (!request) {
        vmm_virtio_break(&blk->device, "memory is short for a request");
        return;
    }
    last = &chain->iov[chain->n_out + chain->n_in - 1];
    request->queue = (uint16_t)queue;
    request->head = chain->head;
    request->in_bytes = chain->in_bytes;
    request->status = (uint8_t *)last->iov_base + last->iov_len - 1;
    start(blk, request, chain, header);
}

void vmm_virtio_blk_finish(struct vmm_virtio_blk *blk,
                           struct vmm_block_request *io)
{
    /* Also what a read that failed has left. */
    for (unsigned int i = 0; io->op == VMM_BLOCK_READ && i < io->n_iov; i++) {
        vmm_guest_memory_wrote(blk->device.guest.memory, io->iov[i].iov_base,
                               io->iov[i].iov_len);
    }
    give_back(blk, (struct request *)(void *)io,
              io->result < 0 ? STATUS_IOERR : STATUS_OK);
}

void vmm_virtio_blk_redo(struct vmm_virtio_blk *blk,
                         const struct vmm_virtio_blk_saved *saved)
{
    struct vmm_virtio *device = &blk->device;
    uint16_t head = vmm_virtio_element_head(saved->element);

    if (saved->queue < device->n_queues &&
        vmm_virtio_queue_read_chain(&device->queues[saved->queue],
                                    &device->guest, head, &device->chain,
                                    NULL) == 0) {
        vmm_virtio_blk_take(blk, saved->queue, &device->chain);
    } else {
        vmm_virtio_break(&blk->device, "a saved request that makes no sense");
    }
}
