/*
 * Model-specific registers between KVM and the saved state.
 *
 * A table says which member holds which MSR; what is not always there is read
 * and written only if KVM lists it, or if the stream brought a value.
 */
#include "kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

#define MSR_TSC 0x10u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_MTRR_PHYS_MASK(i) (0x201u + 2u * (i))
#define MSR_TSX_CTRL 0x122u

/* How an MSR is treated. */
enum msr_rule {
    /* Every KVM has it. */
    MSR_ALWAYS = 0,
    /* Only if KVM lists it, or a value other than 0 came in. */
    MSR_LISTED = 1,
    /* Read only here; it is written by a function of its own. */
    MSR_READ_ONLY = 2,
    /* Our guests do not see it: written only if a value other than 0 came. */
    MSR_LOADED = 3,
};

/* Where an MSR is kept. */
struct msr_member {
    uint32_t index;
    enum msr_rule rule;
    size_t offset;
    /* 4 or 8 bytes. */
    size_t size;
};

#define MEMBER(index, rule, member)                    \
    {                                                  \
        index, rule, offsetof(struct vmm_cpu, member), \
            sizeof(((struct vmm_cpu *)0)->member)      \
    }
#define BANK(i)                                                   \
    MEMBER(0x400 + 4 * (i), MSR_ALWAYS, mce_banks[i].ctl),        \
        MEMBER(0x401 + 4 * (i), MSR_ALWAYS, mce_banks[i].status), \
        MEMBER(0x402 + 4 * (i), MSR_ALWAYS, mce_banks[i].addr),   \
        MEMBER(0x403 + 4 * (i), MSR_ALWAYS, mce_banks[i].misc)
#define COUNTER(i)                                   \
    MEMBER(0xc1 + (i), MSR_LOADED, pmu_counters[i]), \
        MEMBER(0x186 + (i), MSR_LOADED, pmu_events[i])
#define MTRR(i)                                        \
    MEMBER(0x200 + 2 * (i), MSR_ALWAYS, mtrr[i].base), \
        MEMBER(0x201 + 2 * (i), MSR_ALWAYS, mtrr[i].mask)

/* In the order in which they are written: TSC_ADJUST before the TSC. */
static const struct msr_member members[] = {
    MEMBER(0x3a, MSR_LOADED, feature_control),
    MEMBER(0x174, MSR_ALWAYS, sysenter_cs),
    MEMBER(0x175, MSR_ALWAYS, sysenter_esp),
    MEMBER(0x176, MSR_ALWAYS, sysenter_eip),
    MEMBER(0x277, MSR_ALWAYS, pat),
    MEMBER(0xc0000081, MSR_ALWAYS, star),
    MEMBER(0xc0010117, MSR_LISTED, vm_hsave),
    MEMBER(0xc0000103, MSR_LISTED, tsc_aux),
    MEMBER(0x3b, MSR_LISTED, tsc_adjust),
    MEMBER(0x1a0, MSR_LISTED, misc_enable),
    MEMBER(0x34, MSR_LISTED, smi_count),
    MEMBER(0x48, MSR_LISTED, spec_ctrl),
    MEMBER(0xe1, MSR_LISTED, umwait),
    MEMBER(0x122, MSR_LISTED, tsx_ctrl),
    MEMBER(0x1c4, MSR_LISTED, xfd),
    MEMBER(0x1c5, MSR_LISTED, xfd_err),
    MEMBER(0x6e1, MSR_LISTED, pkrs),
    MEMBER(0xd90, MSR_LISTED, bnd_config_msr),
    MEMBER(0xda0, MSR_LISTED, xss),
    MEMBER(0xc001011f, MSR_LISTED, virt_ssbd),
    MEMBER(0xc0010015, MSR_LISTED, hwcr),
    MEMBER(0xc0000083, MSR_ALWAYS, cstar),
    MEMBER(0xc0000102, MSR_ALWAYS, kernel_gs_base),
    MEMBER(0xc0000084, MSR_ALWAYS, sfmask),
    MEMBER(0xc0000082, MSR_ALWAYS, lstar),
    MEMBER(MSR_TSC, MSR_ALWAYS, tsc),
    MEMBER(0x12, MSR_LISTED, system_time_msr),
    MEMBER(0x11, MSR_LISTED, wall_clock_msr),
    MEMBER(0x4b564d06, MSR_LISTED, async_pf_int_msr),
    MEMBER(0x4b564d02, MSR_LISTED, async_pf_msr),
    MEMBER(0x4b564d04, MSR_LISTED, pv_eoi_msr),
    MEMBER(0x4b564d03, MSR_LISTED, steal_time_msr),
    MEMBER(0x4b564d05, MSR_LISTED, poll_control_msr),
    MEMBER(0x17a, MSR_ALWAYS, mcg_status),
    MEMBER(0x17b, MSR_ALWAYS, mcg_ctl),
    BANK(0),
    BANK(1),
    BANK(2),
    BANK(3),
    BANK(4),
    BANK(5),
    BANK(6),
    BANK(7),
    BANK(8),
    BANK(9),
    MEMBER(0x2ff, MSR_ALWAYS, mtrr_default),
    MEMBER(0x250, MSR_ALWAYS, mtrr_fixed[0]),
    MEMBER(0x258, MSR_ALWAYS, mtrr_fixed[1]),
    MEMBER(0x259, MSR_ALWAYS, mtrr_fixed[2]),
    MEMBER(0x268, MSR_ALWAYS, mtrr_fixed[3]),
    MEMBER(0x269, MSR_ALWAYS, mtrr_fixed[4]),
    MEMBER(0x26a, MSR_ALWAYS, mtrr_fixed[5]),
    MEMBER(0x26b, MSR_ALWAYS, mtrr_fixed[6]),
    MEMBER(0x26c, MSR_ALWAYS, mtrr_fixed[7]),
    MEMBER(0x26d, MSR_ALWAYS, mtrr_fixed[8]),
    MEMBER(0x26e, MSR_ALWAYS, mtrr_fixed[9]),
    MEMBER(0x26f, MSR_ALWAYS, mtrr_fixed[10]),
    MTRR(0),
    MTRR(1),
    MTRR(2),
    MTRR(3),
    MTRR(4),
    MTRR(5),
    MTRR(6),
    MTRR(7),
    MEMBER(0x4d0, MSR_LOADED, mcg_ext_ctl),
    MEMBER(0x309, MSR_LOADED, pmu_fixed[0]),
    MEMBER(0x30a, MSR_LOADED, pmu_fixed[1]),
    MEMBER(0x30b, MSR_LOADED, pmu_fixed[2]),
    COUNTER(0),
    COUNTER(1),
    COUNTER(2),
    COUNTER(3),
    COUNTER(4),
    COUNTER(5),
    COUNTER(6),
    COUNTER(7),
    COUNTER(8),
    COUNTER(9),
    COUNTER(10),
    COUNTER(11),
    COUNTER(12),
    COUNTER(13),
    COUNTER(14),
    COUNTER(15),
    COUNTER(16),
    COUNTER(17),
    MEMBER(0x38d, MSR_LOADED, pmu_fixed_ctrl),
    MEMBER(0x390, MSR_LOADED, pmu_global_ovf),
    MEMBER(0x38f, MSR_LOADED, pmu_global_ctrl),
    MEMBER(MSR_TSC_DEADLINE, MSR_READ_ONLY, tsc_deadline),
};

/* A batch as KVM takes it. */
struct msr_batch {
    struct kvm_msrs header;
    struct kvm_msr_entry entries[VMM_ARRAY_SIZE(members)];
};

_Static_assert(offsetof(struct msr_batch, entries) ==
                   offsetof(struct kvm_msrs, entries),
               "entries follow the header");

static bool is_listed(const struct vmm_kvm *kvm, uint32_t index)
{
    for (uint32_t i = 0; i < kvm->msr_list->nmsrs; i++) {
        if (kvm->msr_list->indices[i] == index) {
            return true;
        }
    }
    return false;
}

static bool is_mce_bank(uint32_t index)
{
    return index >= 0x400 && index < 0x400 + 4 * VMM_MCE_BANKS;
}

int vmm_kvm_init_msrs(struct vmm_kvm *kvm, struct gw_error **errp)
{
    kvm->msr_list =
        calloc(1, sizeof(*kvm->msr_list) + VMM_KVM_MAX_MSRS * sizeof(uint32_t));
    if (!kvm->msr_list) {
        return gw_error_set_errno(errp, -ENOMEM, "MSR list");
    }
    kvm->msr_list->nmsrs = VMM_KVM_MAX_MSRS;
    if (ioctl(kvm->kvm_fd, KVM_GET_MSR_INDEX_LIST, kvm->msr_list) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_MSR_INDEX_LIST");
    }
    return 0;
}

static uint64_t get_member(const struct vmm_cpu *cpu,
                           const struct msr_member *member)
{
    const uint8_t *at = (const uint8_t *)cpu + member->offset;
    uint64_t value = 0;

    memcpy(&value, at, member->size);
    return value;
}

static void set_member(struct vmm_cpu *cpu, const struct msr_member *member,
                       uint64_t value)
{
    memcpy((uint8_t *)cpu + member->offset, &value, member->size);
}

static bool is_read(const struct vmm_kvm *kvm, const struct msr_member *member)
{
    /* The TSC is read before, as near to the stop as can be. */
    if (member->index == MSR_TSC || member->rule == MSR_LOADED) {
        return false;
    }
    if (is_mce_bank(member->index)) {
        return kvm->has_mce;
    }
    return member->rule == MSR_ALWAYS || is_listed(kvm, member->index);
}

/* Fills in the indices of what is read, remembers which members they are. */
static unsigned int plan_read(const struct vmm_kvm *kvm,
                              struct msr_batch *batch,
                              const struct msr_member **planned)
{
    unsigned int n = 0;

    memset(batch, 0, sizeof(*batch));
    for (size_t i = 0; i < VMM_ARRAY_SIZE(members); i++) {
        if (is_read(kvm, &members[i])) {
            planned[n] = &members[i];
            batch->entries[n++].index = members[i].index;
        }
    }
    return n;
}

/* KVM stops at the first MSR that it refuses: leave that out, go on. */
static int read_batch(struct vmm_kvm_vcpu *vcpu, struct msr_batch *batch,
                      const struct msr_member **planned, unsigned int n)
{
    unsigned int at = 0;

    while (at < n) {
        struct msr_batch part = {.header.nmsrs = n - at};
        int done;

        memcpy(part.entries, &batch->entries[at],
               (n - at) * sizeof(part.entries[0]));
        done = ioctl(vcpu->fd, KVM_GET_MSRS, &part);
        if (done < 0) {
            return -errno;
        }
        for (unsigned int i = 0; i < (unsigned int)done; i++) {
            set_member(&vcpu->cpu, planned[at + i], part.entries[i].data);
        }
        at += (unsigned int)done + 1;
    }
    return 0;
}

int vmm_kvm_get_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    const struct msr_member *planned[VMM_ARRAY_SIZE(members)];
    struct msr_batch batch;
    unsigned int n = plan_read(vcpu->kvm, &batch, planned);
    int r = read_batch(vcpu, &batch, planned, n);

    if (r < 0) {
        return gw_error_set_errno(errp, r, "KVM_GET_MSRS");
    }
    vcpu->cpu.has_tsx_ctrl = is_listed(vcpu->kvm, MSR_TSX_CTRL);
    return 0;
}

int vmm_kvm_get_tsc(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct msr_batch batch = {.header.nmsrs = 1};

    batch.entries[0].index = MSR_TSC;
    if (ioctl(vcpu->fd, KVM_GET_MSRS, &batch) != 1) {
        return gw_error_set(errp, -EIO, "KVM does not tell the TSC");
    }
    vcpu->cpu.tsc = batch.entries[0].data;
    return 0;
}

/* QEMU sends masks with all bits up to 51: KVM wants those that exist. */
static uint64_t fit_value(const struct vmm_kvm *kvm, uint32_t index,
                          uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) {
        if (index == MSR_MTRR_PHYS_MASK(i)) {
            return value & ((1ull << kvm->phys_bits) - 1);
        }
    }
    return value;
}

static bool is_written(const struct vmm_kvm *kvm, const struct vmm_cpu *cpu,
                       const struct msr_member *member)
{
    if (member->rule == MSR_READ_ONLY) {
        return false;
    }
    if (is_mce_bank(member->index) && !kvm->has_mce) {
        return false;
    }
    if (get_member(cpu, member) != 0) {
        return true;
    }
    return member->rule == MSR_ALWAYS ||
           (member->rule == MSR_LISTED && is_listed(kvm, member->index));
}

/*
 * What is not listed and has its usual value need not be written: the two
 * registers whose usual value is 1 are listed where they exist.
 */
static unsigned int plan_write(const struct vmm_kvm_vcpu *vcpu,
                               struct msr_batch *batch)
{
    unsigned int n = 0;

    memset(batch, 0, sizeof(*batch));
    for (size_t i = 0; i < VMM_ARRAY_SIZE(members); i++) {
        uint64_t value = get_member(&vcpu->cpu, &members[i]);
        bool usual =
            !is_listed(vcpu->kvm, members[i].index) && value == 1 &&
            (members[i].index == 0x1a0 || members[i].index == 0x4b564d05);

        if (is_written(vcpu->kvm, &vcpu->cpu, &members[i]) && !usual) {
            batch->entries[n].index = members[i].index;
            batch->entries[n].data =
                fit_value(vcpu->kvm, members[i].index, value);
            n++;
        }
    }
    batch->header.nmsrs = n;
    return n;
}

/*
 * KVM stops at the first MSR that it refuses. One that holds 0 may be one
 * that this host lists but does not let the guest have; another value is
 * state that would be lost.
 */
static int write_batch(struct vmm_kvm_vcpu *vcpu, struct msr_batch *batch,
                       struct gw_error **errp)
{
    unsigned int n = batch->header.nmsrs;
    unsigned int at = 0;

    while (at < n) {
        struct msr_batch part = {.header.nmsrs = n - at};
        int done;

        memcpy(part.entries, &batch->entries[at],
               (n - at) * sizeof(part.entries[0]));
        done = ioctl(vcpu->fd, KVM_SET_MSRS, &part);
        if (done < 0) {
            return gw_error_set_errno(errp, -errno, "KVM_SET_MSRS");
        }
        at += (unsigned int)done;
        if (at < n && batch->entries[at].data != 0) {
            return gw_error_set(errp, -EPROTO,
                                "KVM refuses MSR 0x%x with value 0x%llx",
                                batch->entries[at].index,
                                (unsigned long long)batch->entries[at].data);
        }
        at++;
    }
    return 0;
}

int vmm_kvm_put_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct msr_batch batch;

    plan_write(vcpu, &batch);
    return write_batch(vcpu, &batch, errp);
}

int vmm_kvm_try_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct msr_batch batch;
    unsigned int n = plan_write(vcpu, &batch);
    unsigned int kept = 0;

    for (unsigned int i = 0; i < n; i++) {
        if (batch.entries[i].index != MSR_TSC) {
            batch.entries[kept++] = batch.entries[i];
        }
    }
    batch.header.nmsrs = kept;
    return write_batch(vcpu, &batch, errp);
}

int vmm_kvm_put_msr(struct vmm_kvm_vcpu *vcpu, uint32_t index, uint64_t value,
                    struct gw_error **errp)
{
    struct msr_batch batch = {.header.nmsrs = 1};

    batch.entries[0].index = index;
    batch.entries[0].data = value;
    return write_batch(vcpu, &batch, errp);
}

int vmm_kvm_put_deadline(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    return vmm_kvm_put_msr(vcpu, MSR_TSC_DEADLINE, vcpu->cpu.tsc_deadline,
                           errp);
}
