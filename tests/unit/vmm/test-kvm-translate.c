/*
 * Translation between KVM's structures and the saved state, and `kvmclock`.
 */
#include "kvm.h"

#include "vmstate-helpers.h"

static void test_kvm__general_registers(void **state)
{
    struct kvm_regs regs = {.rax = 0,
                            .rcx = 1,
                            .rdx = 2,
                            .rbx = 3,
                            .rsp = 4,
                            .rbp = 5,
                            .rsi = 6,
                            .rdi = 7,
                            .r8 = 8,
                            .r9 = 9,
                            .r10 = 10,
                            .r11 = 11,
                            .r12 = 12,
                            .r13 = 13,
                            .r14 = 14,
                            .r15 = 15,
                            .rip = 16,
                            .rflags = 17};
    struct kvm_regs back = {0};
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    vmm_kvm_regs_to_cpu(&regs, &cpu);
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(cpu.regs[i], i);
    }
    assert_int_equal(cpu.rip, 16);
    assert_int_equal(cpu.rflags, 17);
    vmm_kvm_regs_from_cpu(&cpu, &back);
    assert_memory_equal(&back, &regs, sizeof(regs));
}

static void test_kvm__system_registers(void **state)
{
    struct kvm_sregs2 sregs = {.cr0 = 0x80050033,
                               .cr2 = 2,
                               .cr3 = 3,
                               .cr4 = 4,
                               .cr8 = 5,
                               .efer = 0xd01,
                               .apic_base = 0xfee00900};
    struct kvm_sregs2 back;
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    sregs.cs = (struct kvm_segment){.limit = UINT32_MAX,
                                    .selector = 0x10,
                                    .type = 11,
                                    .present = 1,
                                    .s = 1,
                                    .l = 1,
                                    .g = 1};
    sregs.fs = (struct kvm_segment){
        .base = 0x1234, .limit = 5, .type = 3, .s = 1, .unusable = 1};
    sregs.tr = (struct kvm_segment){.base = 0x4000,
                                    .limit = 0x67,
                                    .selector = 0x40,
                                    .type = 11,
                                    .present = 1};
    /* Not in use: KVM says so for both of these. */
    sregs.es.unusable = sregs.ss.unusable = sregs.ds.unusable = 1;
    sregs.gs.unusable = sregs.ldt.unusable = 1;
    sregs.gdt.base = 0x1000;
    sregs.gdt.limit = 0x7f;
    cpu.apic.tpr = 0x50;
    vmm_kvm_sregs_to_cpu(&sregs, &cpu);
    assert_int_equal(cpu.segments[VMM_CS].flags,
                     11u << 8 | 1u << 12 | 1u << 15 | 1u << 21 | 1u << 23);
    assert_int_equal(cpu.segments[VMM_FS].flags, 3u << 8 | 1u << 12);
    assert_int_equal(cpu.segments[VMM_FS].base, 0x1234);
    assert_int_equal(cpu.gdt.limit, 0x7f);
    assert_int_equal(cpu.apic.base, 0xfee00900);
    vmm_kvm_sregs_from_cpu(&cpu, &back);
    assert_memory_equal(&back, &sregs, sizeof(sregs));
}

static void test_kvm__virtual_8086_segments_are_of_one_kind(void **state)
{
    struct kvm_sregs2 sregs;
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    cpu.rflags = VMM_RFLAGS_VM;
    cpu.cr0 = VMM_CR0_PE;
    cpu.segments[VMM_SS].base = 0x10000;
    vmm_kvm_sregs_from_cpu(&cpu, &sregs);
    assert_int_equal(sregs.ss.base, 0x10000);
    assert_int_equal(sregs.ss.type, 3);
    assert_int_equal(sregs.ss.dpl, 3);
    assert_int_equal(sregs.ss.s, 1);
    assert_int_equal(sregs.ss.present, 1);
    assert_int_equal(sregs.ss.unusable, 0);
}

static void test_kvm__real_mode_clears_privilege_levels(void **state)
{
    struct kvm_sregs2 sregs;
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    cpu.segments[VMM_CS].flags = 3u << VMM_SEG_DPL_SHIFT | VMM_SEG_PRESENT;
    cpu.segments[VMM_DS].flags = 3u << VMM_SEG_DPL_SHIFT | VMM_SEG_PRESENT;
    vmm_kvm_sregs_from_cpu(&cpu, &sregs);
    assert_int_equal(sregs.cs.dpl, 0);
    assert_int_equal(sregs.ds.dpl, 0);
}

static void test_kvm__debug_registers(void **state)
{
    struct kvm_debugregs debug = {
        .db = {1, 2, 3, 4}, .dr6 = 0xffff0ff0, .dr7 = 0x400};
    struct kvm_debugregs back;
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    vmm_kvm_debug_to_cpu(&debug, &cpu);
    assert_int_equal(cpu.dr[3], 4);
    assert_int_equal(cpu.dr[4], 0xffff0ff0);
    assert_int_equal(cpu.dr[5], 0x400);
    assert_int_equal(cpu.dr[6], 0xffff0ff0);
    assert_int_equal(cpu.dr[7], 0x400);
    vmm_kvm_debug_from_cpu(&cpu, &back);
    assert_memory_equal(&back, &debug, sizeof(debug));
}

/* Offsets as an AMD processor with PKRU has them. */
static const struct vmm_xsave_layout layout = {.size = 0xa88,
                                               .bndregs = 0x3c0,
                                               .bndcsr = 0x400,
                                               .opmask = 0x440,
                                               .zmm_high = 0x480,
                                               .zmm_upper = 0x680,
                                               .pkru = 0xa80};

static void test_kvm__xsave_image_round_trip(void **state)
{
    static uint8_t image[VMM_KVM_XSAVE_BYTES];
    static uint8_t back[VMM_KVM_XSAVE_BYTES];
    struct vmm_cpu cpu;

    for (size_t i = 0; i < layout.size; i++) {
        image[i] = (uint8_t)(i * 7 + 1);
    }
    /* What the image has and the state has not: reserved bytes. */
    image[5] = 0;
    memset(image + 28, 0, 4);
    for (size_t i = 0; i < 8; i++) {
        memset(image + 32 + 16 * i + 10, 0, 6);
    }
    memset(image + 416, 0, 96);
    memset(image + 520, 0, 56);
    memset(image + 0x340, 0, 0x80);
    memset(image + 0x410, 0, 0x30);
    memset(image + 0xa84, 0, 4);
    vmm_cpu_init(&cpu);
    vmm_kvm_xsave_to_cpu(&layout, image, &cpu);
    assert_int_equal(cpu.fpu_control, image[0] | image[1] << 8);
    assert_int_equal(cpu.fpu_tags, image[4]);
    assert_int_equal(cpu.xmm[15].words[1] & 0xff, image[160 + 248]);
    assert_int_equal(cpu.ymm_high[0].words[0] & 0xff, image[576]);
    assert_int_equal(cpu.pkru & 0xff, image[0xa80]);
    assert_int_equal(cpu.zmm_upper[15].words[7] >> 56, image[0xa7f]);
    memset(back, 0xff, sizeof(back));
    vmm_kvm_xsave_from_cpu(&layout, &cpu, back);
    assert_memory_equal(back, image, sizeof(image));
}

static void test_kvm__xsave_without_components(void **state)
{
    static const struct vmm_xsave_layout none = {.size = 576};
    static uint8_t image[VMM_KVM_XSAVE_BYTES];
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    cpu.pkru = 5;
    cpu.opmask[0] = 7;
    cpu.mxcsr = 0x1f80;
    vmm_kvm_xsave_from_cpu(&none, &cpu, image);
    assert_int_equal(image[24], 0x80);
    for (size_t i = 832; i < sizeof(image); i++) {
        assert_int_equal(image[i], 0);
    }
}

static void test_kvm__lapic_page_round_trip(void **state)
{
    struct kvm_lapic_state page = {0};
    struct kvm_lapic_state back;
    struct vmm_apic apic = {0};

    page.regs[0x23] = 2;    /* id */
    page.regs[0x80] = 0x20; /* TPR */
    page.regs[0xd3] = 4;    /* logical destination */
    memset(page.regs + 0xe0, 0xff, 4);
    page.regs[0xf0] = 0xff;
    page.regs[0xf1] = 1;
    page.regs[0x110] = 1;    /* ISR 32 */
    page.regs[0x200] = 2;    /* IRR 1 */
    page.regs[0x320] = 0x31; /* LVT timer */
    page.regs[0x370] = 0x32; /* LVT error */
    page.regs[0x380] = 0x55; /* initial count */
    page.regs[0x3e0] = 0xb;
    vmm_kvm_lapic_to_apic(&page, &apic);
    assert_int_equal(apic.id, 2);
    assert_int_equal(apic.tpr, 0x20);
    assert_int_equal(apic.logical_dest, 4);
    assert_int_equal(apic.dest_format, 0xf);
    assert_int_equal(apic.spurious, 0x1ff);
    assert_int_equal(apic.isr[1], 1);
    assert_int_equal(apic.irr[0], 2);
    assert_int_equal(apic.lvt[0], 0x31);
    assert_int_equal(apic.lvt[5], 0x32);
    assert_int_equal(apic.initial_count, 0x55);
    assert_int_equal(apic.divide, 0xb);
    vmm_kvm_lapic_from_apic(&apic, &back);
    assert_memory_equal(&back, &page, sizeof(page));
}

static void test_kvm__events_round_trip(void **state)
{
    static struct vmm_kvm kvm = {.has_triple_fault = true};
    struct kvm_vcpu_events events = {
        .exception = {.injected = 1, .nr = 14, .has_error_code = 1},
        .interrupt = {.injected = 1, .nr = 0x31, .soft = 1},
        .nmi = {.injected = 1, .pending = 1, .masked = 1},
        .flags =
            KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_TRIPLE_FAULT,
        .triple_fault = {.pending = 1}};
    struct kvm_vcpu_events back;
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    vmm_kvm_events_to_cpu(&events, &cpu);
    assert_int_equal(cpu.exception_nr, 14);
    assert_int_equal(cpu.interrupt_injected, 0x31);
    assert_int_equal(cpu.hflags2, 0x105);
    vmm_kvm_events_from_cpu(&kvm, &cpu, &back);
    assert_memory_equal(&back, &events, sizeof(events));
    events = (struct kvm_vcpu_events){0};
    vmm_kvm_events_to_cpu(&events, &cpu);
    assert_int_equal(cpu.exception_nr, -1);
    assert_int_equal(cpu.interrupt_injected, -1);
    assert_int_equal(cpu.hflags2, 0x101);
}

/* The worked example of the reference, 2.2: 41 bytes. */
static void test_kvm__clock_section_is_as_captured(void **state)
{
    static const char captured[] = "\0\0\0\x0e\x68\x01\x82\xba"
                                   "\x05\x1akvmclock/clock_is_reliable"
                                   "\0\0\0\1\1";
    struct vmm_kvmclock clock = {.clock = 61874471610, .is_reliable = true};
    struct vmm_kvmclock to = {.is_reliable = true};

    expect_sound(&vmm_kvmclock_vmstate);
    assert_int_equal(sizeof(captured) - 1, 41);
    expect_saved(&vmm_kvmclock_vmstate, &clock, BYTES(captured));
    expect_loaded(&vmm_kvmclock_vmstate, &to, 1, BYTES(captured));
    assert_int_equal(to.clock, 61874471610);
    assert_true(to.is_reliable);
    expect_loaded(&vmm_kvmclock_vmstate, &to, 1, captured, 8);
    assert_false(to.is_reliable);
}

/* --- What is offered --- */

/* As of a CPU with AVX, PKU and FSGSBASE. */
struct offer {
    struct kvm_cpuid2 header;
    struct kvm_cpuid_entry2 entries[4];
};

static const struct offer full = {
    .header.nent = 4,
    .entries = {
        {.function = 1, .ecx = 1u << 26 | 1u << 28},
        {.function = 7, .ebx = 1, .ecx = 1u << 3},
        {.function = 0xd, .eax = 0x207},
        {.function = 0x80000001, .edx = 1u << 11 | 1u << 20 | 1u << 29},
    }};

static void expect_offer(const struct offer *offer, const struct vmm_cpu *cpu,
                         const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    int r = vmm_kvm_check_offer(&offer->header, cpu, &error);

    if (!part) {
        assert_int_equal(r, 0);
        return;
    }
    assert_int_equal(r, -EPROTO);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
}

static void test_kvm__offer(void **state)
{
    struct offer offer = full;
    struct vmm_cpu cpu;

    vmm_cpu_init(&cpu);
    expect_offer(&offer, &cpu, NULL);
    cpu.xcr0 = 0x207;
    cpu.xstate_bv = 0x207;
    cpu.cr4 = 1u << 16 | 1u << 18 | 1u << 22;
    cpu.efer = 0xd01;
    expect_offer(&offer, &cpu, NULL);
    offer.entries[2].eax = 7;
    expect_offer(&offer, &cpu, "component 9 (pku; XCR0 0x207), and 0x7 are");
    offer.entries[2].eax = 0x203;
    expect_offer(&offer, &cpu, "component 2 (avx; XCR0 0x207)");
    cpu.xcr0 = 0x203;
    expect_offer(&offer, &cpu, "component 2 (avx; XSTATE_BV 0x207)");
    cpu.xcr0 = 1ull << 62 | 3;
    expect_offer(&offer, &cpu, "component 62 (unknown; XCR0");
    cpu.xcr0 = cpu.xstate_bv = 3;
    offer.entries[1].ebx = 0;
    expect_offer(&offer, &cpu, "'fsgsbase' (CR4 0x450000)");
    offer = full;
    cpu.cr4 |= 1u << 12;
    expect_offer(&offer, &cpu, "'la57' (CR4");
    cpu.cr4 = 0;
    cpu.efer |= 1u << 12;
    expect_offer(&offer, &cpu, "'svm' (EFER 0x1d01)");
    offer.header.nent = 0;
    expect_offer(&offer, &cpu, "'syscall' (EFER");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kvm__general_registers),
        cmocka_unit_test(test_kvm__system_registers),
        cmocka_unit_test(test_kvm__virtual_8086_segments_are_of_one_kind),
        cmocka_unit_test(test_kvm__real_mode_clears_privilege_levels),
        cmocka_unit_test(test_kvm__debug_registers),
        cmocka_unit_test(test_kvm__xsave_image_round_trip),
        cmocka_unit_test(test_kvm__xsave_without_components),
        cmocka_unit_test(test_kvm__lapic_page_round_trip),
        cmocka_unit_test(test_kvm__events_round_trip),
        cmocka_unit_test(test_kvm__clock_section_is_as_captured),
        cmocka_unit_test(test_kvm__offer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
