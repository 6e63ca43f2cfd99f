/*
 * KVM's dirty log as the machine's tracker.
 *
 * KVM logs by slot, the library asks by block: a slot lies in one block, but
 * a block may have several slots, and be seen through two of them (firmware).
 *
 * Where KVM lets us (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), a sync only reads
 * the log, and pages are protected again, bit by bit, right before they are
 * read: less work under KVM's lock at once, and a page that is written often
 * faults once per round instead of twice. Then the log starts full
 * (KVM_DIRTY_LOG_INITIALLY_SET), so that not all memory is protected at the
 * start. Elsewhere a sync protects what it reports, and arming does nothing.
 *
 * Only bits that the last sync reported are cleared: a page beside them that
 * was written since must stay in the log, as nobody is going to read it. The
 * first round reads everything, so it may clear everything.
 */
#include "kvm.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <godwit/ram.h>
#include <godwit/tracker.h>

#include "machine.h"
#include "util.h"

/* Pages of a word of a bitmap. KVM clears whole words but at a slot's end. */
#define WORD_PAGES 64u

static uint64_t n_pages_of(const struct vmm_kvm_slot *slot)
{
    return slot->range.bytes / GW_TARGET_PAGE_SIZE;
}

static int start(void *opaque, struct gw_error **errp)
{
    struct vmm_kvm *kvm = opaque;
    /* All bits set: the first round reads every page. */
    int r = vmm_kvm_alloc_reported(kvm, true);

    if (r < 0) {
        return gw_error_set_errno(errp, r, "dirty log");
    }
    r = vmm_kvm_start_logging(kvm, errp);
    if (r < 0) {
        vmm_kvm_free_reported(kvm);
    }
    return r;
}

static void stop(void *opaque)
{
    struct vmm_kvm *kvm = opaque;

    vmm_kvm_stop_logging(kvm);
    vmm_kvm_free_reported(kvm);
}

/* Replaces what was reported by what the log says now. */
static int get_log(struct vmm_kvm *kvm, unsigned int index,
                   struct gw_error **errp)
{
    struct kvm_dirty_log log = {.slot = index,
                                .dirty_bitmap = kvm->slots[index].reported};

    if (ioctl(kvm->vm_fd, KVM_GET_DIRTY_LOG, &log) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_DIRTY_LOG of slot %u",
                                  index);
    }
    return 0;
}

static int sync_block(void *opaque, struct gw_ram_block *block,
                      unsigned long *dirty, uint64_t n_pages,
                      struct gw_error **errp)
{
    struct vmm_kvm *kvm = opaque;
    uint64_t n_words = (n_pages + WORD_PAGES - 1) / WORD_PAGES;

    for (unsigned int i = 0; i < kvm->n_slots; i++) {
        struct vmm_kvm_slot *slot = &kvm->slots[i];
        uint64_t first;
        int r;

        if (!vmm_kvm_slot_in_block(slot, block, &first)) {
            continue;
        }
        r = get_log(kvm, i, errp);
        if (r < 0) {
            return r;
        }
        /* Slots start at whole words of their block: see add_tracker. */
        for (uint64_t word = 0; word < vmm_kvm_slot_words(slot); word++) {
            if (first / WORD_PAGES + word < n_words) {
                dirty[first / WORD_PAGES + word] |= slot->reported[word];
            }
        }
    }
    return 0;
}

/* Protects the reported pages of [first, end) of a slot again. */
static int clear_log(struct vmm_kvm *kvm, unsigned int index, uint64_t first,
                     uint64_t end, struct gw_error **errp)
{
    unsigned long *reported = kvm->slots[index].reported + first / WORD_PAGES;
    struct kvm_clear_dirty_log log = {.slot = index,
                                      .num_pages = (uint32_t)(end - first),
                                      .first_page = first,
                                      .dirty_bitmap = reported};
    uint64_t n_words = (end - first + WORD_PAGES - 1) / WORD_PAGES;
    unsigned long any = 0;

    for (uint64_t i = 0; i < n_words; i++) {
        any |= reported[i];
    }
    if (!any) {
        return 0;
    }
    if (ioctl(kvm->vm_fd, KVM_CLEAR_DIRTY_LOG, &log) < 0) {
        return gw_error_set_errno(errp, -errno,
                                  "KVM_CLEAR_DIRTY_LOG of slot %u, page %llu",
                                  index, (unsigned long long)first);
    }
    memset(reported, 0, n_words * sizeof(*reported));
    return 0;
}

static int arm(void *opaque, struct gw_ram_block *block, uint64_t first,
               uint64_t n_pages, struct gw_error **errp)
{
    struct vmm_kvm *kvm = opaque;
    uint64_t end = first + n_pages;

    if (!kvm->manual_protect) {
        return 0;
    }
    for (unsigned int i = 0; i < kvm->n_slots; i++) {
        struct vmm_kvm_slot *slot = &kvm->slots[i];
        uint64_t slot_first, slot_end;
        int r;

        if (!vmm_kvm_slot_in_block(slot, block, &slot_first)) {
            continue;
        }
        slot_end = slot_first + n_pages_of(slot);
        if (end <= slot_first || first >= slot_end) {
            continue;
        }
        r = clear_log(kvm, i, first > slot_first ? first - slot_first : 0,
                      (end < slot_end ? end : slot_end) - slot_first, errp);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static const struct gw_tracker_ops log_ops = {
    .name = "kvm-log",
    .start = start,
    .stop = stop,
    .sync = sync_block,
    .arm = arm,
};

/* Only what KVM offers; all of it is optional. */
static void init_log(struct vmm_kvm *kvm)
{
    int offered = ioctl(kvm->kvm_fd, KVM_CHECK_EXTENSION,
                        KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
    struct kvm_enable_cap cap = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2};

    if (offered <= 0) {
        return;
    }
    cap.args[0] = (uint64_t)offered & (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
                                       KVM_DIRTY_LOG_INITIALLY_SET);
    kvm->manual_protect = ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &cap) == 0;
}

int vmm_kvm_init_dirty(struct vmm_kvm *kvm, struct gw_error **errp)
{
    if (kvm->machine->dirty_ring_size > 0) {
        return vmm_kvm_init_ring(kvm, kvm->machine->dirty_ring_size, errp);
    }
    init_log(kvm);
    return 0;
}

int vmm_kvm_add_tracker(struct vmm_accel *accel, struct gw_error **errp)
{
    struct vmm_kvm *kvm = (struct vmm_kvm *)(void *)accel;
    struct gw_machine *machine = kvm->machine->gw;
    struct gw_ram_block *block = NULL;
    uint64_t first;

    while ((block = gw_ram_block_next(machine, block))) {
        for (unsigned int i = 0; i < kvm->n_slots; i++) {
            if (vmm_kvm_slot_in_block(&kvm->slots[i], block, &first)) {
                assert(first % WORD_PAGES == 0);
            }
        }
    }
    gw_machine_set_tracker(
        machine, kvm->ring_size > 0 ? &vmm_kvm_ring_ops : &log_ops, kvm);
    return 0;
}
