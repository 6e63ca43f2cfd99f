/*
 * The sections of a vCPU: sizes and offsets of the reference (3.5, 3.6, 3.8),
 * subsections, derived values.
 */
#include "cpu_state.h"

#include "vmstate-helpers.h"

#include "clock.h"

static struct gw_buffer save(const struct gw_vmstate *vmstate, void *state)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_buffer out = {0};

    expect_sound(vmstate);
    if (gw_vmstate_save(vmstate, state, &out, NULL, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    return out;
}

static void expect_u64(const struct gw_buffer *buffer, size_t offset,
                       uint64_t expected)
{
    uint64_t value = 0;

    assert_true(offset + 8 <= buffer->size);
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | buffer->data[offset + i];
    }
    assert_int_equal(value, expected);
}

static void expect_u32(const struct gw_buffer *buffer, size_t offset,
                       uint32_t expected)
{
    uint32_t value = 0;

    assert_true(offset + 4 <= buffer->size);
    for (size_t i = 0; i < 4; i++) {
        value = value << 8 | buffer->data[offset + i];
    }
    assert_int_equal(value, expected);
}

static void test_cpu__common_is_8_bytes(void **state)
{
    struct vmm_cpu cpu = {.halted = 1, .interrupt_request = 0x200};

    expect_saved(&vmm_cpu_common_vmstate, &cpu, BYTES("\0\0\0\1\0\0\2\0"));
}

static void test_cpu__timer_is_24_bytes(void **state)
{
    struct vmm_clock clock = {.ticks = 0x0102, .stopped_ns = 0x0304};

    expect_sound(&vmm_clock_vmstate);
    expect_saved(&vmm_clock_vmstate, &clock,
                 BYTES("\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3\4"));
}

/* A vCPU without anything optional. */
static void make_plain(struct vmm_cpu *cpu)
{
    vmm_cpu_init(cpu);
    cpu->tsc_khz = 0;
}

static void test_cpu__fields_are_1817_bytes(void **state)
{
    struct vmm_cpu cpu;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    out = save(&vmm_cpu_vmstate, &cpu);
    assert_int_equal(out.size, 1817);
    expect_u32(&out, 552, UINT32_MAX);  /* A20 mask */
    expect_u32(&out, 864, 0x30000);     /* SMBASE */
    expect_u32(&out, 876, 0x101);       /* hflags2 */
    expect_u32(&out, 1149, UINT32_MAX); /* no interrupt */
    expect_u32(&out, 1165, UINT32_MAX); /* no exception */
    expect_u64(&out, 1177, 0x100010a);  /* MCG_CAP */
}

/* Offsets as in the table of the reference. */
static void test_cpu__members_are_where_the_reference_says(void **state)
{
    struct vmm_cpu cpu;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    cpu.regs[VMM_RDI] = 0x1001;
    cpu.rip = 0x1002;
    cpu.rflags = 0x1003;
    cpu.hflags = 0x1004;
    cpu.fpregs[7].mantissa = 0x1005;
    cpu.segments[VMM_ES].selector = 0x1006;
    cpu.segments[VMM_GS].base = 0x1007;
    cpu.ldt.selector = 0x1008;
    cpu.tr.selector = 0x1009;
    cpu.gdt.base = 0x100a;
    cpu.idt.limit = 0x100b;
    cpu.sysenter_cs = 0x100c;
    cpu.sysenter_eip = 0x100d;
    cpu.cr0 = 0x100e;
    cpu.cr4 = 0x100f;
    cpu.dr[7] = 0x1010;
    cpu.mxcsr = 0x1011;
    cpu.xmm[15].words[1] = 0x1012;
    cpu.efer = 0x1013;
    cpu.kernel_gs_base = 0x1014;
    cpu.pat = 0x1015;
    cpu.vm_hsave = 0x1016;
    cpu.mtrr_fixed[10] = 0x1017;
    cpu.mtrr_default = 0x1018;
    cpu.mtrr[7].mask = 0x1019;
    cpu.mp_state = 3;
    cpu.tsc = 0x101b;
    cpu.sipi_vector = 0x101c;
    cpu.mcg_status = 0x101d;
    cpu.mce_banks[9].misc = 0x101e;
    cpu.tsc_aux = 0x101f;
    cpu.system_time_msr = 0x1020;
    cpu.wall_clock_msr = 0x1021;
    cpu.xcr0 = 0x1022;
    cpu.xstate_bv = 0x1023;
    cpu.ymm_high[15].words[1] = 0x1024;
    out = save(&vmm_cpu_vmstate, &cpu);
    assert_int_equal(out.size, 1817);
    expect_u64(&out, 56, 0x1001);
    expect_u64(&out, 128, 0x1002);
    expect_u64(&out, 136, 0x1003);
    expect_u32(&out, 144, 0x1004);
    expect_u64(&out, 156 + 70, 0x1005);
    expect_u32(&out, 236, 0x1006);
    expect_u64(&out, 236 + 100 + 4, 0x1007);
    expect_u32(&out, 356, 0x1008);
    expect_u32(&out, 376, 0x1009);
    expect_u64(&out, 396 + 4, 0x100a);
    expect_u32(&out, 416 + 12, 0x100b);
    expect_u32(&out, 436, 0x100c);
    expect_u64(&out, 448, 0x100d);
    expect_u64(&out, 456, 0x100e);
    expect_u64(&out, 480, 0x100f);
    expect_u64(&out, 488 + 56, 0x1010);
    expect_u32(&out, 556, 0x1011);
    expect_u64(&out, 560 + 248, 0x1012);
    expect_u64(&out, 816, 0x1013);
    expect_u64(&out, 856, 0x1014);
    expect_u64(&out, 868, 0x1015);
    expect_u64(&out, 880, 0x1016);
    expect_u64(&out, 925 + 80, 0x1017);
    expect_u64(&out, 1013, 0x1018);
    expect_u64(&out, 1021 + 120, 0x1019);
    expect_u32(&out, 1153, 3);
    expect_u64(&out, 1157, 0x101b);
    expect_u32(&out, 1173, 0x101c);
    expect_u64(&out, 1185, 0x101d);
    expect_u64(&out, 1201 + 312, 0x101e);
    expect_u64(&out, 1521, 0x101f);
    expect_u64(&out, 1529, 0x1020);
    expect_u64(&out, 1537, 0x1021);
    expect_u64(&out, 1545, 0x1022);
    expect_u64(&out, 1553, 0x1023);
    expect_u64(&out, 1561 + 248, 0x1024);
}

/* The captured "practical minimum": seven subsections, 2023 bytes. */
static void test_cpu__usual_linux_guest_is_2023_bytes(void **state)
{
    struct vmm_cpu cpu;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    cpu.async_pf_msr = 1;
    cpu.async_pf_int_msr = 1;
    cpu.pv_eoi_msr = 1;
    cpu.steal_time_msr = 1;
    cpu.tsc_deadline = 1;
    cpu.tsc_khz = 1;
    cpu.pkru = 1;
    out = save(&vmm_cpu_vmstate, &cpu);
    assert_int_equal(out.size, 2023);
}

/* Without the paravirtual features and protection keys: 1875 bytes. */
static void test_cpu__bare_linux_guest_is_1875_bytes(void **state)
{
    struct vmm_cpu cpu;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    cpu.tsc_deadline = 1;
    cpu.tsc_khz = 1;
    out = save(&vmm_cpu_vmstate, &cpu);
    assert_int_equal(out.size, 1875);
}

/* A subsection alone, and what the reference says of its payload. */
struct part {
    const char *name;
    size_t payload;
};

static const struct part parts[] = {
    {"exception_info", 11},
    {"async_pf_msr", 8},
    {"async_pf_int_msr", 8},
    {"async_pv_eoi_msr", 8},
    {"steal_time_msr", 8},
    {"poll_control_msr", 8},
    {"fpop_ip_dp", 18},
    {"msr_tsc_adjust", 8},
    {"msr_tscdeadline", 8},
    {"msr_ia32_misc_enable", 8},
    {"msr_ia32_feature_control", 8},
    {"msr_architectural_pmu", 344},
    {"mpx", 88},
    {"avx512", 1600},
    {"xss", 8},
    {"umwait", 4},
    {"tsc_khz", 8},
    {"msr_smi_count", 8},
    {"pkru", 4},
    {"pkrs", 4},
    {"spec_ctrl", 8},
    {"amd_tsc_scale_msr", 8},
    {"mcg_ext_ctl", 8},
    {"virt_ssbd", 8},
    {"msr_tsx_ctrl", 4},
    {"pdptrs", 32},
    {"msr_xfd", 16},
    {"msr_hwcr", 8},
    {"triple_fault", 1},
};

static void test_cpu__subsections_have_their_names_and_sizes(void **state)
{
    size_t n = 0;

    for (; vmm_cpu_subsections[n]; n++) {
        struct vmm_cpu cpu;
        GW_AUTO_BUFFER struct gw_buffer out = {0};

        assert_true(n < sizeof(parts) / sizeof(parts[0]));
        make_plain(&cpu);
        out = save(vmm_cpu_subsections[n], &cpu);
        assert_string_equal(vmm_cpu_subsections[n]->name + 4, parts[n].name);
        assert_int_equal(vmm_cpu_subsections[n]->version, 1);
        assert_int_equal(out.size, parts[n].payload);
    }
    assert_int_equal(n, sizeof(parts) / sizeof(parts[0]));
}

/* Everything sent comes back; nothing of before shows through. */
static void test_cpu__round_trip_with_all_subsections(void **state)
{
    struct vmm_cpu cpu;
    struct vmm_cpu again;
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    GW_AUTO_BUFFER struct gw_buffer out2 = {0};

    memset(&cpu, 0x11, sizeof(cpu));
    cpu.fpu_format = 0;
    cpu.fpu_tags = 0xa5;
    cpu.interrupt_injected = 255;
    cpu.exception_nr = 31;
    cpu.mp_state = 4;
    cpu.has_tsx_ctrl = true;
    cpu.has_pdptrs = true;
    out = save(&vmm_cpu_vmstate, &cpu);
    memset(&again, 0xee, sizeof(again));
    again.has_tsx_ctrl = true;
    expect_loaded(&vmm_cpu_vmstate, &again, 12, out.data, out.size);
    out2 = save(&vmm_cpu_vmstate, &again);
    assert_int_equal(out2.size, out.size);
    assert_memory_equal(out2.data, out.data, out.size);
}

static void test_cpu__absent_subsections_mean_reset_values(void **state)
{
    struct vmm_cpu cpu;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    out = save(&vmm_cpu_vmstate, &cpu);
    memset(&cpu, 0x77, sizeof(cpu));
    expect_loaded(&vmm_cpu_vmstate, &cpu, 12, out.data, out.size);
    assert_int_equal(cpu.poll_control_msr, 1);
    assert_int_equal(cpu.misc_enable, 1);
    assert_int_equal(cpu.tsc_deadline, 0);
    assert_int_equal(cpu.pkru, 0);
    assert_false(cpu.has_pdptrs);
}

static void test_cpu__hostile_values_are_refused(void **state)
{
    struct vmm_cpu cpu;
    struct vmm_cpu to;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    out = save(&vmm_cpu_vmstate, &cpu);
    out.data[155] = 1;
    expect_refused(&vmm_cpu_vmstate, &to, 12, out.data, out.size, -EBADMSG,
                   "format 1 of the x87 registers");
    out.data[155] = 0;
    out.data[152] = 1;
    expect_refused(&vmm_cpu_vmstate, &to, 12, out.data, out.size, -EBADMSG,
                   "x87 tags 0x0100");
    out.data[152] = 0;
    memset(out.data + 1149, 0x01, 4);
    expect_refused(&vmm_cpu_vmstate, &to, 12, out.data, out.size, -EBADMSG,
                   "injected interrupt");
    memset(out.data + 1149, 0xff, 4);
    out.data[1156] = 5;
    expect_refused(&vmm_cpu_vmstate, &to, 12, out.data, out.size, -EBADMSG,
                   "multiprocessing state 5");
    out.data[1156] = 0;
    memcpy(out.data + 1165, "\0\0\0\x20", 4);
    expect_refused(&vmm_cpu_vmstate, &to, 12, out.data, out.size, -EBADMSG,
                   "exception vector 32");
}

static void test_cpu__truncations(void **state)
{
    struct vmm_cpu cpu;
    struct vmm_cpu to;
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    make_plain(&cpu);
    out = save(&vmm_cpu_vmstate, &cpu);
    expect_truncations(&vmm_cpu_vmstate, &to, NULL, 12, out.data, out.size);
}

/* Values the reference gives for a 64-bit Linux, and by hand for our entry. */
static void test_cpu__hflags(void **state)
{
    struct vmm_cpu cpu;

    make_plain(&cpu);
    cpu.efer = VMM_EFER_LMA;
    cpu.cr0 = 0x80050033;
    cpu.cr4 = VMM_CR4_OSFXSR;
    cpu.segments[VMM_CS].flags = VMM_SEG_L | VMM_SEG_PRESENT;
    cpu.segments[VMM_SS].flags = VMM_SEG_DB;
    assert_int_equal(vmm_cpu_hflags(&cpu), 0x40c2b0);
    cpu.segments[VMM_SS].flags = VMM_SEG_DB | 3u << VMM_SEG_DPL_SHIFT;
    assert_int_equal(vmm_cpu_hflags(&cpu), 0x40c2b3);
    make_plain(&cpu);
    cpu.cr0 = VMM_CR0_PE;
    cpu.segments[VMM_CS].flags = VMM_SEG_DB;
    cpu.segments[VMM_SS].flags = VMM_SEG_DB;
    assert_int_equal(vmm_cpu_hflags(&cpu), 0xb0);
    cpu.cr0 = 0;
    cpu.segments[VMM_CS].flags = 0;
    cpu.segments[VMM_SS].flags = 0;
    assert_int_equal(vmm_cpu_hflags(&cpu), 0x40);
}

static void test_apic__section_is_181_bytes(void **state)
{
    struct vmm_apic apic = {.base = 0xfee00d00,
                            .id = 2,
                            .tpr = 0x20,
                            .dest_format = 0xf,
                            .timer_expiry = -1};
    GW_AUTO_BUFFER struct gw_buffer out = {0};

    apic.isr[0] = 0x1001;
    apic.irr[7] = 0x1002;
    apic.lvt[5] = 0x1003;
    apic.icr[1] = 0x1004;
    apic.divide = 0xb;
    apic.initial_count = 0x1005;
    out = save(&vmm_apic_vmstate, &apic);
    assert_int_equal(out.size, 181);
    expect_u32(&out, 0, 0xfee00d00);
    assert_int_equal(out.data[4], 2);
    assert_int_equal(out.data[6], 0x20);
    assert_int_equal(out.data[12], 0xf);
    expect_u32(&out, 13, 0x1001);
    expect_u32(&out, 77 + 28, 0x1002);
    expect_u32(&out, 109 + 20, 0x1003);
    expect_u32(&out, 141, 0x1004);
    expect_u32(&out, 145, 0xb);
    expect_u32(&out, 153, 0x1005);
    expect_u64(&out, 173, UINT64_MAX);
}

/* Capture J of the reference: count 0x12addfd, divide value 3, shift 4. */
static void test_apic__derived_times(void **state)
{
    struct vmm_apic apic = {.divide = 3, .initial_count = 0x12addfd};
    const int64_t now = 1000000;

    vmm_apic_derive_times(&apic, now);
    assert_int_equal(apic.count_shift, 4);
    assert_int_equal(apic.load_time, now);
    assert_int_equal(apic.next_time, now + (0x12addfell << 4));
    assert_int_equal(apic.timer_expiry, apic.next_time);
    apic.lvt[0] = 1u << 16;
    vmm_apic_derive_times(&apic, now);
    assert_int_equal(apic.next_time, now + (0x12addfell << 4));
    assert_int_equal(apic.timer_expiry, -1);
    apic.initial_count = 0;
    apic.divide = 0xb;
    vmm_apic_derive_times(&apic, now);
    assert_int_equal(apic.count_shift, 0);
    assert_int_equal(apic.next_time, 0);
    assert_int_equal(apic.timer_expiry, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu__common_is_8_bytes),
        cmocka_unit_test(test_cpu__timer_is_24_bytes),
        cmocka_unit_test(test_cpu__fields_are_1817_bytes),
        cmocka_unit_test(test_cpu__members_are_where_the_reference_says),
        cmocka_unit_test(test_cpu__usual_linux_guest_is_2023_bytes),
        cmocka_unit_test(test_cpu__bare_linux_guest_is_1875_bytes),
        cmocka_unit_test(test_cpu__subsections_have_their_names_and_sizes),
        cmocka_unit_test(test_cpu__round_trip_with_all_subsections),
        cmocka_unit_test(test_cpu__absent_subsections_mean_reset_values),
        cmocka_unit_test(test_cpu__hostile_values_are_refused),
        cmocka_unit_test(test_cpu__truncations),
        cmocka_unit_test(test_cpu__hflags),
        cmocka_unit_test(test_apic__section_is_181_bytes),
        cmocka_unit_test(test_apic__derived_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
