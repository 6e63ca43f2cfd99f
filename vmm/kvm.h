/*
 * Inside of the accelerator `kvm`: what its files share.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <godwit/error.h>

#include "accel.h"
#include "cpu_state.h"
#include "guest_memory.h"

struct gw_ram_block;
struct gw_tracker_ops;
struct gw_vmstate;
struct vmm_kvm;

/* Pages of the host's KVM in guest space: identity map, then TSS. */
#define VMM_KVM_IDENTITY_MAP 0xfeffc000ull
#define VMM_KVM_TSS 0xfeffd000u
/* The most CPUID entries KVM is asked for, and MSRs it lists. */
#define VMM_KVM_MAX_CPUID 256
#define VMM_KVM_MAX_MSRS 1024
/* Bytes of the largest XSAVE image we keep. */
#define VMM_KVM_XSAVE_BYTES 8192u

/* Where the components of an XSAVE image are; 0 if not offered. */
struct vmm_xsave_layout {
    /* Bytes of the image. */
    uint32_t size;
    uint32_t bndregs;
    uint32_t bndcsr;
    uint32_t opmask;
    uint32_t zmm_high;
    uint32_t zmm_upper;
    uint32_t pkru;
};

/* Section `kvmclock`. */
struct vmm_kvmclock {
    /* Nanoseconds, taken when the machine stopped. */
    uint64_t clock;
    /* The clock may be set as it is. */
    bool is_reliable;
};

struct vmm_kvm_vcpu {
    struct vmm_kvm *kvm;
    unsigned int index;
    int fd;
    /* Shared with the kernel. */
    struct kvm_run *run;
    size_t run_size;
    /* The dirty ring, or NULL; the next entry. Guarded by kvm->ring_lock. */
    struct kvm_dirty_gfn *ring;
    uint32_t ring_next;
    /* KVM was given a vector since the last pause. */
    bool extint_given;
    /* The saved state; valid while parked. */
    struct vmm_cpu cpu;
    /* What it is after a reset: as KVM made the vCPU; constant. */
    struct vmm_cpu after_reset;
};

/* A range of guest RAM that KVM maps. */
struct vmm_kvm_slot {
    struct vmm_memory_range range;
    /*
     * While writes are logged: a bit for each page, padded to whole words.
     * Log: what the last sync reported and was not armed since; threads that
     * arm have words of their own. Ring: what was taken from the rings and
     * not reported yet; guarded by ring_lock.
     */
    unsigned long *reported;
};

struct vmm_kvm {
    struct vmm_accel base;
    struct vmm_machine *machine;
    int kvm_fd;
    int vm_fd;
    /* What KVM and the guest may do; constant after create. */
    struct kvm_cpuid2 *cpuid;
    struct kvm_msr_list *msr_list;
    struct vmm_xsave_layout xsave;
    unsigned int phys_bits;
    bool has_tsc_khz;
    bool has_sregs2;
    bool has_xsave2;
    bool has_triple_fault;
    bool has_mce;
    bool has_avx;
    /* The dirty log is cleared by hand. */
    bool manual_protect;
    /* Entries of each vCPU's dirty ring; 0: the log is used. */
    uint32_t ring_size;
    pthread_mutex_t ring_lock;
    unsigned int n_slots;
    struct vmm_kvm_slot slots[VMM_GUEST_RANGES];
    unsigned int n_vcpus;
    struct vmm_kvm_vcpu vcpus[VMM_MAX_CPUS];
    struct vmm_kvmclock clock;
    /* When the TSCs were set (vmm_now_ns); 0: they counted all the time. */
    int64_t tsc_since_ns;
    /* Triple faults so far; atomic. */
    unsigned int n_triple_faults;
    /* The saved state was loaded or set: write it before the next run. */
    bool dirty;
};

extern const struct gw_vmstate vmm_kvmclock_vmstate;

/* ---- kvm_cpuid.c ---- */

/* Fills in kvm->cpuid, xsave and phys_bits. */
int vmm_kvm_init_cpuid(struct vmm_kvm *kvm, struct gw_error **errp)
    GW_MUST_CHECK;

/* Gives a vCPU its CPUID. */
int vmm_kvm_set_cpuid(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
    GW_MUST_CHECK;

/* ---- kvm_offer.c ---- */

/*
 * Whether a CPU of that CPUID has what the vCPU makes use of, as far as its
 * registers tell: XCR0, CR4, EFER. -EPROTO and the feature's name.
 */
int vmm_kvm_check_offer(const struct kvm_cpuid2 *cpuid,
                        const struct vmm_cpu *cpu, struct gw_error **errp)
    GW_MUST_CHECK;

/* ---- kvm_regs.c: pure translations, and their ioctls ---- */

void vmm_kvm_regs_to_cpu(const struct kvm_regs *regs, struct vmm_cpu *cpu);
void vmm_kvm_regs_from_cpu(const struct vmm_cpu *cpu, struct kvm_regs *regs);
void vmm_kvm_sregs_to_cpu(const struct kvm_sregs2 *sregs, struct vmm_cpu *cpu);
void vmm_kvm_sregs_from_cpu(const struct vmm_cpu *cpu,
                            struct kvm_sregs2 *sregs);
void vmm_kvm_debug_to_cpu(const struct kvm_debugregs *debug,
                          struct vmm_cpu *cpu);
void vmm_kvm_debug_from_cpu(const struct vmm_cpu *cpu,
                            struct kvm_debugregs *debug);

int vmm_kvm_get_regs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_regs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_get_sregs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_sregs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_get_debug(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_debug(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);

/* ---- kvm_events.c ---- */

void vmm_kvm_events_to_cpu(const struct kvm_vcpu_events *events,
                           struct vmm_cpu *cpu);
void vmm_kvm_events_from_cpu(const struct vmm_kvm *kvm,
                             const struct vmm_cpu *cpu,
                             struct kvm_vcpu_events *events);

int vmm_kvm_get_events(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_events(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_get_mp_state(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_mp_state(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);

/* ---- kvm_xsave.c ---- */

/* An image of VMM_KVM_XSAVE_BYTES bytes. */
void vmm_kvm_xsave_to_cpu(const struct vmm_xsave_layout *layout,
                          const uint8_t *image, struct vmm_cpu *cpu);
void vmm_kvm_xsave_from_cpu(const struct vmm_xsave_layout *layout,
                            const struct vmm_cpu *cpu, uint8_t *image);

int vmm_kvm_get_xsave(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_xsave(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_get_xcrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_xcrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);

/* ---- kvm_msrs.c ---- */

/* Fills in kvm->msr_list. */
int vmm_kvm_init_msrs(struct vmm_kvm *kvm, struct gw_error **errp)
    GW_MUST_CHECK;

int vmm_kvm_get_tsc(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_get_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
/* The same, but for the TSC. */
int vmm_kvm_try_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
/* The TSC deadline: after the APIC's timer mode and the TSC. */
int vmm_kvm_put_deadline(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
/* Sets one MSR. */
int vmm_kvm_put_msr(struct vmm_kvm_vcpu *vcpu, uint32_t index, uint64_t value,
                    struct gw_error **errp);

/* ---- kvm_lapic.c ---- */

void vmm_kvm_lapic_to_apic(const struct kvm_lapic_state *page,
                           struct vmm_apic *apic);
void vmm_kvm_lapic_from_apic(const struct vmm_apic *apic,
                             struct kvm_lapic_state *page);

int vmm_kvm_get_lapic(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
int vmm_kvm_put_lapic(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);

/* ---- kvm_extint.c: interrupts of 8259s; nothing on a machine without ---- */

/* Before each run. */
void vmm_kvm_offer_extint(struct vmm_kvm_vcpu *vcpu);
/*
 * After the last run before a pause: what the vCPU can take it takes, also a
 * halted one, which others would not wake up for it. A vector that KVM was
 * given, which nothing can read, becomes an interrupt that events tell of.
 */
void vmm_kvm_settle_extint(struct vmm_kvm_vcpu *vcpu);
/* The vCPU, parked, got another state: may it be interrupted? */
int vmm_kvm_refresh_extint(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);
/* Into the saved state: QEMU looks there whether the line is high. */
void vmm_kvm_save_extint(struct vmm_kvm_vcpu *vcpu);
/* A function of the accelerator's table. */
void vmm_kvm_pic_raised(void *opaque);

/* ---- kvm_clock.c ---- */

int vmm_kvm_get_clock(struct vmm_kvm *kvm, struct gw_error **errp);
int vmm_kvm_put_clock(struct vmm_kvm *kvm, struct gw_error **errp);

/* ---- kvm_state.c: all of it, in the right order ---- */

/* Reads everything from parked vCPUs. */
int vmm_kvm_read_state(struct vmm_kvm *kvm, struct gw_error **errp);
/* Writes everything into parked vCPUs. */
int vmm_kvm_write_state(struct vmm_kvm *kvm, struct gw_error **errp);
/*
 * Whether KVM takes what was loaded, but for times: they are written when the
 * vCPUs run. -EPROTO and what the guest uses that is not offered here.
 */
int vmm_kvm_try_state(struct vmm_kvm *kvm, struct gw_error **errp)
    GW_MUST_CHECK;

/* ---- kvm_memory.c: slots ---- */

/* Maps guest RAM and fills in kvm->slots. */
int vmm_kvm_map_memory(struct vmm_kvm *kvm, struct gw_error **errp)
    GW_MUST_CHECK;

/* Writes to all slots are logged, or no longer. The guest may run. */
int vmm_kvm_start_logging(struct vmm_kvm *kvm, struct gw_error **errp)
    GW_MUST_CHECK;
void vmm_kvm_stop_logging(struct vmm_kvm *kvm);

/* Whether the slot is memory of the block, and its first page there. */
bool vmm_kvm_slot_in_block(const struct vmm_kvm_slot *slot,
                           const struct gw_ram_block *block,
                           uint64_t *ret_first);

/* Words of a bitmap of its pages. */
uint64_t vmm_kvm_slot_words(const struct vmm_kvm_slot *slot);

/* Gives each slot its bitmap, all bits set or clear. -ENOMEM. */
int vmm_kvm_alloc_reported(struct vmm_kvm *kvm, bool set) GW_MUST_CHECK;
void vmm_kvm_free_reported(struct vmm_kvm *kvm);

/* ---- kvm_ring.c: the dirty ring ---- */

/* Asks KVM for rings of so many entries; before there are vCPUs. */
int vmm_kvm_init_ring(struct vmm_kvm *kvm, uint32_t n_entries,
                      struct gw_error **errp) GW_MUST_CHECK;
void vmm_kvm_deinit_ring(struct vmm_kvm *kvm);

/* Maps the ring of a new vCPU, if there are rings. */
int vmm_kvm_map_ring(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
    GW_MUST_CHECK;
void vmm_kvm_unmap_ring(struct vmm_kvm_vcpu *vcpu);

/* A ring is full: makes room in all. On the vCPU's thread. */
int vmm_kvm_ring_full(struct vmm_kvm *kvm) GW_MUST_CHECK;

extern const struct gw_tracker_ops vmm_kvm_ring_ops;

/* ---- kvm_dirty.c: the dirty log ---- */

/* Sets up the log or the ring; the VM is there, its memory not yet. */
int vmm_kvm_init_dirty(struct vmm_kvm *kvm, struct gw_error **errp)
    GW_MUST_CHECK;

/* A function of the accelerator's table. */
int vmm_kvm_add_tracker(struct vmm_accel *accel, struct gw_error **errp)
    GW_MUST_CHECK;

/* ---- kvm_boot.c ---- */

/* Reset and start; functions of the accelerator's table. */
void vmm_kvm_reset(struct vmm_accel *accel);
int vmm_kvm_boot(struct vmm_accel *accel, const struct vmm_options *options,
                 struct gw_error **errp) GW_MUST_CHECK;

/* ---- kvm_report.c ---- */

/* Prints what people want to know of registers and events. */
void vmm_kvm_report_print(FILE *to, const struct vmm_cpu *cpu);
/* Whether this is how a vCPU starts after a reset. */
bool vmm_kvm_report_is_reset(const struct vmm_cpu *cpu);
/* Tells on standard error where a vCPU, on its own thread, has got stuck. */
void vmm_kvm_report(struct vmm_kvm_vcpu *vcpu);

/* ---- kvm_vcpu.c ---- */

int vmm_kvm_vcpu_init(struct vmm_kvm *kvm, unsigned int index,
                      struct gw_error **errp) GW_MUST_CHECK;
void vmm_kvm_vcpu_deinit(struct vmm_kvm_vcpu *vcpu);

/* The threads' side of the accelerator. */
void vmm_kvm_vcpu_arm(void *opaque, unsigned int index);
void vmm_kvm_vcpu_run(void *opaque, unsigned int index);
void vmm_kvm_vcpu_kick(void *opaque, unsigned int index);
void vmm_kvm_vcpu_park(void *opaque, unsigned int index);

#endif
