/*
 * The two sides of a ring: taking chains, giving them back.
 */
#include "virtio_queue.h"

#include <errno.h>

#include "util.h"

/* Rings: flags, index, entries, the other side's event index. */
#define RING_IDX 2u
#define RING_ENTRIES 4u
#define AVAIL_ENTRY_BYTES 2u
#define USED_ENTRY_BYTES 8u
#define EVENT_BYTES 2u
#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u
/* What the addresses must be multiples of, by the specification. */
#define AVAIL_ALIGN 2u
#define USED_ALIGN 4u

static uint8_t *avail_ring(const struct vmm_virtio_queue *queue,
                           const struct vmm_virtio_guest *guest)
{
    uint64_t bytes = RING_ENTRIES + (uint64_t)AVAIL_ENTRY_BYTES * queue->num;

    if (vmm_virtio_guest_has(guest, VMM_VIRTIO_F_EVENT_IDX)) {
        bytes += EVENT_BYTES;
    }
    return vmm_virtio_guest_at(guest, queue->avail, bytes, AVAIL_ALIGN);
}

static uint8_t *used_ring(const struct vmm_virtio_queue *queue,
                          const struct vmm_virtio_guest *guest)
{
    uint64_t bytes = RING_ENTRIES + (uint64_t)USED_ENTRY_BYTES * queue->num;

    if (vmm_virtio_guest_has(guest, VMM_VIRTIO_F_EVENT_IDX)) {
        bytes += EVENT_BYTES;
    }
    return vmm_virtio_guest_at(guest, queue->used, bytes, USED_ALIGN);
}

/* The guest is x86: its order is the host's. */
static uint16_t load16(const uint8_t *from)
{
    return __atomic_load_n((const uint16_t *)(const void *)from,
                           __ATOMIC_ACQUIRE);
}

static void store16(const struct vmm_virtio_guest *guest, uint8_t *to,
                    uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)to, value, __ATOMIC_RELEASE);
    vmm_guest_memory_wrote(guest->memory, to, sizeof(value));
}

/*
 * Against the guest, which no checker of our threads knows: GCC's refuses the
 * newer name of it.
 */
static void full_fence(void)
{
    __sync_synchronize();
}

static uint8_t *used_event(const struct vmm_virtio_queue *queue, uint8_t *avail)
{
    return avail + RING_ENTRIES + (size_t)AVAIL_ENTRY_BYTES * queue->num;
}

static uint8_t *avail_event(const struct vmm_virtio_queue *queue, uint8_t *used)
{
    return used + RING_ENTRIES + (size_t)USED_ENTRY_BYTES * queue->num;
}

void vmm_virtio_queue_reset(struct vmm_virtio_queue *queue)
{
    *queue = (struct vmm_virtio_queue){.num = queue->default_num,
                                       .default_num = queue->default_num,
                                       .align = queue->align};
}

void vmm_virtio_queue_set_legacy(struct vmm_virtio_queue *queue, uint64_t desc)
{
    uint64_t align = queue->align ? queue->align : 1;

    queue->desc = desc;
    if (desc == 0) {
        queue->avail = queue->used = 0;
        return;
    }
    queue->avail = desc + (uint64_t)VMM_VIRTIO_DESC_BYTES * queue->num;
    queue->used =
        queue->avail + RING_ENTRIES + (uint64_t)AVAIL_ENTRY_BYTES * queue->num;
    queue->used = (queue->used + align - 1) / align * align;
}

/* How many entries wait; more than there is room for is not sound. */
static int count_waiting(const struct vmm_virtio_queue *queue,
                         const uint8_t *avail, uint16_t *ret_n,
                         struct gw_error **errp)
{
    uint16_t idx = load16(avail + RING_IDX);
    uint16_t n = (uint16_t)(idx - queue->last_avail);

    if (n > queue->num) {
        return gw_error_set(errp, -EBADMSG,
                            "the available index went from %u to %u in a ring "
                            "of %u",
                            queue->last_avail, idx, queue->num);
    }
    *ret_n = n;
    return 0;
}

static int no_ring(uint64_t gpa, const char *which, struct gw_error **errp)
{
    return gw_error_set(errp, -EBADMSG,
                        "the %s ring at 0x%llx is not in guest RAM", which,
                        (unsigned long long)gpa);
}

int vmm_virtio_queue_pop(struct vmm_virtio_queue *queue,
                         const struct vmm_virtio_guest *guest,
                         struct vmm_virtio_chain *ret_chain,
                         struct gw_error **errp)
{
    const uint8_t *avail;
    uint16_t n = 0;
    uint16_t head;
    int r;

    if (!vmm_virtio_queue_is_ready(queue)) {
        return 0;
    }
    avail = avail_ring(queue, guest);
    if (!avail) {
        return no_ring(queue->avail, "available", errp);
    }
    r = count_waiting(queue, avail, &n, errp);
    if (r < 0 || n == 0) {
        return r;
    }
    if (queue->n_in_flight >= queue->num) {
        return gw_error_set(errp, -EBADMSG,
                            "more than %u entries are in flight", queue->num);
    }
    head = load16(avail + RING_ENTRIES +
                  (size_t)AVAIL_ENTRY_BYTES * (queue->last_avail % queue->num));
    r = vmm_virtio_queue_read_chain(queue, guest, head, ret_chain, errp);
    if (r < 0) {
        return r;
    }
    queue->last_avail++;
    queue->n_in_flight++;
    return 1;
}

void vmm_virtio_queue_unpop(struct vmm_virtio_queue *queue)
{
    queue->last_avail--;
    queue->n_in_flight--;
}

int vmm_virtio_queue_fill(struct vmm_virtio_queue *queue,
                          const struct vmm_virtio_guest *guest, uint16_t head,
                          uint32_t written, unsigned int offset,
                          struct gw_error **errp)
{
    uint8_t *used = used_ring(queue, guest);
    uint16_t index = (uint16_t)(queue->used_idx + offset);
    uint8_t *entry;

    if (!used || queue->num == 0) {
        return no_ring(queue->used, "used", errp);
    }
    entry = used + RING_ENTRIES + USED_ENTRY_BYTES * (index % queue->num);
    vmm_put_le32(entry, head);
    vmm_put_le32(entry + 4, written);
    vmm_guest_memory_wrote(guest->memory, entry, USED_ENTRY_BYTES);
    return 0;
}

int vmm_virtio_queue_flush(struct vmm_virtio_queue *queue,
                           const struct vmm_virtio_guest *guest, unsigned int n,
                           struct gw_error **errp)
{
    uint8_t *used = used_ring(queue, guest);
    uint16_t old = queue->used_idx;

    if (!used) {
        return no_ring(queue->used, "used", errp);
    }
    queue->used_idx = (uint16_t)(old + n);
    /* Releases the entries to the guest. */
    store16(guest, used + RING_IDX, queue->used_idx);
    queue->n_in_flight -= n < queue->n_in_flight ? n : queue->n_in_flight;
    /* Went all around since the guest was told: what it knows is void. */
    if ((uint16_t)(queue->used_idx - queue->signalled) < n) {
        queue->signalled_valid = false;
    }
    return 0;
}

int vmm_virtio_queue_push(struct vmm_virtio_queue *queue,
                          const struct vmm_virtio_guest *guest, uint16_t head,
                          uint32_t written, struct gw_error **errp)
{
    int r = vmm_virtio_queue_fill(queue, guest, head, written, 0, errp);

    return r < 0 ? r : vmm_virtio_queue_flush(queue, guest, 1, errp);
}

bool vmm_virtio_queue_has_work(const struct vmm_virtio_queue *queue,
                               const struct vmm_virtio_guest *guest)
{
    const uint8_t *avail;

    if (!vmm_virtio_queue_is_ready(queue)) {
        return false;
    }
    avail = avail_ring(queue, guest);
    return avail && load16(avail + RING_IDX) != queue->last_avail;
}

/* Whether `event` lies within what was given back since the last time. */
static bool crossed(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

bool vmm_virtio_queue_wants_interrupt(struct vmm_virtio_queue *queue,
                                      const struct vmm_virtio_guest *guest)
{
    uint8_t *avail = avail_ring(queue, guest);
    uint16_t before = queue->signalled;
    bool valid = queue->signalled_valid;

    if (!avail) {
        return false;
    }
    /* The used index must be seen before its wish is read. */
    full_fence();
    if (vmm_virtio_guest_has(guest, VMM_VIRTIO_F_NOTIFY_ON_EMPTY) &&
        queue->n_in_flight == 0 && !vmm_virtio_queue_has_work(queue, guest)) {
        return true;
    }
    if (!vmm_virtio_guest_has(guest, VMM_VIRTIO_F_EVENT_IDX)) {
        return !(load16(avail) & AVAIL_NO_INTERRUPT);
    }
    queue->signalled = queue->used_idx;
    queue->signalled_valid = true;
    return !valid ||
           crossed(load16(used_event(queue, avail)), queue->used_idx, before);
}

bool vmm_virtio_queue_set_notify(struct vmm_virtio_queue *queue,
                                 const struct vmm_virtio_guest *guest,
                                 bool wanted)
{
    uint8_t *used =
        vmm_virtio_queue_is_ready(queue) ? used_ring(queue, guest) : NULL;

    if (!used) {
        return false;
    }
    if (!vmm_virtio_guest_has(guest, VMM_VIRTIO_F_EVENT_IDX)) {
        uint16_t flags = load16(used);

        store16(guest, used,
                wanted ? (uint16_t)(flags & ~USED_NO_NOTIFY)
                       : (uint16_t)(flags | USED_NO_NOTIFY));
    } else if (wanted) {
        store16(guest, avail_event(queue, used), queue->last_avail);
    }
    if (!wanted) {
        return false;
    }
    /* The wish must be seen before the ring is looked at again. */
    full_fence();
    return vmm_virtio_queue_has_work(queue, guest);
}

static int restore_ready(struct vmm_virtio_queue *queue,
                         const struct vmm_virtio_guest *guest,
                         struct gw_error **errp)
{
    const uint8_t *avail = avail_ring(queue, guest);
    const uint8_t *used = used_ring(queue, guest);
    uint16_t n = 0;
    int r;

    if (!avail) {
        return no_ring(queue->avail, "available", errp);
    }
    if (!used) {
        return no_ring(queue->used, "used", errp);
    }
    r = count_waiting(queue, avail, &n, errp);
    if (r < 0) {
        return r;
    }
    queue->used_idx = load16(used + RING_IDX);
    n = (uint16_t)(queue->last_avail - queue->used_idx);
    if (n > queue->num) {
        return gw_error_set(errp, -EBADMSG,
                            "%u entries taken and %u given back in a ring of "
                            "%u",
                            queue->last_avail, queue->used_idx, queue->num);
    }
    queue->n_in_flight = n;
    return 0;
}

int vmm_virtio_queue_restore(struct vmm_virtio_queue *queue,
                             const struct vmm_virtio_guest *guest,
                             struct gw_error **errp)
{
    queue->signalled_valid = false;
    queue->used_idx = 0;
    queue->n_in_flight = 0;
    return vmm_virtio_queue_is_ready(queue) ? restore_ready(queue, guest, errp)
                                            : 0;
}
