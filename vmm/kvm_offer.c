/*
 * Does the CPU that is offered here have what a guest that comes in uses?
 *
 * CPUID is not in the stream. What the guest switched on is, in its control
 * registers; KVM would refuse these too, but without saying what it misses.
 * Instructions without a switch of their own leave no trace: to compare all
 * of CPUID is the business of a dry run.
 */
#include "kvm.h"

#include <errno.h>

#include "util.h"

enum {
    EBX,
    ECX,
    EDX,
};

#define LEAF_XSAVE 0xdu
/* x87 and SSE have no feature that could be missing. */
#define XCR0_BASE 3ull

/* A bit of a control register, and the feature without which it is reserved. */
struct use {
    unsigned int bit;
    uint32_t leaf;
    unsigned int which;
    unsigned int feature_bit;
    const char *feature;
};

static const struct use cr4_uses[] = {
    {11, 7, ECX, 2, "umip"},     {12, 7, ECX, 16, "la57"},
    {16, 7, EBX, 0, "fsgsbase"}, {17, 1, ECX, 17, "pcid"},
    {18, 1, ECX, 26, "xsave"},   {20, 7, EBX, 7, "smep"},
    {21, 7, EBX, 20, "smap"},    {22, 7, ECX, 3, "pku"},
    {23, 7, ECX, 7, "cet-ss"},   {24, 7, ECX, 31, "pks"},
    {13, 1, ECX, 5, "vmx"},
};

static const struct use efer_uses[] = {
    {0, 0x80000001, EDX, 11, "syscall"},
    {10, 0x80000001, EDX, 29, "lm"},
    {11, 0x80000001, EDX, 20, "nx"},
    {12, 0x80000001, ECX, 2, "svm"},
};

/* Components of XCR0, by number. */
static const char *const components[] = {
    [2] = "avx",     [3] = "mpx",     [4] = "mpx",
    [5] = "avx512f", [6] = "avx512f", [7] = "avx512f",
    [9] = "pku",     [17] = "amx",    [18] = "amx",
};

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *cpuid,
                                           uint32_t function)
{
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        if (cpuid->entries[i].function == function &&
            cpuid->entries[i].index == 0) {
            return &cpuid->entries[i];
        }
    }
    return NULL;
}

static bool is_offered(const struct kvm_cpuid2 *cpuid, const struct use *use)
{
    const struct kvm_cpuid_entry2 *entry = find(cpuid, use->leaf);
    uint32_t value = 0;

    if (entry) {
        value = use->which == EBX   ? entry->ebx
                : use->which == ECX ? entry->ecx
                                    : entry->edx;
    }
    return value & 1u << use->feature_bit;
}

static int check_uses(const struct kvm_cpuid2 *cpuid, const char *name,
                      uint64_t value, const struct use *uses, size_t n,
                      struct gw_error **errp)
{
    for (size_t i = 0; i < n; i++) {
        if (value & 1ull << uses[i].bit && !is_offered(cpuid, &uses[i])) {
            return gw_error_set(errp, -EPROTO,
                                "the guest uses CPU feature '%s' (%s 0x%llx), "
                                "which is not offered here",
                                uses[i].feature, name,
                                (unsigned long long)value);
        }
    }
    return 0;
}

static int check_components(const struct kvm_cpuid2 *cpuid, const char *name,
                            uint64_t value, struct gw_error **errp)
{
    const struct kvm_cpuid_entry2 *entry = find(cpuid, LEAF_XSAVE);
    uint64_t offered = XCR0_BASE;
    const char *feature = NULL;
    int lost;

    if (entry) {
        offered |= (uint64_t)entry->edx << 32 | entry->eax;
    }
    if (!(value & ~offered)) {
        return 0;
    }
    lost = __builtin_ctzll(value & ~offered);
    if ((size_t)lost < VMM_ARRAY_SIZE(components)) {
        feature = components[lost];
    }
    return gw_error_set(errp, -EPROTO,
                        "the guest uses CPU state component %d (%s; %s "
                        "0x%llx), and 0x%llx are offered here",
                        lost, feature ? feature : "unknown", name,
                        (unsigned long long)value, (unsigned long long)offered);
}

int vmm_kvm_check_offer(const struct kvm_cpuid2 *cpuid,
                        const struct vmm_cpu *cpu, struct gw_error **errp)
{
    int r = check_components(cpuid, "XCR0", cpu->xcr0, errp);

    if (r == 0) {
        r = check_components(cpuid, "XSTATE_BV", cpu->xstate_bv, errp);
    }
    if (r == 0) {
        r = check_uses(cpuid, "CR4", cpu->cr4, cr4_uses,
                       VMM_ARRAY_SIZE(cr4_uses), errp);
    }
    if (r == 0) {
        r = check_uses(cpuid, "EFER", cpu->efer, efer_uses,
                       VMM_ARRAY_SIZE(efer_uses), errp);
    }
    return r;
}
