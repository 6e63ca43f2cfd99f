/*
 * What a vCPU was doing when it could not go on, for people.
 */
#include "kvm.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "machine.h"
#include "util.h"

/* Where x86 starts after a reset. */
#define RESET_CS_BASE 0xffff0000u
#define RESET_RIP 0xfff0u
/* The longest instruction has 15 bytes. */
#define CODE_BYTES 16u
#define PAGE_BYTES 4096u

static void print_general(FILE *to, const struct vmm_cpu *cpu)
{
    static const char *const names[] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

    for (size_t i = 0; i < VMM_ARRAY_SIZE(names); i++) {
        fprintf(to, "  %s %016" PRIx64 "%s", names[i], cpu->regs[i],
                i % 4 == 3 ? "\n" : "");
    }
}

static void print_segment(FILE *to, const char *name,
                          const struct vmm_segment *segment)
{
    fprintf(to,
            "  %s %04" PRIx32 "  base %016" PRIx64 "  limit %08" PRIx32
            "  flags %06" PRIx32 "\n",
            name, segment->selector, segment->base, segment->limit,
            segment->flags);
}

static void print_table(FILE *to, const char *name,
                        const struct vmm_segment *table)
{
    fprintf(to, "  %s base %016" PRIx64 "  limit %04" PRIx32 "\n", name,
            table->base, table->limit);
}

void vmm_kvm_report_print(FILE *to, const struct vmm_cpu *cpu)
{
    print_general(to, cpu);
    fprintf(to,
            "  rip %016" PRIx64 "  rflags %016" PRIx64 "  cr0 %" PRIx64
            "  cr2 %" PRIx64 "  cr3 %" PRIx64 "  cr4 %" PRIx64 "  efer %" PRIx64
            "\n",
            cpu->rip, cpu->rflags, cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4,
            cpu->efer);
    print_segment(to, "cs", &cpu->segments[VMM_CS]);
    print_segment(to, "ss", &cpu->segments[VMM_SS]);
    print_segment(to, "tr", &cpu->tr);
    print_table(to, "gdt", &cpu->gdt);
    print_table(to, "idt", &cpu->idt);
    if (cpu->exception_nr >= 0) {
        fprintf(to, "  exception %" PRId32 " on its way\n", cpu->exception_nr);
    }
    if (cpu->interrupt_injected >= 0) {
        fprintf(to, "  interrupt %" PRId32 " on its way\n",
                cpu->interrupt_injected);
    }
}

bool vmm_kvm_report_is_reset(const struct vmm_cpu *cpu)
{
    return cpu->rip == RESET_RIP &&
           cpu->segments[VMM_CS].base == RESET_CS_BASE &&
           !(cpu->cr0 & VMM_CR0_PE);
}

static void print_code(FILE *to, const struct vmm_kvm_vcpu *vcpu)
{
    const struct vmm_cpu *cpu = &vcpu->cpu;
    struct kvm_translation at = {.linear_address =
                                     cpu->segments[VMM_CS].base + cpu->rip};
    const uint8_t *code;
    uint64_t in_page;
    uint64_t bytes;

    if (ioctl(vcpu->fd, KVM_TRANSLATE, &at) < 0 || !at.valid) {
        fputs("  no page is mapped at rip\n", to);
        return;
    }
    code = vmm_guest_memory_from(&vcpu->kvm->machine->guest_memory,
                                 at.physical_address, &bytes);
    if (!code) {
        fprintf(to, "  rip is at physical address %" PRIx64 ", no RAM\n",
                (uint64_t)at.physical_address);
        return;
    }
    /* The next page may be mapped to anywhere. */
    in_page = PAGE_BYTES - at.physical_address % PAGE_BYTES;
    bytes = bytes < in_page ? bytes : in_page;
    fputs("  code at rip", to);
    for (uint64_t i = 0; i < CODE_BYTES && i < bytes; i++) {
        fprintf(to, " %02x", code[i]);
    }
    fputc('\n', to);
}

static int read_back(struct vmm_kvm_vcpu *vcpu)
{
    return vmm_kvm_get_events(vcpu, NULL) < 0 ||
                   vmm_kvm_get_regs(vcpu, NULL) < 0 ||
                   vmm_kvm_get_sregs(vcpu, NULL) < 0
               ? -1
               : 0;
}

/*
 * AMD's processors leave nothing of a guest that had a triple fault, and KVM
 * resets the vCPU. What it had when it was started last is all that is left:
 * of use after a restore, and of little later.
 */
void vmm_kvm_report(struct vmm_kvm_vcpu *vcpu)
{
    struct vmm_cpu started = vcpu->cpu;

    if (read_back(vcpu) < 0) {
        return;
    }
    flockfile(stderr);
    if (vmm_kvm_report_is_reset(&vcpu->cpu)) {
        fputs("  its registers are lost; when it was started last it had\n",
              stderr);
        vmm_kvm_report_print(stderr, &started);
    } else {
        vmm_kvm_report_print(stderr, &vcpu->cpu);
        print_code(stderr, vcpu);
    }
    funlockfile(stderr);
}
