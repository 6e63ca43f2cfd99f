/*
 * CPU features: what the source's vCPU offers its guest must be there at the
 * destination too. Only registers whose bits are features are compared; the
 * rest of CPUID (topology, caches, sizes, names) may differ.
 */
#include "vmstate/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

enum {
    EAX,
    EBX,
    ECX,
    EDX,
};

/* A register of feature bits. Leaves of Intel's and AMD's manuals. */
static const struct feature_word {
    uint32_t leaf;
    uint32_t subleaf;
    unsigned int which; /* EAX to EDX */
    uint32_t ignored;   /* bits that are no features */
    /*
     * Bits of what a guest has to switch on, by a register that is in the
     * stream: a destination without it refuses the guest.
     */
    uint32_t switched;
} words[] = {
    /* OSXSAVE follows CR4; VMX has CR4.VMXE */
    {1, 0, ECX, 1u << 27, 1u << 5},
    /* APIC follows its base register; HTT is about the topology */
    {1, 0, EDX, 1u << 9 | 1u << 28},
    {7, 0, EBX, 0},
    /* OSPKE follows CR4 */
    {7, 0, ECX, 1u << 4},
    {7, 0, EDX, 0},
    {7, 1, EAX, 0},
    {7, 1, EDX, 0},
    /* components of XCR0 */
    {0xd, 0, EAX, 0},
    {0xd, 1, EAX, 0},
    /* KVM's own */
    {0x40000001, 0, EAX, 0},
    /* CmpLegacy is about the topology; SVM has EFER.SVME */
    {0x80000001, 0, ECX, 1u << 1, 1u << 2},
    /* AMD repeats bits of leaf 1 here, Intel does not */
    {0x80000001, 0, EDX, 0x0183f3ff},
    {0x80000007, 0, EDX, 0},
    {0x80000008, 0, EBX, 0},
};

/* QEMU's names; others are called by leaf and bit. */
static const struct feature_name {
    uint32_t leaf;
    uint32_t subleaf;
    unsigned int which;
    unsigned int bit;
    const char *name;
} names[] = {
    {1, 0, ECX, 0, "sse3"},
    {1, 0, ECX, 1, "pclmulqdq"},
    {1, 0, ECX, 5, "vmx"},
    {1, 0, ECX, 9, "ssse3"},
    {1, 0, ECX, 12, "fma"},
    {1, 0, ECX, 13, "cx16"},
    {1, 0, ECX, 17, "pcid"},
    {1, 0, ECX, 19, "sse4.1"},
    {1, 0, ECX, 20, "sse4.2"},
    {1, 0, ECX, 21, "x2apic"},
    {1, 0, ECX, 22, "movbe"},
    {1, 0, ECX, 23, "popcnt"},
    {1, 0, ECX, 24, "tsc-deadline"},
    {1, 0, ECX, 25, "aes"},
    {1, 0, ECX, 26, "xsave"},
    {1, 0, ECX, 28, "avx"},
    {1, 0, ECX, 29, "f16c"},
    {1, 0, ECX, 30, "rdrand"},
    {7, 0, EBX, 0, "fsgsbase"},
    {7, 0, EBX, 1, "tsc-adjust"},
    {7, 0, EBX, 3, "bmi1"},
    {7, 0, EBX, 4, "hle"},
    {7, 0, EBX, 5, "avx2"},
    {7, 0, EBX, 7, "smep"},
    {7, 0, EBX, 8, "bmi2"},
    {7, 0, EBX, 9, "erms"},
    {7, 0, EBX, 10, "invpcid"},
    {7, 0, EBX, 11, "rtm"},
    {7, 0, EBX, 14, "mpx"},
    {7, 0, EBX, 16, "avx512f"},
    {7, 0, EBX, 17, "avx512dq"},
    {7, 0, EBX, 18, "rdseed"},
    {7, 0, EBX, 19, "adx"},
    {7, 0, EBX, 20, "smap"},
    {7, 0, EBX, 21, "avx512ifma"},
    {7, 0, EBX, 23, "clflushopt"},
    {7, 0, EBX, 24, "clwb"},
    {7, 0, EBX, 28, "avx512cd"},
    {7, 0, EBX, 29, "sha-ni"},
    {7, 0, EBX, 30, "avx512bw"},
    {7, 0, EBX, 31, "avx512vl"},
    {7, 0, ECX, 1, "avx512vbmi"},
    {7, 0, ECX, 2, "umip"},
    {7, 0, ECX, 3, "pku"},
    {7, 0, ECX, 5, "waitpkg"},
    {7, 0, ECX, 6, "avx512vbmi2"},
    {7, 0, ECX, 8, "gfni"},
    {7, 0, ECX, 9, "vaes"},
    {7, 0, ECX, 10, "vpclmulqdq"},
    {7, 0, ECX, 11, "avx512vnni"},
    {7, 0, ECX, 12, "avx512bitalg"},
    {7, 0, ECX, 14, "avx512-vpopcntdq"},
    {7, 0, ECX, 16, "la57"},
    {7, 0, ECX, 22, "rdpid"},
    {7, 0, ECX, 25, "cldemote"},
    {7, 0, ECX, 27, "movdiri"},
    {7, 0, ECX, 28, "movdir64b"},
    {7, 0, EDX, 4, "fsrm"},
    {7, 0, EDX, 10, "md-clear"},
    {7, 0, EDX, 14, "serialize"},
    {7, 0, EDX, 26, "spec-ctrl"},
    {7, 0, EDX, 27, "stibp"},
    {7, 0, EDX, 28, "flush-l1d"},
    {7, 0, EDX, 31, "ssbd"},
    {7, 1, EAX, 4, "avx-vnni"},
    {7, 1, EAX, 5, "avx512-bf16"},
    {7, 1, EAX, 10, "fzrm"},
    {7, 1, EAX, 11, "fsrs"},
    {7, 1, EAX, 12, "fsrc"},
    {0xd, 1, EAX, 0, "xsaveopt"},
    {0xd, 1, EAX, 1, "xsavec"},
    {0xd, 1, EAX, 2, "xgetbv1"},
    {0xd, 1, EAX, 3, "xsaves"},
    {0x40000001, 0, EAX, 1, "kvm-nopiodelay"},
    {0x40000001, 0, EAX, 4, "kvm-asyncpf"},
    {0x40000001, 0, EAX, 5, "kvm-steal-time"},
    {0x40000001, 0, EAX, 6, "kvm-pv-eoi"},
    {0x40000001, 0, EAX, 7, "kvm-pv-unhalt"},
    {0x40000001, 0, EAX, 9, "kvm-pv-tlb-flush"},
    {0x40000001, 0, EAX, 10, "kvm-asyncpf-vmexit"},
    {0x40000001, 0, EAX, 11, "kvm-pv-ipi"},
    {0x40000001, 0, EAX, 12, "kvm-poll-control"},
    {0x40000001, 0, EAX, 13, "kvm-pv-sched-yield"},
    {0x40000001, 0, EAX, 14, "kvm-asyncpf-int"},
    {0x40000001, 0, EAX, 15, "kvm-msi-ext-dest-id"},
    {0x40000001, 0, EAX, 24, "kvmclock-stable-bit"},
    {0x80000001, 0, ECX, 0, "lahf-lm"},
    {0x80000001, 0, ECX, 2, "svm"},
    {0x80000001, 0, ECX, 4, "cr8legacy"},
    {0x80000001, 0, ECX, 5, "abm"},
    {0x80000001, 0, ECX, 6, "sse4a"},
    {0x80000001, 0, ECX, 7, "misalignsse"},
    {0x80000001, 0, ECX, 8, "3dnowprefetch"},
    {0x80000001, 0, ECX, 9, "osvw"},
    {0x80000001, 0, ECX, 16, "fma4"},
    {0x80000001, 0, ECX, 21, "tbm"},
    {0x80000001, 0, EDX, 11, "syscall"},
    {0x80000001, 0, EDX, 20, "nx"},
    {0x80000001, 0, EDX, 22, "mmxext"},
    {0x80000001, 0, EDX, 25, "fxsr-opt"},
    {0x80000001, 0, EDX, 26, "pdpe1gb"},
    {0x80000001, 0, EDX, 27, "rdtscp"},
    {0x80000001, 0, EDX, 29, "lm"},
    {0x80000001, 0, EDX, 30, "3dnowext"},
    {0x80000001, 0, EDX, 31, "3dnow"},
    {0x80000007, 0, EDX, 8, "invtsc"},
    {0x80000008, 0, EBX, 0, "clzero"},
    {0x80000008, 0, EBX, 2, "xsaveerptr"},
    {0x80000008, 0, EBX, 9, "wbnoinvd"},
    {0x80000008, 0, EBX, 12, "ibpb"},
    {0x80000008, 0, EBX, 14, "ibrs"},
    {0x80000008, 0, EBX, 15, "amd-stibp"},
    {0x80000008, 0, EBX, 24, "amd-ssbd"},
    {0x80000008, 0, EBX, 25, "virt-ssbd"},
};

static uint32_t value_of(const struct gw_compat_machine *machine,
                         const struct feature_word *word)
{
    size_t i;

    for (i = 0; i < machine->n_leaves; i++) {
        if (machine->leaves[i].leaf == word->leaf &&
            machine->leaves[i].subleaf == word->subleaf) {
            return machine->leaves[i].registers[word->which];
        }
    }
    return 0;
}

static const char *name_of(const struct feature_word *word, unsigned int bit)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(names); i++) {
        if (names[i].leaf == word->leaf && names[i].subleaf == word->subleaf &&
            names[i].which == word->which && names[i].bit == bit) {
            return names[i].name;
        }
    }
    return NULL;
}

bool gw_cpu_feature_find(const char *name, struct gw_cpu_feature *ret_feature)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(names); i++) {
        if (strcmp(names[i].name, name) == 0) {
            *ret_feature = (struct gw_cpu_feature){.leaf = names[i].leaf,
                                                   .subleaf = names[i].subleaf,
                                                   .which = names[i].which,
                                                   .bit = names[i].bit};
            return true;
        }
    }
    return false;
}

static void missing(struct gw_compat_report *report,
                    const struct feature_word *word, unsigned int bit)
{
    static const char *const registers[] = {"eax", "ebx", "ecx", "edx"};
    const char *name = name_of(word, bit);
    bool is_seen = word->switched & 1u << bit;

    gw_compat_add(report, is_seen ? GW_COMPAT_DIFFERS : GW_COMPAT_STOPS,
                  GW_COMPAT_ABOUT_CPU, NULL,
                  "CPU feature %s%s(CPUID %#x.%u, bit %u of %s) of the source "
                  "is missing at the destination%s",
                  name ? name : "", name ? " " : "", word->leaf, word->subleaf,
                  bit, registers[word->which],
                  is_seen ? ", which refuses a guest that has guests of its own"
                          : "");
}

static void check_word(const struct gw_compat_machine *source,
                       const struct gw_compat_machine *destination,
                       const struct feature_word *word,
                       struct gw_compat_report *report)
{
    uint32_t lost =
        value_of(source, word) & ~value_of(destination, word) & ~word->ignored;
    unsigned int bit;

    for (bit = 0; bit < 32; bit++) {
        if (lost & 1u << bit) {
            missing(report, word, bit);
        }
    }
}

/* EAX and EBX to EDX of leaf 0: who made it. */
static void check_vendor(const struct gw_compat_machine *source,
                         const struct gw_compat_machine *destination,
                         struct gw_compat_report *report)
{
    static const struct feature_word vendor[] = {
        {0, 0, EBX, 0}, {0, 0, EDX, 0}, {0, 0, ECX, 0}};
    char from[13] = "", to[13] = "";
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(vendor); i++) {
        uint32_t a = value_of(source, &vendor[i]);
        uint32_t b = value_of(destination, &vendor[i]);

        memcpy(from + 4 * i, &a, sizeof(a));
        memcpy(to + 4 * i, &b, sizeof(b));
    }
    if (strcmp(from, to) != 0) {
        gw_compat_add(report, GW_COMPAT_DIFFERS, GW_COMPAT_ABOUT_CPU, NULL,
                      "the CPU's vendor is '%s' at the source, '%s' at the "
                      "destination",
                      from, to);
    }
}

void gw_compat_check_cpu(const struct gw_compat_machine *source,
                         const struct gw_compat_machine *destination,
                         struct gw_compat_report *report)
{
    size_t i;

    if (!source->knows_cpu || !destination->knows_cpu) {
        gw_compat_add(
            report, GW_COMPAT_UNKNOWN, GW_COMPAT_ABOUT_CPU, NULL,
            "the CPU features of the %s",
            gw_compat_who(!source->knows_cpu, !destination->knows_cpu));
        return;
    }
    check_vendor(source, destination, report);
    for (i = 0; i < GW_ARRAY_SIZE(words); i++) {
        check_word(source, destination, &words[i], report);
    }
}
