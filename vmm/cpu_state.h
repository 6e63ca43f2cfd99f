/*
 * The state of an x86-64 vCPU as it moves: sections `cpu_common`, `cpu` and
 * `apic`. The order and the meaning of the members are those of the sections,
 * not of KVM's structures (kvm_*.c translate).
 */
#ifndef VMM_CPU_STATE_H
#define VMM_CPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct gw_vmstate;

/* General registers in x86 numbering. */
enum vmm_gpr {
    VMM_RAX = 0,
    VMM_RCX = 1,
    VMM_RDX = 2,
    VMM_RBX = 3,
    VMM_RSP = 4,
    VMM_RBP = 5,
    VMM_RSI = 6,
    VMM_RDI = 7,
    VMM_R8 = 8,
};

/* Segment registers in x86 numbering. */
enum vmm_segment_index {
    VMM_ES = 0,
    VMM_CS = 1,
    VMM_SS = 2,
    VMM_DS = 3,
    VMM_FS = 4,
    VMM_GS = 5,
    VMM_N_SEGMENTS = 6,
};

/* Attributes of a segment, as in the upper half of a descriptor. */
#define VMM_SEG_TYPE_SHIFT 8
#define VMM_SEG_S (1u << 12)
#define VMM_SEG_DPL_SHIFT 13
#define VMM_SEG_PRESENT (1u << 15)
#define VMM_SEG_AVL (1u << 20)
#define VMM_SEG_L (1u << 21)
#define VMM_SEG_DB (1u << 22)
#define VMM_SEG_G (1u << 23)

#define VMM_CR0_PE (1ull << 0)
#define VMM_CR0_ET (1ull << 4)
#define VMM_CR4_OSFXSR (1ull << 9)
#define VMM_EFER_LMA (1ull << 10)
#define VMM_RFLAGS_TF (1ull << 8)
#define VMM_RFLAGS_IOPL (3ull << 12)
#define VMM_RFLAGS_VM (1ull << 17)

/* Derived bits that have an effect where they are loaded. */
#define VMM_HFLAG_SMM (1u << 19)
/* cpu_common: an external interrupt is requested. */
#define VMM_CPU_INTERRUPT_HARD 0x2u
/* Second word: global interrupts on, NMIs masked, virtual GIF. */
#define VMM_HFLAG2_GIF (1u << 0)
#define VMM_HFLAG2_NMI (1u << 2)
#define VMM_HFLAG2_SMM_INSIDE_NMI (1u << 4)
#define VMM_HFLAG2_VGIF (1u << 8)

/* Values of mp_state: KVM's own. */
#define VMM_MP_RUNNABLE 0u
#define VMM_MP_UNINITIALIZED 1u
#define VMM_MP_HALTED 3u
#define VMM_MP_SIPI_RECEIVED 4u

#define VMM_MCE_BANKS 10
/* Ten banks, MCG_CTL, software error recovery: what QEMU offers. */
#define VMM_MCG_CAP 0x0100010aull
#define VMM_SMBASE 0x30000u

struct vmm_segment {
    uint32_t selector;
    uint64_t base;
    uint32_t limit;
    uint32_t flags;
};

struct vmm_fpreg {
    uint64_t mantissa;
    /* Sign and exponent. */
    uint16_t exponent;
};

struct vmm_mtrr {
    uint64_t base;
    uint64_t mask;
};

struct vmm_mce_bank {
    uint64_t ctl;
    uint64_t status;
    uint64_t addr;
    uint64_t misc;
};

/* Two or four 64-bit words of a vector register, low first. */
struct vmm_words2 {
    uint64_t words[2];
};
struct vmm_words4 {
    uint64_t words[4];
};
struct vmm_words8 {
    uint64_t words[8];
};

/* The local APIC, from its register page (8-bit formats). */
struct vmm_apic {
    uint32_t base;
    uint8_t id;
    uint8_t arbitration_id;
    uint8_t tpr;
    uint32_t spurious;
    uint8_t logical_dest;
    uint8_t dest_format;
    uint32_t isr[8];
    uint32_t tmr[8];
    uint32_t irr[8];
    uint32_t lvt[6];
    uint32_t esr;
    uint32_t icr[2];
    uint32_t divide;
    /* Derived from divide. */
    int32_t count_shift;
    uint32_t initial_count;
    /* VM clock at the save, and the expiries as if armed then. */
    int64_t load_time;
    int64_t next_time;
    int64_t timer_expiry;
};

struct vmm_cpu {
    /* --- cpu_common --- */
    uint32_t halted;
    /* Bit 1: the line of the 8259s is high. */
    uint32_t interrupt_request;

    /* --- cpu: integer and system registers --- */
    uint64_t regs[16];
    uint64_t rip;
    uint64_t rflags;
    uint32_t hflags;
    uint16_t fpu_control;
    uint16_t fpu_status;
    /* Bit i: physical register i is valid. */
    uint16_t fpu_tags;
    uint16_t fpu_format;
    struct vmm_fpreg fpregs[8];
    struct vmm_segment segments[VMM_N_SEGMENTS];
    struct vmm_segment ldt;
    struct vmm_segment tr;
    struct vmm_segment gdt;
    struct vmm_segment idt;
    uint32_t sysenter_cs;
    uint64_t sysenter_esp;
    uint64_t sysenter_eip;
    uint64_t cr0;
    uint64_t cr2;
    uint64_t cr3;
    uint64_t cr4;
    /* DR4 and DR5 are copies of DR6 and DR7. */
    uint64_t dr[8];
    int32_t a20_mask;
    uint32_t mxcsr;
    struct vmm_words2 xmm[16];
    uint64_t efer;
    uint64_t star;
    uint64_t lstar;
    uint64_t cstar;
    uint64_t sfmask;
    uint64_t kernel_gs_base;
    uint32_t smbase;
    uint64_t pat;
    uint32_t hflags2;
    uint64_t vm_hsave;
    uint64_t mtrr_fixed[11];
    uint64_t mtrr_default;
    struct vmm_mtrr mtrr[8];

    /* --- cpu: events --- */
    /* Vector of an injected external interrupt, or -1. */
    int32_t interrupt_injected;
    uint32_t mp_state;
    uint64_t tsc;
    /* Vector of an injected or pending exception, or -1. */
    int32_t exception_nr;
    uint8_t soft_interrupt;
    uint8_t nmi_injected;
    uint8_t nmi_pending;
    uint8_t has_error_code;
    uint32_t sipi_vector;
    uint64_t mcg_cap;
    uint64_t mcg_status;
    uint64_t mcg_ctl;
    struct vmm_mce_bank mce_banks[VMM_MCE_BANKS];
    uint64_t tsc_aux;
    uint64_t system_time_msr;
    uint64_t wall_clock_msr;

    /* --- cpu: extended state --- */
    uint64_t xcr0;
    uint64_t xstate_bv;
    /* Bits 255..128 of the YMM registers. */
    struct vmm_words2 ymm_high[16];

    /* --- subsections; the comment gives the value that is not sent --- */
    uint8_t exception_pending;     /* exception_info */
    uint8_t exception_injected;    /* exception_info */
    uint8_t exception_has_payload; /* exception_info */
    uint64_t exception_payload;    /* exception_info */
    uint64_t async_pf_msr;         /* 0 */
    uint64_t async_pf_int_msr;     /* 0 */
    uint64_t pv_eoi_msr;           /* 0 */
    uint64_t steal_time_msr;       /* 0 */
    uint64_t poll_control_msr;     /* 1 */
    uint16_t fpu_opcode;           /* fpop_ip_dp */
    uint64_t fpu_ip;               /* fpop_ip_dp */
    uint64_t fpu_dp;               /* fpop_ip_dp */
    uint64_t tsc_adjust;           /* 0 */
    uint64_t tsc_deadline;         /* 0 */
    uint64_t misc_enable;          /* 1 */
    uint64_t feature_control;      /* 0 */
    uint64_t pmu_fixed_ctrl;       /* msr_architectural_pmu: all 0 */
    uint64_t pmu_global_ctrl;
    uint64_t pmu_global_status;
    uint64_t pmu_global_ovf;
    uint64_t pmu_fixed[3];
    uint64_t pmu_counters[18];
    uint64_t pmu_events[18];
    struct vmm_words2 bounds[4]; /* mpx: all 0 */
    uint64_t bnd_config;         /* mpx, user configuration */
    uint64_t bnd_status;         /* mpx */
    uint64_t bnd_config_msr;     /* mpx */
    uint64_t opmask[8];          /* avx512: all 0 */
    /* Bits 511..256 of ZMM0..15. */
    struct vmm_words4 zmm_high[16];
    struct vmm_words8 zmm_upper[16]; /* ZMM16..31 */
    uint64_t xss;                    /* 0 */
    uint32_t umwait;                 /* 0 */
    int64_t tsc_khz;                 /* 0: unknown */
    uint64_t smi_count;              /* 0 */
    uint32_t pkru;                   /* 0 */
    uint32_t pkrs;                   /* 0 */
    uint64_t spec_ctrl;              /* 0 */
    uint64_t tsc_ratio;              /* 0: not offered */
    uint64_t mcg_ext_ctl;            /* 0 */
    uint64_t virt_ssbd;              /* 0 */
    uint32_t tsx_ctrl;               /* has_tsx_ctrl false */
    uint64_t pdptrs[4];              /* has_pdptrs false */
    uint64_t xfd;                    /* msr_xfd: both 0 */
    uint64_t xfd_err;
    uint64_t hwcr;        /* 0 */
    uint8_t triple_fault; /* 0 */

    /* --- not sent --- */
    /* TSX_CTRL is offered to the guest. */
    bool has_tsx_ctrl;
    /* pdptrs hold the page directory pointers of a PAE guest. */
    bool has_pdptrs;

    struct vmm_apic apic;
};

/* Of a struct vmm_cpu, of it too, and of its member apic. */
extern const struct gw_vmstate vmm_cpu_common_vmstate;
extern const struct gw_vmstate vmm_cpu_vmstate;
extern const struct gw_vmstate vmm_apic_vmstate;

/* The subsections of vmm_cpu_vmstate, in their order, NULL-terminated. */
extern const struct gw_vmstate *const vmm_cpu_subsections[];

/*
 * A vCPU with the values that a reset leaves and a stream may leave out.
 * What KVM knows better is read from KVM afterwards.
 */
void vmm_cpu_init(struct vmm_cpu *cpu);

/* What absent subsections mean; the state is about to be loaded. */
void vmm_cpu_clear_optional(struct vmm_cpu *cpu);

/* The derived bits, from the other registers. */
uint32_t vmm_cpu_hflags(const struct vmm_cpu *cpu);

/* Fills in the derived times of the APIC for a save at `now` (VM clock). */
void vmm_apic_derive_times(struct vmm_apic *apic, int64_t now);

#endif
