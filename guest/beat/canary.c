/*
 * Registers that nothing here uses, loaded with values of their own on every
 * CPU and looked at every tick: a migration must carry them.
 *
 * The program is compiled for general registers only, so that x87, SSE and
 * AVX stay untouched.
 */
#include "beat.h"

#include "beat_state.h"
#include "cpu.h"

#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_NE (1u << 5)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_OSXSAVE (1u << 18)
#define CPUID1_ECX_XSAVE (1u << 26)
#define CPUID1_ECX_AVX (1u << 28)
#define CPUID81_EDX_RDTSCP (1u << 27)
#define XCR0_X87_SSE_AVX 7u
#define MSR_TSC_AUX 0xc0000103u
/* Values that fit anywhere: canonical as an address, below 2^31. */
#define MASK_ADDRESS UINT64_C(0x7ffffffff000)
#define MASK_SMALL UINT64_C(0x7fffffff)
/* All breakpoints off, their kinds and lengths set nevertheless. */
#define DR7 UINT64_C(0xdddd0400)

/* The memory image of FXSAVE64. */
struct fx {
    uint16_t fcw;
    uint16_t fsw;
    uint8_t ftw;
    uint8_t reserved;
    uint16_t fop;
    uint64_t fip;
    uint64_t fdp;
    uint32_t mxcsr;
    uint32_t mxcsr_mask;
    uint64_t st[8][2];
    uint64_t xmm[16][2];
    uint64_t rest[12];
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct fx) == 512, "as FXSAVE writes it");

struct msr_canary {
    const char *name;
    uint32_t msr;
    uint64_t mask; /* of the bits that may be set */
};

/* In the order of their use. SYSCALL and SYSENTER are never executed. */
static const struct msr_canary msrs[] = {
    {"fs_base", 0xc0000100, MASK_ADDRESS},
    {"gs_base", 0xc0000101, MASK_ADDRESS},
    {"kernel_gs_base", 0xc0000102, MASK_ADDRESS},
    {"star", 0xc0000081, UINT64_C(0xfff8fff800000000)},
    {"lstar", 0xc0000082, MASK_ADDRESS},
    {"cstar", 0xc0000083, MASK_ADDRESS},
    {"sfmask", 0xc0000084, UINT64_C(0x47700)},
    {"sysenter_cs", 0x174, UINT64_C(0xfff8)},
    {"sysenter_esp", 0x175, MASK_SMALL},
    {"sysenter_eip", 0x176, MASK_SMALL},
    {"tsc_aux", MSR_TSC_AUX, MASK_SMALL},
};

#define N_MSRS (sizeof(msrs) / sizeof(msrs[0]))

/* As they were when the canaries were loaded. */
struct control {
    uint64_t cr0, cr4, efer, xcr0;
};

static struct control controls[BEAT_CPUS_MAX];
static bool damaged[BEAT_CPUS_MAX]; /* something was not as it was loaded */
static bool has_avx;
static bool has_tsc_aux;

void beat_ymm_load(const uint64_t halves[16][2]);
void beat_ymm_store(uint64_t halves[16][2]);

/* The value of register number `reg` of CPU `cpu`. */
static uint64_t value(uint32_t cpu, uint32_t reg)
{
    return beat_mix(UINT64_C(0xca0a00000000) + cpu * 1024 + reg);
}

static uint64_t msr_value(uint32_t cpu, size_t i)
{
    return value(cpu, 256 + (uint32_t)i) & msrs[i].mask;
}

static bool msr_exists(size_t i)
{
    return msrs[i].msr != MSR_TSC_AUX || has_tsc_aux;
}

static uint64_t dr_value(uint32_t cpu, uint32_t i)
{
    return value(cpu, 300 + i) & MASK_ADDRESS;
}

static uint64_t cr2_value(uint32_t cpu)
{
    return value(cpu, 310) & MASK_ADDRESS;
}

static uint64_t xgetbv(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void find_features(void)
{
    uint32_t ecx = cpuid(1, 0).ecx;

    has_avx = beat_machine.registers == BEAT_REGISTERS_ON &&
              (ecx & CPUID1_ECX_XSAVE) && (ecx & CPUID1_ECX_AVX);
    has_tsc_aux = cpuid(0x80000000, 0).eax >= 0x80000001 &&
                  (cpuid(0x80000001, 0).edx & CPUID81_EDX_RDTSCP);
}

static void enable_fpu(void)
{
    uint64_t cr0 = REGISTER_READ(cr0);
    uint64_t cr4 = REGISTER_READ(cr4) | CR4_OSFXSR | CR4_OSXMMEXCPT;

    cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
    REGISTER_WRITE(cr0, cr0 | CR0_MP | CR0_NE);
    REGISTER_WRITE(cr4, has_avx ? cr4 | CR4_OSXSAVE : cr4);
    if (has_avx) {
        __asm__ volatile("xsetbv" : : "c"(0), "a"(XCR0_X87_SSE_AVX), "d"(0));
    }
}

/* Eight full x87 registers, odd control words, sixteen XMM registers. */
static void make_fx(uint32_t cpu, struct fx *fx)
{
    *fx =
        (struct fx){.fcw = 0x0f7f, .fsw = 0x4500, .ftw = 0xff, .mxcsr = 0x7fa1};
    for (uint32_t i = 0; i < 8; i++) {
        /* normal numbers: the integer bit and a middling exponent */
        fx->st[i][0] = value(cpu, i) | UINT64_C(1) << 63;
        fx->st[i][1] = 0x3fff + i;
    }
    for (uint32_t i = 0; i < 16; i++) {
        fx->xmm[i][0] = value(cpu, 16 + 2 * i);
        fx->xmm[i][1] = value(cpu, 17 + 2 * i);
    }
}

static uint64_t ymm_value(uint32_t cpu, uint32_t i, uint32_t half)
{
    return value(cpu, 64 + 2 * i + half);
}

static void load_fpu(uint32_t cpu)
{
    uint64_t halves[16][2];
    struct fx fx;

    make_fx(cpu, &fx);
    __asm__ volatile("fxrstor64 %0" : : "m"(fx));
    if (!has_avx) {
        return;
    }
    for (uint32_t i = 0; i < 16; i++) {
        halves[i][0] = ymm_value(cpu, i, 0);
        halves[i][1] = ymm_value(cpu, i, 1);
    }
    beat_ymm_load((const uint64_t(*)[2])halves);
}

static void load_system(uint32_t cpu)
{
    for (size_t i = 0; i < N_MSRS; i++) {
        if (msr_exists(i)) {
            wrmsr(msrs[i].msr, msr_value(cpu, i));
        }
    }
    REGISTER_WRITE(dr0, dr_value(cpu, 0));
    REGISTER_WRITE(dr1, dr_value(cpu, 1));
    REGISTER_WRITE(dr2, dr_value(cpu, 2));
    REGISTER_WRITE(dr3, dr_value(cpu, 3));
    REGISTER_WRITE(dr7, DR7);
    REGISTER_WRITE(cr2, cr2_value(cpu));
}

void beat_canary_load(uint32_t cpu)
{
    if (beat_machine.registers == BEAT_REGISTERS_OFF) {
        return;
    }
    if (cpu == 0) {
        find_features();
    }
    enable_fpu();
    load_fpu(cpu);
    load_system(cpu);
    controls[cpu] = (struct control){.cr0 = REGISTER_READ(cr0),
                                     .cr4 = REGISTER_READ(cr4),
                                     .efer = rdmsr(0xc0000080),
                                     .xcr0 = has_avx ? xgetbv() : 0};
}

static void expect(uint32_t cpu, const char *name, uint64_t expected,
                   uint64_t found)
{
    if (found != expected) {
        damaged[cpu] = true;
        beat_report_register(cpu, name, expected, found);
    }
}

/* "xmm" and 12 give "xmm12"; `high` appends "h". */
static void expect_numbered(uint32_t cpu, const char *name, uint32_t i,
                            bool high, uint64_t expected, uint64_t found)
{
    struct beat_text text = {0};

    if (found == expected) {
        return;
    }
    beat_text_str(&text, name);
    beat_text_u64(&text, i);
    if (high) {
        beat_text_str(&text, "h");
    }
    text.buf[text.len] = '\0';
    expect(cpu, text.buf, expected, found);
}

static void check_fpu(uint32_t cpu)
{
    uint64_t halves[16][2];
    struct fx expected;
    struct fx fx;

    make_fx(cpu, &expected);
    __asm__ volatile("fxsave64 %0" : "=m"(fx));
    expect(cpu, "fcw", expected.fcw, fx.fcw);
    expect(cpu, "fsw", expected.fsw, fx.fsw);
    expect(cpu, "ftw", expected.ftw, fx.ftw);
    expect(cpu, "mxcsr", expected.mxcsr, fx.mxcsr);
    for (uint32_t i = 0; i < 8; i++) {
        expect_numbered(cpu, "st", i, false, expected.st[i][0], fx.st[i][0]);
        expect_numbered(cpu, "st", i, true, expected.st[i][1],
                        fx.st[i][1] & 0xffff);
    }
    for (uint32_t i = 0; i < 16; i++) {
        for (uint32_t half = 0; half < 2; half++) {
            expect_numbered(cpu, "xmm", i, half, expected.xmm[i][half],
                            fx.xmm[i][half]);
        }
    }
    if (!has_avx) {
        return;
    }
    beat_ymm_store(halves);
    for (uint32_t i = 0; i < 16; i++) {
        for (uint32_t half = 0; half < 2; half++) {
            expect_numbered(cpu, "ymm", i, half, ymm_value(cpu, i, half),
                            halves[i][half]);
        }
    }
}

static void check_system(uint32_t cpu)
{
    const struct control *control = &controls[cpu];

    for (size_t i = 0; i < N_MSRS; i++) {
        if (msr_exists(i)) {
            expect(cpu, msrs[i].name, msr_value(cpu, i), rdmsr(msrs[i].msr));
        }
    }
    expect_numbered(cpu, "dr", 0, false, dr_value(cpu, 0), REGISTER_READ(dr0));
    expect_numbered(cpu, "dr", 1, false, dr_value(cpu, 1), REGISTER_READ(dr1));
    expect_numbered(cpu, "dr", 2, false, dr_value(cpu, 2), REGISTER_READ(dr2));
    expect_numbered(cpu, "dr", 3, false, dr_value(cpu, 3), REGISTER_READ(dr3));
    expect(cpu, "dr7", DR7, REGISTER_READ(dr7));
    expect(cpu, "cr2", cr2_value(cpu), REGISTER_READ(cr2));
    expect(cpu, "cr0", control->cr0, REGISTER_READ(cr0));
    expect(cpu, "cr4", control->cr4, REGISTER_READ(cr4));
    expect(cpu, "efer", control->efer, rdmsr(0xc0000080));
    expect(cpu, "xcr0", control->xcr0, has_avx ? xgetbv() : 0);
    expect(cpu, "tpr", 0, beat_apic_tpr());
}

/* What was lost is reported, and then loaded again: it is counted once. */
void beat_canary_check(uint32_t cpu)
{
    if (beat_machine.registers == BEAT_REGISTERS_OFF) {
        return;
    }
    damaged[cpu] = false;
    check_fpu(cpu);
    check_system(cpu);
    if (damaged[cpu]) {
        beat_apic_set_tpr();
        beat_canary_load(cpu);
    }
}
