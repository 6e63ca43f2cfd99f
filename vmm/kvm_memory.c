/*
 * Guest RAM as KVM sees it: memory slots, and whether writes to them are
 * logged.
 */
#include "kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <godwit/ram.h>

#include "machine.h"

static int set_slot(struct vmm_kvm *kvm, unsigned int index, uint32_t flags)
{
    const struct vmm_memory_range *range = &kvm->slots[index].range;
    struct kvm_userspace_memory_region region = {
        .slot = index,
        .flags = flags,
        .guest_phys_addr = range->gpa,
        .memory_size = range->bytes,
        .userspace_addr = (uint64_t)(uintptr_t)range->host,
    };

    return ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno
                                                                      : 0;
}

int vmm_kvm_map_memory(struct vmm_kvm *kvm, struct gw_error **errp)
{
    const struct vmm_guest_memory *memory = &kvm->machine->guest_memory;

    for (unsigned int i = 0; i < memory->n_ranges; i++) {
        int r;

        kvm->slots[i].range = memory->ranges[i];
        r = set_slot(kvm, i, 0);
        if (r < 0) {
            return gw_error_set_errno(
                errp, r, "KVM_SET_USER_MEMORY_REGION at 0x%llx",
                (unsigned long long)memory->ranges[i].gpa);
        }
        kvm->n_slots = i + 1;
    }
    return 0;
}

static void stop_logging(struct vmm_kvm *kvm, unsigned int n_slots)
{
    for (unsigned int i = 0; i < n_slots; i++) {
        /* It cannot fail: nothing is made but the mapping as it was. */
        set_slot(kvm, i, 0);
    }
}

int vmm_kvm_start_logging(struct vmm_kvm *kvm, struct gw_error **errp)
{
    for (unsigned int i = 0; i < kvm->n_slots; i++) {
        int r = set_slot(kvm, i, KVM_MEM_LOG_DIRTY_PAGES);

        if (r < 0) {
            stop_logging(kvm, i);
            return gw_error_set_errno(
                errp, r, "KVM cannot log writes at 0x%llx",
                (unsigned long long)kvm->slots[i].range.gpa);
        }
    }
    return 0;
}

void vmm_kvm_stop_logging(struct vmm_kvm *kvm)
{
    stop_logging(kvm, kvm->n_slots);
}

bool vmm_kvm_slot_in_block(const struct vmm_kvm_slot *slot,
                           const struct gw_ram_block *block,
                           uint64_t *ret_first)
{
    uintptr_t start = (uintptr_t)gw_ram_block_host(block);
    uintptr_t host = (uintptr_t)slot->range.host;

    if (host < start || host - start >= gw_ram_block_max_length(block)) {
        return false;
    }
    *ret_first = (host - start) / GW_TARGET_PAGE_SIZE;
    return true;
}

uint64_t vmm_kvm_slot_words(const struct vmm_kvm_slot *slot)
{
    uint64_t n_pages = slot->range.bytes / GW_TARGET_PAGE_SIZE;

    return (n_pages + 63) / 64;
}

void vmm_kvm_free_reported(struct vmm_kvm *kvm)
{
    for (unsigned int i = 0; i < kvm->n_slots; i++) {
        free(kvm->slots[i].reported);
        kvm->slots[i].reported = NULL;
    }
}

int vmm_kvm_alloc_reported(struct vmm_kvm *kvm, bool set)
{
    for (unsigned int i = 0; i < kvm->n_slots; i++) {
        struct vmm_kvm_slot *slot = &kvm->slots[i];
        size_t size = vmm_kvm_slot_words(slot) * sizeof(*slot->reported);

        slot->reported = malloc(size);
        if (!slot->reported) {
            vmm_kvm_free_reported(kvm);
            return -ENOMEM;
        }
        memset(slot->reported, set ? 0xff : 0, size);
    }
    return 0;
}
