/*
 * Chains of descriptors: following one through its tables, and copying from
 * and to what it describes.
 */
#include "virtio_queue.h"

#include <errno.h>
#include <string.h>

#include "util.h"

/* A descriptor: address, length, flags, next; these are flags. */
#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define DESC_INDIRECT 4u
/* What the address of a table must be a multiple of. */
#define DESC_ALIGN 16u

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

/* Where a walk through a chain is. */
struct walk {
    /* The table and its entries. */
    const uint8_t *table;
    uint32_t n;
    /* Entries seen in it: more than there are means a loop. */
    uint32_t n_seen;
    bool indirect;
    struct vmm_virtio_chain *chain;
};

static struct descriptor read_descriptor(const struct walk *walk,
                                         uint32_t index)
{
    uint8_t bytes[VMM_VIRTIO_DESC_BYTES];

    /* One copy: the guest may change it behind our back. */
    memcpy(bytes, walk->table + (size_t)VMM_VIRTIO_DESC_BYTES * index,
           sizeof(bytes));
    return (struct descriptor){.address = vmm_get_le64(bytes),
                               .length = vmm_get_le32(bytes + 8),
                               .flags = vmm_get_le16(bytes + 12),
                               .next = vmm_get_le16(bytes + 14)};
}

/* Follows a descriptor to its table of descriptors. */
static int enter_indirect(struct walk *walk,
                          const struct vmm_virtio_guest *guest,
                          const struct descriptor *d, struct gw_error **errp)
{
    if (walk->indirect || !vmm_virtio_guest_has(guest, VMM_VIRTIO_F_INDIRECT) ||
        (d->flags & DESC_NEXT)) {
        return gw_error_set(errp, -EBADMSG,
                            "an indirect descriptor where none may be");
    }
    if (d->length == 0 || d->length % VMM_VIRTIO_DESC_BYTES ||
        d->length / VMM_VIRTIO_DESC_BYTES > UINT16_MAX + 1u) {
        return gw_error_set(errp, -EBADMSG, "an indirect table of %u bytes",
                            d->length);
    }
    walk->table = vmm_guest_memory_at(guest->memory, d->address, d->length);
    if (!walk->table) {
        return gw_error_set(errp, -EBADMSG,
                            "an indirect table at 0x%llx is not in guest RAM",
                            (unsigned long long)d->address);
    }
    walk->n = d->length / VMM_VIRTIO_DESC_BYTES;
    walk->n_seen = 0;
    walk->indirect = true;
    return 0;
}

static int add_part(struct walk *walk, const struct vmm_virtio_guest *guest,
                    const struct descriptor *d, struct gw_error **errp)
{
    struct vmm_virtio_chain *chain = walk->chain;
    uint64_t sum = (uint64_t)chain->out_bytes + chain->in_bytes + d->length;
    unsigned int n = chain->n_out + chain->n_in;
    void *host = vmm_guest_memory_at(guest->memory, d->address, d->length);

    if (n == VMM_VIRTIO_CHAIN_MAX) {
        return gw_error_set(errp, -EBADMSG, "a chain of more than %d parts",
                            VMM_VIRTIO_CHAIN_MAX);
    }
    if (!host || d->length == 0) {
        return gw_error_set(errp, -EBADMSG,
                            "a buffer of %u bytes at 0x%llx is not in guest "
                            "RAM",
                            d->length, (unsigned long long)d->address);
    }
    if (sum > UINT32_MAX) {
        return gw_error_set(errp, -EBADMSG, "a chain of %llu bytes",
                            (unsigned long long)sum);
    }
    if (d->flags & DESC_WRITE) {
        chain->n_in++;
        chain->in_bytes += d->length;
    } else if (chain->n_in > 0) {
        return gw_error_set(errp, -EBADMSG,
                            "a buffer to read behind one to write");
    } else {
        chain->n_out++;
        chain->out_bytes += d->length;
    }
    chain->iov[n] = (struct iovec){.iov_base = host, .iov_len = d->length};
    return 0;
}

/* One descriptor: 1 if another follows, with its index. */
static int step(struct walk *walk, const struct vmm_virtio_guest *guest,
                uint32_t *index, struct gw_error **errp)
{
    struct descriptor d;
    int r;

    if (*index >= walk->n) {
        return gw_error_set(errp, -EBADMSG, "descriptor %u of a table of %u",
                            *index, walk->n);
    }
    if (++walk->n_seen > walk->n) {
        return gw_error_set(errp, -EBADMSG, "a chain that is a loop");
    }
    d = read_descriptor(walk, *index);
    if (d.flags & DESC_INDIRECT) {
        *index = 0;
        r = enter_indirect(walk, guest, &d, errp);
        return r < 0 ? r : 1;
    }
    r = add_part(walk, guest, &d, errp);
    *index = d.next;
    return r < 0 ? r : (d.flags & DESC_NEXT) != 0;
}

int vmm_virtio_queue_read_chain(const struct vmm_virtio_queue *queue,
                                const struct vmm_virtio_guest *guest,
                                uint16_t head,
                                struct vmm_virtio_chain *ret_chain,
                                struct gw_error **errp)
{
    struct walk walk = {.n = queue->num, .chain = ret_chain};
    uint32_t index = head;
    int r = 1;

    walk.table = vmm_virtio_guest_at(
        guest, queue->desc, (uint64_t)VMM_VIRTIO_DESC_BYTES * queue->num,
        DESC_ALIGN);
    if (!walk.table) {
        return gw_error_set(errp, -EBADMSG,
                            "the descriptors at 0x%llx are not in guest RAM",
                            (unsigned long long)queue->desc);
    }
    ret_chain->head = head;
    ret_chain->n_out = ret_chain->n_in = 0;
    ret_chain->out_bytes = ret_chain->in_bytes = 0;
    while (r > 0) {
        r = step(&walk, guest, &index, errp);
    }
    return r;
}

/*
 * How many of the next `size` bytes from `offset` on are in this part, which
 * comes off `offset` if they are behind it.
 */
static size_t bytes_in(const struct iovec *part, size_t *offset, size_t size)
{
    size_t n;

    if (*offset >= part->iov_len) {
        *offset -= part->iov_len;
        return 0;
    }
    n = part->iov_len - *offset;
    return n < size ? n : size;
}

size_t vmm_virtio_chain_read(const struct vmm_virtio_chain *chain,
                             size_t offset, void *data, size_t size)
{
    uint8_t *to = data;
    size_t done = 0;

    for (unsigned int i = 0; i < chain->n_out && done < size; i++) {
        const struct iovec *part = &chain->iov[i];
        size_t n = bytes_in(part, &offset, size - done);

        if (n > 0) {
            memcpy(to + done, (const uint8_t *)part->iov_base + offset, n);
            done += n;
            offset = 0;
        }
    }
    return done;
}

size_t vmm_virtio_chain_write(const struct vmm_virtio_chain *chain,
                              const struct vmm_guest_memory *memory,
                              size_t offset, const void *data, size_t size)
{
    const uint8_t *from = data;
    size_t done = 0;

    for (unsigned int i = 0; i < chain->n_in && done < size; i++) {
        const struct iovec *part = &chain->iov[chain->n_out + i];
        uint8_t *to = part->iov_base;
        size_t n = bytes_in(part, &offset, size - done);

        if (n > 0) {
            memcpy(to + offset, from + done, n);
            vmm_guest_memory_wrote(memory, to + offset, n);
            done += n;
            offset = 0;
        }
    }
    return done;
}
