/*
 * Descriptor tables, exceptions (all of them fatal) and interrupts.
 */
#include "beat.h"

#include "beat_state.h"
#include "cpu.h"

/* As trap.S pushes it, the last one first. */
struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint16_t type; /* present, 64 bit interrupt gate */
    uint16_t offset_mid;
    uint32_t offset_high;
    uint32_t zero;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* Of no use but to be there: we never change the privilege level. */
struct tss {
    uint8_t bytes[104];
} __attribute__((aligned(16)));

#define GDT_ENTRIES (BEAT_TSS / 8 + 2 * BEAT_CPUS_MAX)
#define N_GATES 256

static uint64_t gdt[GDT_ENTRIES];
static struct gate idt[N_GATES];
static struct tss tss[BEAT_CPUS_MAX];
static volatile bool input_came;

void beat_trap(struct frame *frame);

static void set_gate(uint32_t vector, const char *stub)
{
    uint64_t addr = (uint64_t)(uintptr_t)stub;

    idt[vector] = (struct gate){.offset_low = (uint16_t)addr,
                                .selector = BEAT_CODE64,
                                .type = 0x8e00,
                                .offset_mid = (uint16_t)(addr >> 16),
                                .offset_high = (uint32_t)(addr >> 32)};
}

static void fill_tables(void)
{
    gdt[BEAT_CODE64 / 8] = UINT64_C(0x00af9b000000ffff);
    gdt[BEAT_DATA / 8] = UINT64_C(0x00cf93000000ffff);
    gdt[BEAT_CODE32 / 8] = UINT64_C(0x00cf9b000000ffff);
    for (uint32_t i = 0; i < 32; i++) {
        set_gate(i, beat_exception_stubs + 16 * i);
    }
    set_gate(BEAT_VECTOR_TIMER, beat_timer_stub);
    set_gate(BEAT_VECTOR_UART, beat_uart_stub);
    set_gate(BEAT_VECTOR_SPURIOUS, beat_spurious_stub);
}

/* An available 64 bit TSS of 104 bytes for CPU `cpu`. */
static void set_tss(uint32_t cpu)
{
    uint64_t base = (uint64_t)(uintptr_t)&tss[cpu];
    uint64_t *entry = &gdt[BEAT_TSS / 8 + 2 * cpu];

    entry[0] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 |
               UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
    entry[1] = base >> 32;
}

void beat_trap_init(uint32_t cpu)
{
    struct table_pointer gdt_pointer = {sizeof(gdt) - 1,
                                        (uint64_t)(uintptr_t)gdt};
    struct table_pointer idt_pointer = {sizeof(idt) - 1,
                                        (uint64_t)(uintptr_t)idt};
    uint16_t tr = (uint16_t)(BEAT_TSS + 16 * cpu);

    if (cpu == 0) {
        fill_tables();
    }
    set_tss(cpu);
    __asm__ volatile("lgdt %0" : : "m"(gdt_pointer) : "memory");
    __asm__ volatile("lidt %0" : : "m"(idt_pointer) : "memory");
    __asm__ volatile("ltr %0" : : "r"(tr));
}

/* Whether something was typed since the last call. */
bool beat_input_came(void)
{
    bool came = input_came;

    input_came = false;
    return came;
}

static void write_bare(void *opaque, const char *text, size_t len)
{
    beat_uart_write(text, len);
}

_Noreturn static void die(const struct frame *frame)
{
    const struct beat_ops ops = {.write = write_bare};
    struct beat_text text = {0};

    beat_text_str(&text, "beat: ERROR exception ");
    beat_text_u64(&text, frame->vector);
    beat_text_str(&text, " code ");
    beat_text_hex(&text, frame->error);
    beat_text_str(&text, " rip ");
    beat_text_hex(&text, frame->rip);
    beat_text_str(&text, " rsp ");
    beat_text_hex(&text, frame->rsp);
    beat_text_str(&text, " cr2 ");
    beat_text_hex(&text, REGISTER_READ(cr2));
    beat_text_flush(&text, &ops);
    beat_end();
}

/* Called by trap.S with interrupts off. */
void beat_trap(struct frame *frame)
{
    switch (frame->vector) {
    case BEAT_VECTOR_UART:
        beat_uart_read();
        input_came = true;
        beat_apic_eoi();
        break;
    case BEAT_VECTOR_TIMER:
        beat_apic_eoi();
        break;
    case BEAT_VECTOR_SPURIOUS:
        return;
    default:
        die(frame);
    }
    if (frame->rip == (uint64_t)(uintptr_t)beat_halt_insn) {
        frame->rip++; /* see beat_halt */
    }
}
