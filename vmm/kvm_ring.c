/*
 * KVM's dirty ring as the machine's tracker (--accel kvm,dirty-ring-size=N).
 *
 * Each vCPU has a ring of N entries, shared with the kernel, into which KVM
 * writes the page that the vCPU made dirty. What was taken from the rings is
 * kept in a bitmap per slot until a sync asks for it. A sync takes from all
 * rings; a vCPU whose ring is full leaves KVM_RUN and does the same. So cost
 * follows the pages that were written, not the size of memory.
 *
 * An entry that was taken is marked so, and KVM_RESET_DIRTY_RINGS protects
 * the pages of all marked entries again: after it, writes count again, so a
 * page that a sync reports is armed when it is read.
 */
#include "kvm.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <godwit/ram.h>
#include <godwit/tracker.h>

#include "machine.h"
#include "util.h"

#define WORD_PAGES 64u

static size_t ring_bytes(const struct vmm_kvm *kvm)
{
    return kvm->ring_size * sizeof(struct kvm_dirty_gfn);
}

/* The bytes that a ring may have; 0: there are no rings. */
static int find_ring(const struct vmm_kvm *kvm, uint32_t *ret_cap)
{
    static const uint32_t caps[] = {KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
                                    KVM_CAP_DIRTY_LOG_RING};

    for (size_t i = 0; i < VMM_ARRAY_SIZE(caps); i++) {
        int max = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, caps[i]);

        if (max > 0) {
            *ret_cap = caps[i];
            return max;
        }
    }
    return 0;
}

int vmm_kvm_init_ring(struct vmm_kvm *kvm, uint32_t n_entries,
                      struct gw_error **errp)
{
    struct kvm_enable_cap cap = {0};
    int max = find_ring(kvm, &cap.cap);

    if (max == 0) {
        return gw_error_set(errp, -ENOTSUP, "KVM has no dirty ring");
    }
    if (n_entries > (size_t)max / sizeof(struct kvm_dirty_gfn)) {
        return gw_error_set(
            errp, -EINVAL, "dirty-ring-size %u is more than KVM's maximum %zu",
            n_entries, (size_t)max / sizeof(struct kvm_dirty_gfn));
    }
    kvm->ring_size = n_entries;
    cap.args[0] = ring_bytes(kvm);
    if (ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &cap) < 0) {
        return gw_error_set_errno(
            errp, -errno, "KVM takes no dirty ring of %u entries", n_entries);
    }
    pthread_mutex_init(&kvm->ring_lock, NULL);
    return 0;
}

void vmm_kvm_deinit_ring(struct vmm_kvm *kvm)
{
    if (kvm->ring_size > 0) {
        pthread_mutex_destroy(&kvm->ring_lock);
    }
}

int vmm_kvm_map_ring(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    void *ring;

    if (vcpu->kvm->ring_size == 0) {
        return 0;
    }
    ring = mmap(NULL, ring_bytes(vcpu->kvm), PROT_READ | PROT_WRITE, MAP_SHARED,
                vcpu->fd, KVM_DIRTY_LOG_PAGE_OFFSET * GW_TARGET_PAGE_SIZE);
    if (ring == MAP_FAILED) {
        return gw_error_set_errno(
            errp, -errno, "cannot map the dirty ring of vCPU %u", vcpu->index);
    }
    vcpu->ring = ring;
    return 0;
}

void vmm_kvm_unmap_ring(struct vmm_kvm_vcpu *vcpu)
{
    if (vcpu->ring) {
        munmap(vcpu->ring, ring_bytes(vcpu->kvm));
    }
    vcpu->ring = NULL;
}

/* What KVM wrote is checked all the same; entries without a log are old. */
static void keep_entry(struct vmm_kvm *kvm, uint32_t index, uint64_t page)
{
    struct vmm_kvm_slot *slot;

    if (index >= kvm->n_slots) {
        return;
    }
    slot = &kvm->slots[index];
    if (slot->reported && page < slot->range.bytes / GW_TARGET_PAGE_SIZE) {
        slot->reported[page / WORD_PAGES] |= 1ul << (page % WORD_PAGES);
    }
}

/* Takes all entries of a ring; with ring_lock held. Returns how many. */
static unsigned int take_ring(struct vmm_kvm_vcpu *vcpu)
{
    struct vmm_kvm *kvm = vcpu->kvm;
    unsigned int n = 0;

    for (;; n++) {
        struct kvm_dirty_gfn *entry =
            &vcpu->ring[vcpu->ring_next % kvm->ring_size];

        /* Pairs with KVM's release of a new entry. */
        if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) &
              KVM_DIRTY_GFN_F_DIRTY)) {
            return n;
        }
        keep_entry(kvm, entry->slot, entry->offset);
        /* Pairs with KVM's acquire in KVM_RESET_DIRTY_RINGS. */
        __atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET,
                         __ATOMIC_RELEASE);
        vcpu->ring_next++;
    }
}

/* Takes from all rings and protects those pages; with ring_lock held. */
static int take_all(struct vmm_kvm *kvm)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        n += take_ring(&kvm->vcpus[i]);
    }
    return n > 0 && ioctl(kvm->vm_fd, KVM_RESET_DIRTY_RINGS) < 0 ? -errno : 0;
}

int vmm_kvm_ring_full(struct vmm_kvm *kvm)
{
    int r;

    pthread_mutex_lock(&kvm->ring_lock);
    r = take_all(kvm);
    pthread_mutex_unlock(&kvm->ring_lock);
    return r;
}

static void forget_all(struct vmm_kvm *kvm)
{
    pthread_mutex_lock(&kvm->ring_lock);
    vmm_kvm_free_reported(kvm);
    take_all(kvm);
    pthread_mutex_unlock(&kvm->ring_lock);
}

static int start(void *opaque, struct gw_error **errp)
{
    struct vmm_kvm *kvm = opaque;
    int r;

    pthread_mutex_lock(&kvm->ring_lock);
    r = vmm_kvm_alloc_reported(kvm, false);
    pthread_mutex_unlock(&kvm->ring_lock);
    if (r < 0) {
        return gw_error_set_errno(errp, r, "dirty ring");
    }
    r = vmm_kvm_start_logging(kvm, errp);
    if (r < 0) {
        forget_all(kvm);
    }
    return r;
}

static void stop(void *opaque)
{
    struct vmm_kvm *kvm = opaque;

    vmm_kvm_stop_logging(kvm);
    forget_all(kvm);
}

/* Moves the kept bits of a slot to the block's; with ring_lock held. */
static void move_bits(struct vmm_kvm_slot *slot, unsigned long *dirty,
                      uint64_t n_words)
{
    for (uint64_t i = 0; i < n_words; i++) {
        dirty[i] |= slot->reported[i];
        slot->reported[i] = 0;
    }
}

static int sync_block(void *opaque, struct gw_ram_block *block,
                      unsigned long *dirty, uint64_t n_pages,
                      struct gw_error **errp)
{
    struct vmm_kvm *kvm = opaque;
    uint64_t n_words = (n_pages + WORD_PAGES - 1) / WORD_PAGES;
    int r;

    pthread_mutex_lock(&kvm->ring_lock);
    r = take_all(kvm);
    for (unsigned int i = 0; r == 0 && i < kvm->n_slots; i++) {
        struct vmm_kvm_slot *slot = &kvm->slots[i];
        uint64_t n = vmm_kvm_slot_words(slot);
        uint64_t first;

        if (vmm_kvm_slot_in_block(slot, block, &first) &&
            first / WORD_PAGES < n_words) {
            first /= WORD_PAGES;
            move_bits(slot, dirty + first,
                      n < n_words - first ? n : n_words - first);
        }
    }
    pthread_mutex_unlock(&kvm->ring_lock);
    return r < 0 ? gw_error_set_errno(errp, r, "KVM_RESET_DIRTY_RINGS") : 0;
}

/* A sync arms what it reports. */
static int arm(void *opaque, struct gw_ram_block *block, uint64_t first,
               uint64_t n_pages, struct gw_error **errp)
{
    return 0;
}

const struct gw_tracker_ops vmm_kvm_ring_ops = {
    .name = "kvm-dirty-ring",
    .start = start,
    .stop = stop,
    .sync = sync_block,
    .arm = arm,
};
