/*
 * What is printed of a vCPU that cannot go on.
 */
#include "kvm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct vmm_cpu *cpu)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(to);
    vmm_kvm_report_print(to, cpu);
    fclose(to);
    return text;
}

/* In the order of their numbers; segments with their attributes. */
static void test_report__registers(void **state)
{
    struct vmm_cpu cpu;
    char *text;

    vmm_cpu_init(&cpu);
    for (uint64_t i = 0; i < 16; i++) {
        cpu.regs[i] = 0x1000 + i;
    }
    cpu.rip = 0xffffffff81000000;
    cpu.rflags = 2;
    cpu.cr0 = 0x80050033;
    cpu.cr2 = 0xdead000;
    cpu.cr3 = 0x1000;
    cpu.cr4 = 0x20;
    cpu.efer = 0x500;
    cpu.segments[VMM_CS] = (struct vmm_segment){
        .selector = 0x10, .limit = UINT32_MAX, .flags = 0xa09b00};
    cpu.segments[VMM_SS] = (struct vmm_segment){
        .selector = 0x18, .limit = UINT32_MAX, .flags = 0xc09300};
    cpu.tr = (struct vmm_segment){
        .selector = 0x20, .base = 0x5000, .limit = 0x67, .flags = 0x8b00};
    cpu.gdt = (struct vmm_segment){.base = 0x6000, .limit = 0x7f};
    cpu.idt = (struct vmm_segment){.base = 0x7000, .limit = 0xfff};
    text = printed(&cpu);
    assert_string_equal(
        text, "  rax 0000000000001000  rcx 0000000000001001"
              "  rdx 0000000000001002  rbx 0000000000001003\n"
              "  rsp 0000000000001004  rbp 0000000000001005"
              "  rsi 0000000000001006  rdi 0000000000001007\n"
              "  r8 0000000000001008  r9 0000000000001009"
              "  r10 000000000000100a  r11 000000000000100b\n"
              "  r12 000000000000100c  r13 000000000000100d"
              "  r14 000000000000100e  r15 000000000000100f\n"
              "  rip ffffffff81000000  rflags 0000000000000002  cr0 80050033"
              "  cr2 dead000  cr3 1000  cr4 20  efer 500\n"
              "  cs 0010  base 0000000000000000  limit ffffffff  flags a09b00\n"
              "  ss 0018  base 0000000000000000  limit ffffffff  flags c09300\n"
              "  tr 0020  base 0000000000005000  limit 00000067  flags 008b00\n"
              "  gdt base 0000000000006000  limit 007f\n"
              "  idt base 0000000000007000  limit 0fff\n");
    free(text);
}

static void test_report__events_only_if_there_are_some(void **state)
{
    struct vmm_cpu cpu;
    char *text;

    vmm_cpu_init(&cpu);
    text = printed(&cpu);
    assert_null(strstr(text, "on its way"));
    free(text);
    cpu.exception_nr = 0;
    cpu.interrupt_injected = 64;
    text = printed(&cpu);
    assert_non_null(strstr(text, "  exception 0 on its way\n"));
    assert_non_null(strstr(text, "  interrupt 64 on its way\n"));
    free(text);
}

/* Where an x86 processor begins: 16 bytes below 4 GiB, in real mode. */
static void test_report__reset_is_known_by_where_it_begins(void **state)
{
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    cpu.rip = 0xfff0;
    cpu.segments[VMM_CS].base = 0xffff0000;
    cpu.cr0 = 0x60000010;
    assert_true(vmm_kvm_report_is_reset(&cpu));
    cpu.cr0 |= VMM_CR0_PE;
    assert_false(vmm_kvm_report_is_reset(&cpu));
    cpu.cr0 = 0x60000010;
    cpu.rip++;
    assert_false(vmm_kvm_report_is_reset(&cpu));
    cpu.rip--;
    cpu.segments[VMM_CS].base = 0xf0000;
    assert_false(vmm_kvm_report_is_reset(&cpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report__registers),
        cmocka_unit_test(test_report__events_only_if_there_are_some),
        cmocka_unit_test(test_report__reset_is_known_by_where_it_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
