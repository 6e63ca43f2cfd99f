/*
 * The freestanding guest: what each CPU does from the first line of C to the
 * end. The workload itself is the core's.
 */
#include "beat.h"

#include "beat_core.h"
#include "beat_state.h"
#include "cpu.h"

#define ACPI_SLEEP_CONTROL UINT64_C(0xfea00200)
#define ACPI_SLEEP_S5 0x34u

_Static_assert(BEAT_CPUS_MAX == BEAT_MAX_CPUS, "one number, two names");

static char about[128];

static void *window(void)
{
    return (void *)(uintptr_t)BEAT_WINDOW; // NOLINT: mapped by boot.c
}

/* Each CPU has its operations, with its number for `opaque`. */
static uint32_t number_of(void *opaque)
{
    return (uint32_t)(uintptr_t)opaque;
}

static void op_write(void *opaque, const char *text, size_t len)
{
    beat_uart_write(text, len);
}

static uint64_t op_now(void *opaque)
{
    return beat_clock_now(number_of(opaque));
}

static void op_tick(void *opaque, uint32_t cpu)
{
    beat_canary_check(cpu);
}

void beat_report_register(uint32_t cpu, const char *name, uint64_t expected,
                          uint64_t found)
{
    beat_core_report_register(window(), beat_machine.ram_size, cpu, name,
                              expected, found);
}

void beat_take_input(const void *bytes, size_t n)
{
    beat_core_input(window(), beat_machine.ram_size, bytes, n);
}

/* Switches the machine off, or makes it reset. */
_Noreturn void beat_end(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt = {0, 0};

    irq_disable();
    if (beat_machine.poweroff_acpi) {
        *(volatile uint8_t *)(uintptr_t)ACPI_SLEEP_CONTROL = ACPI_SLEEP_S5;
    }
    __asm__ volatile("lidt %0; int3" : : "m"(no_idt));
    for (;;) {
        __asm__ volatile("hlt");
    }
}

_Noreturn void beat_fail(const char *text)
{
    beat_uart_write(text, beat_strlen(text));
    beat_uart_write("\n", 1);
    beat_end();
}

/* The number of CPUs and their ids; without any table, as they come. */
static void find_cpus(void)
{
    uint64_t given = beat_cmdline_number("cpus=", 0);
    uint32_t bsp = beat_apic_id();
    uint32_t n = 0;

    if (given == 0) {
        n = beat_firmware_cpus(beat_machine.rsdp, beat_machine.apic_ids);
    } else {
        n = given < BEAT_CPUS_MAX ? (uint32_t)given : BEAT_CPUS_MAX;
        for (uint32_t i = 0; i < n; i++) {
            beat_machine.apic_ids[i] = (uint8_t)i;
        }
    }
    /* CPU 0 is the one that runs already. */
    for (uint32_t i = 0; i < n; i++) {
        if (beat_machine.apic_ids[i] == bsp) {
            beat_machine.apic_ids[i] = beat_machine.apic_ids[0];
        }
    }
    beat_machine.apic_ids[0] = (uint8_t)bsp;
    beat_machine.n_cpus = n ? n : 1;
}

static void describe(void)
{
    struct beat_text text = {0};

    beat_text_str(&text, "clock=");
    beat_text_str(&text, beat_clock_name());
    beat_text_str(&text, " tsc-khz=");
    beat_text_u64(&text, beat_clock_tsc_khz());
    beat_text_str(&text, " timer=");
    beat_text_str(&text, beat_apic_timer_name());
    for (size_t i = 0; i < text.len && i < sizeof(about) - 1; i++) {
        about[i] = text.buf[i];
    }
}

static void start_first(void)
{
    int r;

    beat_boot_read();
    beat_uart_init();
    beat_trap_init(0);
    beat_apic_init(false);
    beat_clock_init();
    beat_apic_init(!beat_machine.poll);
    find_cpus();
    describe();
    beat_canary_load(0);
    r = beat_core_init(window(), beat_machine.ram_size, beat_machine.cmdline,
                       beat_machine.n_cpus);
    if (r < 0) {
        beat_fail(beat_core_strerror(r));
    }
    beat_ioapic_route_uart(beat_apic_id());
    beat_smp_start();
}

static void start_other(uint32_t cpu)
{
    beat_trap_init(cpu);
    beat_clock_init_cpu(cpu);
    beat_apic_init(!beat_machine.poll);
    beat_canary_load(cpu);
    beat_smp_is_up();
}

/* Until `ns` have passed or something was typed. */
static void idle_polling(uint32_t cpu, uint64_t ns)
{
    uint64_t end = beat_clock_now(cpu) + ns;

    while (beat_clock_now(cpu) < end) {
        if (cpu == 0) {
            beat_uart_read();
        }
        pause_a_little();
    }
}

static void idle(uint32_t cpu, uint64_t ns)
{
    if (beat_machine.poll) {
        idle_polling(cpu, ns);
        return;
    }
    irq_disable();
    if (cpu != 0 || !beat_input_came()) {
        beat_apic_arm(ns);
        beat_halt();
    }
    irq_enable();
}

static void loop(uint32_t cpu)
{
    const struct beat_ops ops = {.opaque = (void *)(uintptr_t)cpu,
                                 .about = about,
                                 .write = op_write,
                                 .now = op_now,
                                 .tick = op_tick};
    int r = BEAT_CONTINUE;

    while (r >= 0 && r != BEAT_DONE) {
        uint64_t ns = 0;

        if (cpu == 0 && beat_clock_was_stopped(cpu)) {
            beat_core_resumed(window(), beat_machine.ram_size);
        }
        r = beat_core_step(window(), beat_machine.ram_size, cpu, &ops, &ns);
        if (r == BEAT_IDLE) {
            idle(cpu, ns);
        } else if (beat_machine.poll && cpu == 0) {
            beat_uart_read();
        }
    }
    if (r < 0) {
        beat_fail(beat_core_strerror(r));
    }
}

/* Called by entry.S on the stack of this CPU. */
void beat_cpu_main(uint32_t cpu)
{
    if (cpu == 0) {
        start_first();
    } else {
        start_other(cpu);
    }
    if (!beat_machine.poll) {
        irq_enable();
    }
    loop(cpu);
    if (cpu == 0) {
        beat_end();
    }
    irq_disable();
}
