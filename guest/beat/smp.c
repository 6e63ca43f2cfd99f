/*
 * Starting the other CPUs, one after the other.
 */
#include "beat.h"

#include "beat_state.h"
#include "cpu.h"

#define INIT_WAIT_NS UINT64_C(10000000)
#define STARTUP_WAIT_NS UINT64_C(200000)
/* Generous: some machines execute very slowly. */
#define ONLINE_WAIT_NS UINT64_C(10000000000)

static volatile uint32_t n_online = 1;

/* Each CPU says so when it needs the start data no more. */
void beat_smp_is_up(void)
{
    __atomic_add_fetch(&n_online, 1, __ATOMIC_RELEASE);
}

static void copy_trampoline(void)
{
    volatile char *to = (volatile char *)(uintptr_t)BEAT_TRAMPOLINE;

    for (const char *from = beat_trampoline; from < beat_trampoline_end;) {
        *to++ = *from++;
    }
}

static bool wait_online(uint32_t cpu, uint64_t ns)
{
    uint64_t end = beat_clock_now(0) + ns;

    while (n_online <= cpu) {
        if (beat_clock_now(0) > end) {
            return false;
        }
        pause_a_little();
    }
    return true;
}

/* As Intel's MP specification wants it: INIT, then STARTUP twice. */
static bool start(uint32_t cpu)
{
    uint32_t apic_id = beat_machine.apic_ids[cpu];

    beat_starting_cpu = cpu;
    beat_apic_start(apic_id);
    beat_clock_wait(0, INIT_WAIT_NS);
    beat_apic_startup(apic_id, BEAT_TRAMPOLINE >> 12);
    if (wait_online(cpu, STARTUP_WAIT_NS)) {
        return true;
    }
    beat_apic_startup(apic_id, BEAT_TRAMPOLINE >> 12);
    return wait_online(cpu, ONLINE_WAIT_NS);
}

void beat_smp_start(void)
{
    copy_trampoline();
    for (uint32_t cpu = 1; cpu < beat_machine.n_cpus; cpu++) {
        if (!start(cpu)) {
            beat_fail("beat: ERROR a cpu does not start");
        }
    }
}
