/*
 * Reset values and derived values of a vCPU.
 */
#include "cpu_state.h"

#include <string.h>

#include <godwit/vmstate.h>

#define APIC_LVT_MASKED (1u << 16)
#define APIC_LVT_TIMER 0

void vmm_cpu_clear_optional(struct vmm_cpu *cpu)
{
    const size_t start = offsetof(struct vmm_cpu, exception_pending);
    const size_t end = offsetof(struct vmm_cpu, has_tsx_ctrl);

    memset((uint8_t *)cpu + start, 0, end - start);
    cpu->poll_control_msr = 1;
    cpu->misc_enable = 1;
    cpu->has_pdptrs = false;
}

void vmm_cpu_init(struct vmm_cpu *cpu)
{
    memset(cpu, 0, sizeof(*cpu));
    vmm_cpu_clear_optional(cpu);
    cpu->a20_mask = -1;
    cpu->hflags2 = VMM_HFLAG2_GIF | VMM_HFLAG2_VGIF;
    cpu->smbase = VMM_SMBASE;
    cpu->mcg_cap = VMM_MCG_CAP;
    cpu->interrupt_injected = -1;
    cpu->exception_nr = -1;
}

static uint32_t code_flags(const struct vmm_cpu *cpu)
{
    const struct vmm_segment *cs = &cpu->segments[VMM_CS];
    const struct vmm_segment *ss = &cpu->segments[VMM_SS];
    uint32_t flags = 0;
    bool flat;

    if (cpu->efer & VMM_EFER_LMA) {
        flags |= 1u << 14;
        if (cs->flags & VMM_SEG_L) {
            return flags | 1u << 4 | 1u << 5 | 1u << 15;
        }
    }
    flags |= (cs->flags & VMM_SEG_DB) ? 1u << 4 : 0;
    flags |= (ss->flags & VMM_SEG_DB) ? 1u << 5 : 0;
    flat = (cpu->cr0 & VMM_CR0_PE) && !(cpu->rflags & VMM_RFLAGS_VM) &&
           (cs->flags & VMM_SEG_DB) &&
           (cpu->segments[VMM_DS].base | cpu->segments[VMM_ES].base |
            ss->base) == 0;
    return flags | (flat ? 0 : 1u << 6);
}

uint32_t vmm_cpu_hflags(const struct vmm_cpu *cpu)
{
    uint32_t flags = code_flags(cpu);

    flags |= (cpu->segments[VMM_SS].flags >> VMM_SEG_DPL_SHIFT) & 3;
    flags |= (uint32_t)(cpu->cr0 & VMM_CR0_PE) << 7;
    /* MP, EM, TS: bits 1..3 of CR0 to 9..11. */
    flags |= (uint32_t)(cpu->cr0 & 0xe) << 8;
    flags |= (uint32_t)(cpu->rflags &
                        (VMM_RFLAGS_TF | VMM_RFLAGS_IOPL | VMM_RFLAGS_VM));
    flags |= (cpu->cr4 & VMM_CR4_OSFXSR) ? 1u << 22 : 0;
    return flags | (cpu->hflags & VMM_HFLAG_SMM);
}

void vmm_apic_derive_times(struct vmm_apic *apic, int64_t now)
{
    uint32_t divide = (apic->divide & 3) | ((apic->divide >> 1) & 4);

    apic->count_shift = (int32_t)((divide + 1) & 7);
    apic->load_time = now;
    apic->next_time = 0;
    apic->timer_expiry = GW_TIMER_NOT_ARMED;
    if (apic->initial_count == 0) {
        return;
    }
    apic->next_time =
        (int64_t)((uint64_t)now +
                  (((uint64_t)apic->initial_count + 1) << apic->count_shift));
    if (!(apic->lvt[APIC_LVT_TIMER] & APIC_LVT_MASKED)) {
        apic->timer_expiry = apic->next_time;
    }
}
