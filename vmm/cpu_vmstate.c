/*
 * vCPU sections on the wire: `cpu_common` version 1, `cpu` version 12 and
 * `apic` version 3. The optional parts of `cpu` are in cpu_subsections.c.
 */
#include "cpu_state.h"

#include <errno.h>

#include <godwit/vmstate.h>

static const struct gw_field segment_fields[] = {
    GW_FIELD_U32(struct vmm_segment, selector),
    GW_FIELD_U64(struct vmm_segment, base),
    GW_FIELD_U32(struct vmm_segment, limit),
    GW_FIELD_U32(struct vmm_segment, flags),
    GW_FIELD_END,
};

static const struct gw_vmstate segment_vmstate = {
    .name = "segment",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_segment),
    .fields = segment_fields,
};

static const struct gw_field fpreg_fields[] = {
    GW_FIELD_U64(struct vmm_fpreg, mantissa),
    GW_FIELD_U16(struct vmm_fpreg, exponent),
    GW_FIELD_END,
};

static const struct gw_vmstate fpreg_vmstate = {
    .name = "fpreg",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_fpreg),
    .fields = fpreg_fields,
};

static const struct gw_field words2_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_words2, words),
    GW_FIELD_END,
};

static const struct gw_vmstate xmm_vmstate = {
    .name = "xmm_reg",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_words2),
    .fields = words2_fields,
};

static const struct gw_vmstate ymm_vmstate = {
    .name = "ymmh_reg",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_words2),
    .fields = words2_fields,
};

static const struct gw_field mtrr_fields[] = {
    GW_FIELD_U64(struct vmm_mtrr, base),
    GW_FIELD_U64(struct vmm_mtrr, mask),
    GW_FIELD_END,
};

static const struct gw_vmstate mtrr_vmstate = {
    .name = "mtrr_var",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_mtrr),
    .fields = mtrr_fields,
};

static const struct gw_field mce_bank_fields[] = {
    GW_FIELD_U64(struct vmm_mce_bank, ctl),
    GW_FIELD_U64(struct vmm_mce_bank, status),
    GW_FIELD_U64(struct vmm_mce_bank, addr),
    GW_FIELD_U64(struct vmm_mce_bank, misc),
    GW_FIELD_END,
};

static const struct gw_vmstate mce_bank_vmstate = {
    .name = "mce_bank",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_mce_bank),
    .fields = mce_bank_fields,
};

static const struct gw_field common_fields[] = {
    GW_FIELD_U32(struct vmm_cpu, halted),
    GW_FIELD_U32(struct vmm_cpu, interrupt_request),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_cpu_common_vmstate = {
    .name = "cpu_common",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_cpu),
    .fields = common_fields,
};

#define CPU_U16(m) GW_FIELD_U16(struct vmm_cpu, m)
#define CPU_U32(m) GW_FIELD_U32(struct vmm_cpu, m)
#define CPU_U64(m) GW_FIELD_U64(struct vmm_cpu, m)
#define CPU_SEGMENT(m) \
    GW_FIELD_STRUCT(struct vmm_cpu, m, segment_vmstate, struct vmm_segment)

static const struct gw_field cpu_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_cpu, regs),
    CPU_U64(rip),
    CPU_U64(rflags),
    CPU_U32(hflags),
    CPU_U16(fpu_control),
    CPU_U16(fpu_status),
    CPU_U16(fpu_tags),
    CPU_U16(fpu_format),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, fpregs, fpreg_vmstate,
                          struct vmm_fpreg),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, segments, segment_vmstate,
                          struct vmm_segment),
    CPU_SEGMENT(ldt),
    CPU_SEGMENT(tr),
    CPU_SEGMENT(gdt),
    CPU_SEGMENT(idt),
    CPU_U32(sysenter_cs),
    CPU_U64(sysenter_esp),
    CPU_U64(sysenter_eip),
    CPU_U64(cr0),
    CPU_U64(cr2),
    CPU_U64(cr3),
    CPU_U64(cr4),
    GW_FIELD_U64_ARRAY(struct vmm_cpu, dr),
    GW_FIELD_I32(struct vmm_cpu, a20_mask),
    CPU_U32(mxcsr),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, xmm, xmm_vmstate, struct vmm_words2),
    CPU_U64(efer),
    CPU_U64(star),
    CPU_U64(lstar),
    CPU_U64(cstar),
    CPU_U64(sfmask),
    CPU_U64(kernel_gs_base),
    CPU_U32(smbase),
    CPU_U64(pat),
    CPU_U32(hflags2),
    CPU_U64(vm_hsave),
    /* Emulated SVM: three words, four halves, a word and a byte. */
    GW_FIELD_UNUSED(3 * 8 + 4 * 2 + 4 + 1),
    GW_FIELD_U64_ARRAY(struct vmm_cpu, mtrr_fixed),
    CPU_U64(mtrr_default),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, mtrr, mtrr_vmstate, struct vmm_mtrr),
    GW_FIELD_I32(struct vmm_cpu, interrupt_injected),
    CPU_U32(mp_state),
    CPU_U64(tsc),
    GW_FIELD_I32(struct vmm_cpu, exception_nr),
    GW_FIELD_U8(struct vmm_cpu, soft_interrupt),
    GW_FIELD_U8(struct vmm_cpu, nmi_injected),
    GW_FIELD_U8(struct vmm_cpu, nmi_pending),
    GW_FIELD_U8(struct vmm_cpu, has_error_code),
    CPU_U32(sipi_vector),
    CPU_U64(mcg_cap),
    CPU_U64(mcg_status),
    CPU_U64(mcg_ctl),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, mce_banks, mce_bank_vmstate,
                          struct vmm_mce_bank),
    CPU_U64(tsc_aux),
    CPU_U64(system_time_msr),
    CPU_U64(wall_clock_msr),
    GW_FIELD_U64_V(struct vmm_cpu, xcr0, 12),
    GW_FIELD_U64_V(struct vmm_cpu, xstate_bv, 12),
    GW_FIELD_STRUCT_ARRAY_IF(struct vmm_cpu, ymm_high, ymm_vmstate,
                             struct vmm_words2, 12, NULL),
    GW_FIELD_END,
};

static int pre_load(void *state, struct gw_error **errp)
{
    vmm_cpu_clear_optional(state);
    return 0;
}

/*
 * Vectors are bytes to KVM; anything else here would be cut there and mean
 * another event.
 */
static int check_events(const struct vmm_cpu *cpu, struct gw_error **errp)
{
    if (cpu->interrupt_injected < -1 || cpu->interrupt_injected > 255) {
        return gw_error_set(errp, -EBADMSG,
                            "injected interrupt %d, expected -1 to 255",
                            cpu->interrupt_injected);
    }
    if (cpu->exception_nr < -1 || cpu->exception_nr > 31) {
        return gw_error_set(errp, -EBADMSG,
                            "exception vector %d, expected -1 to 31",
                            cpu->exception_nr);
    }
    if (cpu->mp_state > VMM_MP_SIPI_RECEIVED) {
        return gw_error_set(errp, -EBADMSG,
                            "multiprocessing state %u, expected 0 to 4",
                            cpu->mp_state);
    }
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    const struct vmm_cpu *cpu = state;

    if (cpu->fpu_format != 0) {
        return gw_error_set(errp, -EBADMSG,
                            "format %u of the x87 registers, expected 0",
                            cpu->fpu_format);
    }
    if (cpu->fpu_tags > 0xff) {
        return gw_error_set(errp, -EBADMSG,
                            "x87 tags 0x%04x, expected one byte",
                            cpu->fpu_tags);
    }
    return check_events(cpu, errp);
}

const struct gw_vmstate vmm_cpu_vmstate = {
    .name = "cpu",
    .version = 12,
    .min_version = 11,
    .size = sizeof(struct vmm_cpu),
    .fields = cpu_fields,
    .subsections = vmm_cpu_subsections,
    .pre_load = pre_load,
    .post_load = post_load,
};

#define APIC_U8(m) GW_FIELD_U8(struct vmm_apic, m)
#define APIC_U32(m) GW_FIELD_U32(struct vmm_apic, m)

static const struct gw_field apic_fields[] = {
    APIC_U32(base),
    APIC_U8(id),
    APIC_U8(arbitration_id),
    APIC_U8(tpr),
    APIC_U32(spurious),
    APIC_U8(logical_dest),
    APIC_U8(dest_format),
    GW_FIELD_U32_ARRAY(struct vmm_apic, isr),
    GW_FIELD_U32_ARRAY(struct vmm_apic, tmr),
    GW_FIELD_U32_ARRAY(struct vmm_apic, irr),
    GW_FIELD_U32_ARRAY(struct vmm_apic, lvt),
    APIC_U32(esr),
    GW_FIELD_U32_ARRAY(struct vmm_apic, icr),
    APIC_U32(divide),
    GW_FIELD_I32(struct vmm_apic, count_shift),
    APIC_U32(initial_count),
    GW_FIELD_I64(struct vmm_apic, load_time),
    GW_FIELD_I64(struct vmm_apic, next_time),
    GW_FIELD_TIMER(struct vmm_apic, timer_expiry),
    GW_FIELD_END,
};

const struct gw_vmstate vmm_apic_vmstate = {
    .name = "apic",
    .version = 3,
    .min_version = 3,
    .size = sizeof(struct vmm_apic),
    .fields = apic_fields,
};
