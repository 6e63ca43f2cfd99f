/*
 * The CPUID that the guest sees: what KVM supports, without what we cannot
 * move (nested virtualisation, AMX, tracing, counters, an invariant TSC) and
 * what --cpu takes away, and with a plain topology: one package of n cores.
 */
#include "kvm.h"

#include <asm/kvm_para.h>
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"
#include "util.h"

/* Components of the XSAVE image that the saved state has members for. */
#define XCR0_BNDREGS 3u
#define XCR0_BNDCSR 4u
#define XCR0_OPMASK 5u
#define XCR0_ZMM_HIGH 6u
#define XCR0_ZMM_UPPER 7u
#define XCR0_PKRU 9u
#define XSAVE_LEGACY_BYTES 576u

/* Bits taken from the guest. */
struct mask {
    uint32_t function;
    uint32_t index;
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
};

#define BIT(n) (1u << (n))

static const struct mask masks[] = {
    /* ecx: MONITOR, VMX, PDCM, OSXSAVE (KVM sets it by CR4). */
    {1, 0, 0, 0, BIT(3) | BIT(5) | BIT(15) | BIT(27), 0},
    /* ebx: SGX, PT; ecx: CET_SS, ENQCMD, SGX_LC, PKS; edx: UINTR, LBR,
     * CET_IBT, AMX. */
    {7, 0, 0, BIT(2) | BIT(25), BIT(7) | BIT(29) | BIT(30) | BIT(31),
     BIT(5) | BIT(19) | BIT(20) | BIT(22) | BIT(24) | BIT(25)},
    /* eax: FRED, LKGS, AMX_FP16. */
    {7, 1, BIT(17) | BIT(18) | BIT(21), 0, 0, 0},
    /* eax: XFD; ecx, edx: components in XSS. */
    {0xd, 1, BIT(4), 0, UINT32_MAX, UINT32_MAX},
    /* ecx: SVM, IBS, TOPOEXT, performance counters. */
    {0x80000001, 0, 0, 0,
     BIT(2) | BIT(10) | BIT(22) | BIT(23) | BIT(24) | BIT(28), 0},
    /* edx: invariant TSC: a guest that moves cannot have one. */
    {0x80000007, 0, 0, 0, 0, BIT(8)},
};

/* Of 7.1.eax: FZRM, FSRS, FSRC: some instructions are fast. */
#define FAST_STRINGS (BIT(10) | BIT(11) | BIT(12))
/* The leaves with the processor's name. */
#define BRAND_FIRST 0x80000002u
#define BRAND_LAST 0x80000004u
/* Of KVM's features: destinations of messages beyond 8 bits. */
#define KVM_MSI_EXT_DEST_ID BIT(15)

/* Leaves that describe what was taken, or a topology that is not ours. */
static const uint32_t dropped[] = {
    0x5,        0xa,        0xb,        0xf,        0x10,
    0x12,       0x14,       0x1c,       0x1d,       0x1e,
    0x1f,       0x23,       0x24,       0x8000000a, 0x8000001b,
    0x8000001d, 0x8000001e, 0x8000001f, 0x80000022, 0x80000026,
};

static bool is_dropped(const struct kvm_cpuid_entry2 *entry)
{
    if (entry->function == 0xd && entry->index > XCR0_PKRU) {
        return true;
    }
    for (size_t i = 0; i < VMM_ARRAY_SIZE(dropped); i++) {
        if (entry->function == dropped[i]) {
            return true;
        }
    }
    return false;
}

static void apply_masks(struct kvm_cpuid_entry2 *entry)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(masks); i++) {
        const struct mask *mask = &masks[i];

        if (entry->function == mask->function && entry->index == mask->index) {
            entry->eax &= ~mask->eax;
            entry->ebx &= ~mask->ebx;
            entry->ecx &= ~mask->ecx;
            entry->edx &= ~mask->edx;
        }
    }
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *cpuid,
                                     uint32_t function, uint32_t index)
{
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        if (cpuid->entries[i].function == function &&
            cpuid->entries[i].index == index) {
            return &cpuid->entries[i];
        }
    }
    return NULL;
}

static int get_supported(struct vmm_kvm *kvm, struct gw_error **errp)
{
    size_t size = sizeof(*kvm->cpuid) +
                  VMM_KVM_MAX_CPUID * sizeof(kvm->cpuid->entries[0]);

    kvm->cpuid = calloc(1, size);
    if (!kvm->cpuid) {
        return gw_error_set_errno(errp, -ENOMEM, "CPUID table");
    }
    kvm->cpuid->nent = VMM_KVM_MAX_CPUID - 2;
    if (ioctl(kvm->kvm_fd, KVM_GET_SUPPORTED_CPUID, kvm->cpuid) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_SUPPORTED_CPUID");
    }
    return 0;
}

static void drop_and_mask(struct kvm_cpuid2 *cpuid)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < cpuid->nent; i++) {
        if (!is_dropped(&cpuid->entries[i])) {
            cpuid->entries[kept] = cpuid->entries[i];
            apply_masks(&cpuid->entries[kept++]);
        }
    }
    cpuid->nent = kept;
}

/* Two levels: threads (one per core), cores. */
static void add_topology(struct kvm_cpuid2 *cpuid)
{
    const struct kvm_cpuid_entry2 *leaf0 = find(cpuid, 0, 0);

    if (!leaf0 || leaf0->eax < 0xb) {
        return;
    }
    for (uint32_t level = 0; level < 2; level++) {
        cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
            .function = 0xb,
            .index = level,
            .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            .ecx = level | (level + 1) << 8,
        };
    }
}

/* State is offered with the feature that it belongs to. */
static uint32_t components_of(struct kvm_cpuid2 *cpuid)
{
    const struct kvm_cpuid_entry2 *leaf1 = find(cpuid, 1, 0);
    const struct kvm_cpuid_entry2 *leaf7 = find(cpuid, 7, 0);
    uint32_t components = 3;

    if (!leaf1 || !(leaf1->ecx & BIT(26))) {
        return 0;
    }
    components |= (leaf1->ecx & BIT(28)) ? BIT(2) : 0;
    if (leaf7) {
        components |= (leaf7->ebx & BIT(14)) ? BIT(XCR0_BNDREGS) : 0;
        components |= (leaf7->ebx & BIT(14)) ? BIT(XCR0_BNDCSR) : 0;
        components |= (leaf7->ebx & BIT(16)) ? 7u << XCR0_OPMASK : 0;
        components |= (leaf7->ecx & BIT(3)) ? BIT(XCR0_PKRU) : 0;
    }
    return components;
}

static uint32_t component_offset(struct kvm_cpuid2 *cpuid, uint32_t component,
                                 uint64_t offered, uint32_t *size)
{
    const struct kvm_cpuid_entry2 *entry = find(cpuid, 0xd, component);
    uint64_t end;

    if (!(offered & 1ull << component) || !entry) {
        return 0;
    }
    end = (uint64_t)entry->ebx + entry->eax;
    if (end > VMM_KVM_XSAVE_BYTES) {
        return 0;
    }
    if (end > *size) {
        *size = (uint32_t)end;
    }
    return entry->ebx;
}

static void init_xsave(struct vmm_kvm *kvm)
{
    struct kvm_cpuid_entry2 *leaf = find(kvm->cpuid, 0xd, 0);
    struct vmm_xsave_layout *layout = &kvm->xsave;
    uint32_t size = XSAVE_LEGACY_BYTES;

    if (!leaf) {
        layout->size = size;
        return;
    }
    leaf->eax &= components_of(kvm->cpuid);
    leaf->edx = 0;
    component_offset(kvm->cpuid, 2, leaf->eax, &size);
    layout->bndregs =
        component_offset(kvm->cpuid, XCR0_BNDREGS, leaf->eax, &size);
    layout->bndcsr =
        component_offset(kvm->cpuid, XCR0_BNDCSR, leaf->eax, &size);
    layout->opmask =
        component_offset(kvm->cpuid, XCR0_OPMASK, leaf->eax, &size);
    layout->zmm_high =
        component_offset(kvm->cpuid, XCR0_ZMM_HIGH, leaf->eax, &size);
    layout->zmm_upper =
        component_offset(kvm->cpuid, XCR0_ZMM_UPPER, leaf->eax, &size);
    layout->pkru = component_offset(kvm->cpuid, XCR0_PKRU, leaf->eax, &size);
    layout->size = size;
    leaf->ecx = size;
}

static void remove_features(struct kvm_cpuid2 *cpuid,
                            const struct vmm_cpu_option *option)
{
    for (unsigned int i = 0; i < option->n_removed; i++) {
        const struct gw_cpu_feature *feature = &option->removed[i];
        struct kvm_cpuid_entry2 *leaf =
            find(cpuid, feature->leaf, feature->subleaf);

        if (leaf) {
            uint32_t *registers[] = {&leaf->eax, &leaf->ebx, &leaf->ecx,
                                     &leaf->edx};

            *registers[feature->which] &= ~BIT(feature->bit);
        }
    }
}

/*
 * What QEMU's `-cpu host` has and KVM does not tell of, or leaves to who has
 * the I/O APIC. A guest is to find all of it here, too.
 */
static void add_untold(struct kvm_cpuid2 *cpuid)
{
    struct kvm_cpuid_entry2 *fast = find(cpuid, 7, 1);
    struct kvm_cpuid_entry2 *kvm = find(cpuid, KVM_CPUID_FEATURES, 0);
    uint32_t eax, ebx, ecx, edx;

    if (fast && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) {
        fast->eax |= eax & FAST_STRINGS;
    }
    if (kvm) {
        kvm->eax |= KVM_MSI_EXT_DEST_ID;
    }
    for (uint32_t i = BRAND_FIRST; i <= BRAND_LAST; i++) {
        struct kvm_cpuid_entry2 *brand = find(cpuid, i, 0);

        if (brand) {
            __get_cpuid(i, &brand->eax, &brand->ebx, &brand->ecx, &brand->edx);
        }
    }
}

static void init_features(struct vmm_kvm *kvm)
{
    struct kvm_cpuid_entry2 *leaf = find(kvm->cpuid, 1, 0);

    add_untold(kvm->cpuid);
    if (!leaf) {
        return;
    }
    leaf->ecx |= BIT(21) | BIT(31); /* x2APIC, hypervisor */
    if (ioctl(kvm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) >
        0) {
        leaf->ecx |= BIT(24);
    }
    remove_features(kvm->cpuid, &kvm->machine->cpu);
    kvm->has_avx = leaf->ecx & BIT(28);
}

int vmm_kvm_init_cpuid(struct vmm_kvm *kvm, struct gw_error **errp)
{
    const struct kvm_cpuid_entry2 *sizes;
    int r = get_supported(kvm, errp);

    if (r < 0) {
        return r;
    }
    drop_and_mask(kvm->cpuid);
    init_features(kvm);
    init_xsave(kvm);
    add_topology(kvm->cpuid);
    sizes = find(kvm->cpuid, 0x80000008, 0);
    kvm->phys_bits = sizes ? sizes->eax & 0xff : 36;
    if (kvm->phys_bits < 32 || kvm->phys_bits > 52) {
        kvm->phys_bits = 36;
    }
    return 0;
}

/* Bits that hold the numbers 0 to n - 1. */
static uint32_t bits_for(uint32_t n)
{
    uint32_t bits = 0;

    while ((1u << bits) < n) {
        bits++;
    }
    return bits;
}

static void set_apic_ids(struct kvm_cpuid2 *cpuid, uint32_t id, uint32_t n)
{
    struct kvm_cpuid_entry2 *leaf = find(cpuid, 1, 0);

    if (leaf) {
        leaf->ebx = (leaf->ebx & 0xffff) | id << 24 | n << 16;
        leaf->edx |= n > 1 ? BIT(28) : 0; /* HTT: the count is valid */
    }
    for (uint32_t level = 0; level < 2; level++) {
        leaf = find(cpuid, 0xb, level);
        if (leaf) {
            leaf->eax = level == 0 ? 0 : bits_for(n);
            leaf->ebx = level == 0 ? 1 : n;
            leaf->edx = id;
        }
    }
}

static void set_core_counts(struct kvm_cpuid2 *cpuid, uint32_t n)
{
    struct kvm_cpuid_entry2 *leaf;

    /* Caches: shared by one core; cores of the package. */
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        leaf = &cpuid->entries[i];
        if (leaf->function == 4 && (leaf->eax & 0x1f) != 0) {
            leaf->eax = (leaf->eax & 0x3fff) | (n - 1) << 26;
        }
    }
    leaf = find(cpuid, 0x80000001, 0);
    if (leaf) {
        leaf->ecx = (leaf->ecx & ~BIT(1)) | (n > 1 ? BIT(1) : 0);
    }
    leaf = find(cpuid, 0x80000008, 0);
    if (leaf) {
        leaf->ecx = bits_for(n) << 12 | (n - 1);
    }
}

/* For descriptions of the machine. */
static int tell_cpuid(const struct vmm_kvm *kvm, struct gw_error **errp)
{
    struct gw_cpuid_leaf leaves[VMM_KVM_MAX_CPUID];
    uint32_t n = kvm->cpuid->nent;

    for (uint32_t i = 0; i < n; i++) {
        const struct kvm_cpuid_entry2 *entry = &kvm->cpuid->entries[i];

        leaves[i] = (struct gw_cpuid_leaf){
            .leaf = entry->function,
            .subleaf = entry->index,
            .eax = entry->eax,
            .ebx = entry->ebx,
            .ecx = entry->ecx,
            .edx = entry->edx,
        };
    }
    if (gw_machine_set_cpuid(kvm->machine->gw, leaves, n) < 0) {
        return gw_error_set_errno(errp, -ENOMEM, "CPUID table");
    }
    return 0;
}

int vmm_kvm_set_cpuid(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct vmm_kvm *kvm = vcpu->kvm;

    set_apic_ids(kvm->cpuid, vcpu->index, kvm->machine->n_cpus);
    set_core_counts(kvm->cpuid, kvm->machine->n_cpus);
    if (ioctl(vcpu->fd, KVM_SET_CPUID2, kvm->cpuid) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_CPUID2");
    }
    return vcpu->index == 0 ? tell_cpuid(kvm, errp) : 0;
}
