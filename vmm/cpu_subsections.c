/*
 * The optional parts of section `cpu`, each sent only if it says something
 * that a reset does not. Not here, and so refused by name when they come in:
 * Hyper-V, Xen, SGX, Intel PT, LBR, FRED, AMX and nested guests.
 */
#include "cpu_state.h"

#include <string.h>

#include <godwit/vmstate.h>

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

/* A subsection `id` with the fields `id_fields`, sent if `id_needed`. */
#define SUBSECTION(id, wire_name)                   \
    static const struct gw_vmstate id##_vmstate = { \
        .name = "cpu/" wire_name,                   \
        .version = 1,                               \
        .min_version = 1,                           \
        .size = sizeof(struct vmm_cpu),             \
        .fields = id##_fields,                      \
        .needed = id##_needed,                      \
    }

/* A subsection of one value, sent if it is not `usual`. */
#define SUBSECTION_OF(type, member, usual, wire_name)  \
    static bool member##_needed(const void *state)     \
    {                                                  \
        const struct vmm_cpu *cpu = state;             \
                                                       \
        return cpu->member != (usual);                 \
    }                                                  \
    static const struct gw_field member##_fields[] = { \
        GW_FIELD_##type(struct vmm_cpu, member),       \
        GW_FIELD_END,                                  \
    };                                                 \
    SUBSECTION(member, wire_name)

/*
 * QEMU sends these only while a nested guest runs, which we do not offer;
 * otherwise a pending exception is sent as injected.
 */
static bool exception_info_needed(const void *state)
{
    return false;
}

static const struct gw_field exception_info_fields[] = {
    GW_FIELD_U8(struct vmm_cpu, exception_pending),
    GW_FIELD_U8(struct vmm_cpu, exception_injected),
    GW_FIELD_U8(struct vmm_cpu, exception_has_payload),
    GW_FIELD_U64(struct vmm_cpu, exception_payload),
    GW_FIELD_END,
};
SUBSECTION(exception_info, "exception_info");

SUBSECTION_OF(U64, async_pf_msr, 0, "async_pf_msr");
SUBSECTION_OF(U64, async_pf_int_msr, 0, "async_pf_int_msr");
/* The name is spelled so on the wire. */
SUBSECTION_OF(U64, pv_eoi_msr, 0, "async_pv_eoi_msr");
SUBSECTION_OF(U64, steal_time_msr, 0, "steal_time_msr");
SUBSECTION_OF(U64, poll_control_msr, 1, "poll_control_msr");

static bool fpu_pointers_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;

    return cpu->fpu_opcode != 0 || cpu->fpu_ip != 0 || cpu->fpu_dp != 0;
}

static const struct gw_field fpu_pointers_fields[] = {
    GW_FIELD_U16(struct vmm_cpu, fpu_opcode),
    GW_FIELD_U64(struct vmm_cpu, fpu_ip),
    GW_FIELD_U64(struct vmm_cpu, fpu_dp),
    GW_FIELD_END,
};
SUBSECTION(fpu_pointers, "fpop_ip_dp");

SUBSECTION_OF(U64, tsc_adjust, 0, "msr_tsc_adjust");
SUBSECTION_OF(U64, tsc_deadline, 0, "msr_tscdeadline");
SUBSECTION_OF(U64, misc_enable, 1, "msr_ia32_misc_enable");
SUBSECTION_OF(U64, feature_control, 0, "msr_ia32_feature_control");

static bool pmu_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;
    const size_t start = offsetof(struct vmm_cpu, pmu_fixed_ctrl);
    const size_t end = offsetof(struct vmm_cpu, bounds);

    return !all_zero((const uint8_t *)cpu + start, end - start);
}

static const struct gw_field pmu_fields[] = {
    GW_FIELD_U64(struct vmm_cpu, pmu_fixed_ctrl),
    GW_FIELD_U64(struct vmm_cpu, pmu_global_ctrl),
    GW_FIELD_U64(struct vmm_cpu, pmu_global_status),
    GW_FIELD_U64(struct vmm_cpu, pmu_global_ovf),
    GW_FIELD_U64_ARRAY(struct vmm_cpu, pmu_fixed),
    GW_FIELD_U64_ARRAY(struct vmm_cpu, pmu_counters),
    GW_FIELD_U64_ARRAY(struct vmm_cpu, pmu_events),
    GW_FIELD_END,
};
SUBSECTION(pmu, "msr_architectural_pmu");

static bool mpx_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;

    return !all_zero(cpu->bounds, sizeof(cpu->bounds)) ||
           cpu->bnd_config != 0 || cpu->bnd_status != 0 ||
           cpu->bnd_config_msr != 0;
}

static const struct gw_field bound_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_words2, words),
    GW_FIELD_END,
};

static const struct gw_vmstate bound_vmstate = {
    .name = "bnd_regs",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_words2),
    .fields = bound_fields,
};

static const struct gw_field mpx_fields[] = {
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, bounds, bound_vmstate,
                          struct vmm_words2),
    GW_FIELD_U64(struct vmm_cpu, bnd_config),
    GW_FIELD_U64(struct vmm_cpu, bnd_status),
    GW_FIELD_U64(struct vmm_cpu, bnd_config_msr),
    GW_FIELD_END,
};
SUBSECTION(mpx, "mpx");

static bool avx512_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;

    return !all_zero(cpu->opmask, sizeof(cpu->opmask)) ||
           !all_zero(cpu->zmm_high, sizeof(cpu->zmm_high)) ||
           !all_zero(cpu->zmm_upper, sizeof(cpu->zmm_upper));
}

static const struct gw_field words4_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_words4, words),
    GW_FIELD_END,
};

static const struct gw_vmstate zmm_high_vmstate = {
    .name = "zmmh_reg",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_words4),
    .fields = words4_fields,
};

static const struct gw_field words8_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_words8, words),
    GW_FIELD_END,
};

static const struct gw_vmstate zmm_upper_vmstate = {
    .name = "hi16_zmm_reg",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_words8),
    .fields = words8_fields,
};

static const struct gw_field avx512_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_cpu, opmask),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, zmm_high, zmm_high_vmstate,
                          struct vmm_words4),
    GW_FIELD_STRUCT_ARRAY(struct vmm_cpu, zmm_upper, zmm_upper_vmstate,
                          struct vmm_words8),
    GW_FIELD_END,
};
SUBSECTION(avx512, "avx512");

SUBSECTION_OF(U64, xss, 0, "xss");
SUBSECTION_OF(U32, umwait, 0, "umwait");
SUBSECTION_OF(I64, tsc_khz, 0, "tsc_khz");
SUBSECTION_OF(U64, smi_count, 0, "msr_smi_count");
SUBSECTION_OF(U32, pkru, 0, "pkru");
SUBSECTION_OF(U32, pkrs, 0, "pkrs");
SUBSECTION_OF(U64, spec_ctrl, 0, "spec_ctrl");
SUBSECTION_OF(U64, tsc_ratio, 0, "amd_tsc_scale_msr");
SUBSECTION_OF(U64, mcg_ext_ctl, 0, "mcg_ext_ctl");
SUBSECTION_OF(U64, virt_ssbd, 0, "virt_ssbd");

static bool tsx_ctrl_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;

    return cpu->has_tsx_ctrl;
}

static const struct gw_field tsx_ctrl_fields[] = {
    GW_FIELD_U32(struct vmm_cpu, tsx_ctrl),
    GW_FIELD_END,
};
SUBSECTION(tsx_ctrl, "msr_tsx_ctrl");

static bool pdptrs_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;

    return cpu->has_pdptrs;
}

static int pdptrs_post_load(void *state, uint32_t version,
                            struct gw_error **errp)
{
    struct vmm_cpu *cpu = state;

    cpu->has_pdptrs = true;
    return 0;
}

static const struct gw_field pdptrs_fields[] = {
    GW_FIELD_U64_ARRAY(struct vmm_cpu, pdptrs),
    GW_FIELD_END,
};

static const struct gw_vmstate pdptrs_vmstate = {
    .name = "cpu/pdptrs",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_cpu),
    .fields = pdptrs_fields,
    .needed = pdptrs_needed,
    .post_load = pdptrs_post_load,
};

static bool xfd_needed(const void *state)
{
    const struct vmm_cpu *cpu = state;

    return cpu->xfd != 0 || cpu->xfd_err != 0;
}

static const struct gw_field xfd_fields[] = {
    GW_FIELD_U64(struct vmm_cpu, xfd),
    GW_FIELD_U64(struct vmm_cpu, xfd_err),
    GW_FIELD_END,
};
SUBSECTION(xfd, "msr_xfd");

SUBSECTION_OF(U64, hwcr, 0, "msr_hwcr");
SUBSECTION_OF(U8, triple_fault, 0, "triple_fault");

const struct gw_vmstate *const vmm_cpu_subsections[] = {
    &exception_info_vmstate,
    &async_pf_msr_vmstate,
    &async_pf_int_msr_vmstate,
    &pv_eoi_msr_vmstate,
    &steal_time_msr_vmstate,
    &poll_control_msr_vmstate,
    &fpu_pointers_vmstate,
    &tsc_adjust_vmstate,
    &tsc_deadline_vmstate,
    &misc_enable_vmstate,
    &feature_control_vmstate,
    &pmu_vmstate,
    &mpx_vmstate,
    &avx512_vmstate,
    &xss_vmstate,
    &umwait_vmstate,
    &tsc_khz_vmstate,
    &smi_count_vmstate,
    &pkru_vmstate,
    &pkrs_vmstate,
    &spec_ctrl_vmstate,
    &tsc_ratio_vmstate,
    &mcg_ext_ctl_vmstate,
    &virt_ssbd_vmstate,
    &tsx_ctrl_vmstate,
    &pdptrs_vmstate,
    &xfd_vmstate,
    &hwcr_vmstate,
    &triple_fault_vmstate,
    NULL,
};
