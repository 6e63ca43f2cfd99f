/*
 * The freestanding form of the guest: what its files offer to each other.
 *
 * Guest-physical memory:
 *
 *   0x008000  real-mode trampoline of the other CPUs (copied there)
 *   0x100000  this image: code, data, page tables, stacks (beat.ld)
 *   0x200000  the workload's state and memory, to the end of RAM
 *
 * The first 4 GiB are mapped one to one. The workload sees RAM through a
 * window at 512 GiB, in which low and high memory follow each other without
 * the gap below 4 GiB, as in the RAM block of the machine.
 */
#ifndef GW_GUEST_BEAT_BEAT_H
#define GW_GUEST_BEAT_BEAT_H

#include "layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the window begins: the second entry of the PML4. */
#define BEAT_WINDOW UINT64_C(0x8000000000)
#define BEAT_CMDLINE_MAX 2048u

/* What the machine is, found out once by the first CPU. */
struct beat_machine {
    char cmdline[BEAT_CMDLINE_MAX];  /* a copy, terminated */
    uint64_t ram_size;               /* bytes in the window */
    uint64_t rsdp;                   /* ACPI root pointer, 0 if not given */
    uint32_t n_cpus;                 /* CPUs to use */
    uint8_t apic_ids[BEAT_CPUS_MAX]; /* of each CPU; 0 is the first */
    bool poll;                       /* no interrupts: poll=on */
    bool poweroff_acpi;              /* end by the ACPI register */
    uint32_t registers;              /* which canaries: BEAT_REGISTERS_* */
};

#define BEAT_REGISTERS_OFF 0
#define BEAT_REGISTERS_BASIC 1
#define BEAT_REGISTERS_ON 2

extern struct beat_machine beat_machine;

/* boot.c */
void beat_boot_read(void);
const char *beat_cmdline_value(const char *key);
bool beat_cmdline_is(const char *key, const char *value);
uint64_t beat_cmdline_number(const char *key, uint64_t fallback);

/* firmware.c */
uint32_t beat_firmware_cpus(uint64_t rsdp, uint8_t *ret_apic_ids);

/* uart.c */
void beat_uart_init(void);
void beat_uart_write(const char *text, size_t len);
void beat_uart_read(void);

/* apic.c */
void beat_apic_init(bool with_interrupts);
uint32_t beat_apic_id(void);
uint32_t beat_apic_tpr(void);
void beat_apic_set_tpr(void);
void beat_apic_eoi(void);
void beat_apic_start(uint32_t apic_id);
void beat_apic_startup(uint32_t apic_id, uint32_t page);
void beat_apic_arm(uint64_t ns);
void beat_ioapic_route_uart(uint32_t apic_id);
void beat_apic_count_start(void);
uint32_t beat_apic_count_passed(void);
const char *beat_apic_timer_name(void);

/* clock.c */
void beat_clock_init(void);
void beat_clock_init_cpu(uint32_t cpu);
uint64_t beat_clock_now(uint32_t cpu);
bool beat_clock_was_stopped(uint32_t cpu);
uint64_t beat_clock_tsc_khz(void);
void beat_clock_wait(uint32_t cpu, uint64_t ns);
const char *beat_clock_name(void);

/* trap.c */
void beat_trap_init(uint32_t cpu);
bool beat_input_came(void);

/* canary.c */
void beat_canary_load(uint32_t cpu);
void beat_canary_check(uint32_t cpu);

/* smp.c */
void beat_smp_start(void);
void beat_smp_is_up(void);

/* main.c */
void beat_cpu_main(uint32_t cpu);
void beat_report_register(uint32_t cpu, const char *name, uint64_t expected,
                          uint64_t found);
void beat_take_input(const void *bytes, size_t n);
_Noreturn void beat_fail(const char *text);
_Noreturn void beat_end(void);

/* entry.S and trap.S */
extern uint64_t beat_pdpt[512];
extern uint64_t beat_pdpt_window[512];
extern uint32_t beat_start_info;
extern volatile uint32_t beat_starting_cpu;
extern const char beat_trampoline[];
extern const char beat_trampoline_end[];
extern const char beat_exception_stubs[];
extern const char beat_timer_stub[];
extern const char beat_uart_stub[];
extern const char beat_spurious_stub[];
extern const char beat_halt_insn[];
void beat_halt(void);

/* string.c */
size_t beat_strlen(const char *str);

#endif
