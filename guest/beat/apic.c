/*
 * LAPIC and IOAPIC: the timer that ends a CPU's sleep, the interrupt of the
 * UART, and the messages that start other CPUs.
 */
#include "beat.h"

#include "cpu.h"

#define LAPIC UINT64_C(0xfee00000)
#define LAPIC_ID 0x20
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_SVR 0xf0
#define LAPIC_ICR_LOW 0x300
#define LAPIC_ICR_HIGH 0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE 0x3e0

#define LVT_MASKED 0x10000u
#define LVT_TSC_DEADLINE 0x40000u
#define SVR_ENABLE 0x100u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define ICR_PENDING 0x1000u
#define DIVIDE_BY_1 0xbu
#define MSR_TSC_DEADLINE 0x6e0

#define IOAPIC UINT64_C(0xfec00000)
#define IOAPIC_UART_PIN 4

/* Below the class of our vectors, and not 0, so that losing it shows. */
#define TPR 0x20u

/* No sleep is longer, so that neither form of the timer overflows. */
#define ARM_MAX_NS UINT64_C(1000000000)

static uint32_t lapic_read(uint32_t reg)
{
    return *(volatile uint32_t *)(uintptr_t)(LAPIC + reg);
}

static void lapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(LAPIC + reg) = value;
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC = reg;
    *(volatile uint32_t *)(uintptr_t)(IOAPIC + 0x10) = value;
}

static bool has_tsc_deadline(void)
{
    return cpuid(1, 0).ecx & 1u << 24;
}

const char *beat_apic_timer_name(void)
{
    if (beat_machine.poll) {
        return "none";
    }
    return has_tsc_deadline() ? "tsc-deadline" : "lapic";
}

void beat_apic_set_tpr(void)
{
    lapic_write(LAPIC_TPR, TPR);
}

void beat_apic_init(bool with_interrupts)
{
    uint32_t timer = BEAT_VECTOR_TIMER;

    lapic_write(LAPIC_SVR, SVR_ENABLE | BEAT_VECTOR_SPURIOUS);
    beat_apic_set_tpr();
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_MASKED);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    if (has_tsc_deadline()) {
        timer |= LVT_TSC_DEADLINE;
    }
    lapic_write(LAPIC_LVT_TIMER, with_interrupts ? timer : LVT_MASKED);
}

uint32_t beat_apic_id(void)
{
    return lapic_read(LAPIC_ID) >> 24;
}

/* The value found in TPR, less the one that belongs there. */
uint32_t beat_apic_tpr(void)
{
    return lapic_read(LAPIC_TPR) ^ TPR;
}

void beat_apic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

static void send(uint32_t apic_id, uint32_t command)
{
    lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
    lapic_write(LAPIC_ICR_LOW, command);
    while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING) {
        pause_a_little();
    }
}

/* INIT: the CPU waits for the address to start at. */
void beat_apic_start(uint32_t apic_id)
{
    send(apic_id, ICR_INIT);
}

/* Start in real mode at page `page`. */
void beat_apic_startup(uint32_t apic_id, uint32_t page)
{
    send(apic_id, ICR_STARTUP | page);
}

/* One timer interrupt in `ns`, at the earliest. */
void beat_apic_arm(uint64_t ns)
{
    ns = ns < ARM_MAX_NS ? ns : ARM_MAX_NS;
    if (has_tsc_deadline()) {
        uint64_t ticks = ns * beat_clock_tsc_khz() / 1000000;

        wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks + 1);
    } else {
        lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)ns + 1);
    }
}

/* Masks the old PICs, if any, and lets pin 4 interrupt this CPU. */
void beat_ioapic_route_uart(uint32_t apic_id)
{
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    ioapic_write(0x10 + 2 * IOAPIC_UART_PIN + 1, apic_id << 24);
    ioapic_write(0x10 + 2 * IOAPIC_UART_PIN, BEAT_VECTOR_UART);
}

/* Lets the timer count down without interrupt: it counts nanoseconds. */
void beat_apic_count_start(void)
{
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | BEAT_VECTOR_TIMER);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
}

uint32_t beat_apic_count_passed(void)
{
    return UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT);
}
