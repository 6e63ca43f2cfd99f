/*
 * The guest's time. kvmclock where KVM offers it, so that a migration has to
 * carry it; otherwise the TSC, with the frequency that CPUID tells or that is
 * measured against the LAPIC timer, which counts at 1 GHz under KVM and QEMU.
 */
#include "beat.h"

#include "cpu.h"

#define KVM_LEAF 0x40000000u
#define KVM_FEATURES (KVM_LEAF + 1)
#define KVM_TIMING (KVM_LEAF + 0x10)
#define FEATURE_CLOCKSOURCE_OLD (1u << 0)
#define FEATURE_CLOCKSOURCE (1u << 3)
#define MSR_SYSTEM_TIME_OLD 0x12
#define MSR_SYSTEM_TIME 0x4b564d01
#define FLAG_TSC_STABLE 1u
#define FLAG_GUEST_STOPPED 2u
/* How far a clock without FLAG_TSC_STABLE may step back and be forgiven. */
#define UNSTABLE_NS 100000000u
#define CALIBRATE_NS 20000000u

/* Linux: Documentation/virt/kvm/x86/msr.rst. Filled in by KVM. */
struct pvclock {
    uint32_t version; /* odd while it changes */
    uint32_t pad;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags;
    uint8_t pad2[2];
};

static struct pvclock pvclocks[BEAT_CPUS_MAX] __attribute__((aligned(64)));
static uint64_t pvclock_last; /* the latest time that any CPU was given */
static uint32_t pvclock_msr;  /* 0: no kvmclock */
static uint64_t tsc_khz;
static uint64_t tsc_start;
static uint64_t tsc_mul; /* ns = tsc * mul >> 32 */
static const char *name;

static bool is_kvm(void)
{
    struct cpuid r = cpuid(KVM_LEAF, 0);

    /* "KVMKVMKVM\0\0\0" */
    return (cpuid(1, 0).ecx & 1u << 31) && r.ebx == 0x4b4d564b &&
           r.ecx == 0x564b4d56 && r.edx == 0x4d;
}

static uint32_t find_pvclock_msr(void)
{
    uint32_t features = is_kvm() ? cpuid(KVM_FEATURES, 0).eax : 0;

    if (features & FEATURE_CLOCKSOURCE) {
        return MSR_SYSTEM_TIME;
    }
    return features & FEATURE_CLOCKSOURCE_OLD ? MSR_SYSTEM_TIME_OLD : 0;
}

static uint64_t scale(uint64_t value, uint64_t mul)
{
    return (uint64_t)((unsigned __int128)value * mul >> 32);
}

/*
 * Without FLAG_TSC_STABLE each CPU's clock is corrected on its own and now and
 * then, also backwards, and the guest has to keep time from doing so, as Linux
 * does. A step that is longer than any such correction is passed on, so that a
 * clock that was lost in a move is still found.
 */
static uint64_t pvclock_never_back(uint64_t ns)
{
    uint64_t last = __atomic_load_n(&pvclock_last, __ATOMIC_RELAXED);

    do {
        if (ns < last && last - ns <= UNSTABLE_NS) {
            return last;
        }
    } while (!__atomic_compare_exchange_n(&pvclock_last, &last, ns, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return ns;
}

static uint64_t pvclock_read(const volatile struct pvclock *clock)
{
    uint32_t version;
    uint8_t flags;
    uint64_t ns;

    do {
        uint64_t delta;

        version = clock->version & ~1u;
        delta = rdtsc() - clock->tsc_timestamp;
        delta =
            clock->shift < 0 ? delta >> -clock->shift : delta << clock->shift;
        ns = clock->system_time + scale(delta, clock->mul);
        flags = clock->flags;
    } while (version != clock->version);
    return flags & FLAG_TSC_STABLE ? ns : pvclock_never_back(ns);
}

static uint64_t pvclock_khz(const struct pvclock *clock)
{
    uint64_t khz = (UINT64_C(1000000) << 32) / clock->mul;

    return clock->shift < 0 ? khz << -clock->shift : khz >> clock->shift;
}

static uint64_t cpuid_khz(void)
{
    struct cpuid r;

    if ((cpuid(1, 0).ecx & 1u << 31) && cpuid(KVM_LEAF, 0).eax >= KVM_TIMING) {
        uint32_t khz = cpuid(KVM_TIMING, 0).eax;

        if (khz) {
            return khz;
        }
    }
    if (cpuid(0, 0).eax < 0x15) {
        return 0;
    }
    r = cpuid(0x15, 0);
    return r.eax ? (uint64_t)r.ecx * r.ebx / r.eax / 1000 : 0;
}

static uint64_t measure_khz(void)
{
    uint64_t start;
    uint32_t ns;

    beat_apic_count_start();
    start = rdtsc();
    do {
        ns = beat_apic_count_passed();
    } while (ns < CALIBRATE_NS);
    return (rdtsc() - start) * 1000000 / ns;
}

static void init_tsc(void)
{
    tsc_khz = cpuid_khz();
    name = "tsc";
    if (!tsc_khz) {
        tsc_khz = measure_khz();
        name = "tsc-measured";
    }
    tsc_mul = (UINT64_C(1000000) << 32) / tsc_khz;
    tsc_start = rdtsc();
}

/* On the first CPU, once. */
void beat_clock_init(void)
{
    pvclock_msr = find_pvclock_msr();
    if (!pvclock_msr) {
        init_tsc();
        return;
    }
    name = "kvmclock";
    beat_clock_init_cpu(0);
    while (*(const volatile uint32_t *)&pvclocks[0].mul == 0) {
        pause_a_little(); /* KVM fills it in before it runs us again */
    }
    tsc_khz = pvclock_khz(&pvclocks[0]);
}

/* On each of the other CPUs. */
void beat_clock_init_cpu(uint32_t cpu)
{
    if (pvclock_msr) {
        wrmsr(pvclock_msr, (uint64_t)(uintptr_t)&pvclocks[cpu] | 1);
    }
}

uint64_t beat_clock_now(uint32_t cpu)
{
    if (pvclock_msr) {
        return pvclock_read(&pvclocks[cpu]);
    }
    return scale(rdtsc() - tsc_start, tsc_mul) + 1;
}

/* Whether the host says that it had stopped us; asked once, told once. */
bool beat_clock_was_stopped(uint32_t cpu)
{
    volatile uint8_t *flags = &pvclocks[cpu].flags;

    if (!(*flags & FLAG_GUEST_STOPPED)) {
        return false;
    }
    __asm__ volatile("lock andb %1, %0"
                     : "+m"(*flags)
                     : "iq"((uint8_t)~FLAG_GUEST_STOPPED)
                     : "memory");
    return true;
}

uint64_t beat_clock_tsc_khz(void)
{
    return tsc_khz;
}

void beat_clock_wait(uint32_t cpu, uint64_t ns)
{
    uint64_t end = beat_clock_now(cpu) + ns;

    while (beat_clock_now(cpu) < end) {
        pause_a_little();
    }
}

const char *beat_clock_name(void)
{
    return name;
}
