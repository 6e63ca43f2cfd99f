/*
 * General, system and debug registers between KVM and the saved state.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* KVM's order of the general registers, by x86 number. */
#define FOR_EACH_GPR(X) \
    X(rax, 0)           \
    X(rcx, 1)           \
    X(rdx, 2)           \
    X(rbx, 3)           \
    X(rsp, 4)           \
    X(rbp, 5)           \
    X(rsi, 6)           \
    X(rdi, 7)           \
    X(r8, 8)            \
    X(r9, 9)            \
    X(r10, 10)          \
    X(r11, 11)          \
    X(r12, 12)          \
    X(r13, 13)          \
    X(r14, 14)          \
    X(r15, 15)

void vmm_kvm_regs_to_cpu(const struct kvm_regs *regs, struct vmm_cpu *cpu)
{
#define TO_CPU(name, number) cpu->regs[number] = regs->name;
    FOR_EACH_GPR(TO_CPU)
#undef TO_CPU
    cpu->rip = regs->rip;
    cpu->rflags = regs->rflags;
}

void vmm_kvm_regs_from_cpu(const struct vmm_cpu *cpu, struct kvm_regs *regs)
{
#define FROM_CPU(name, number) regs->name = cpu->regs[number];
    FOR_EACH_GPR(FROM_CPU)
#undef FROM_CPU
    regs->rip = cpu->rip;
    regs->rflags = cpu->rflags;
}

static struct vmm_segment segment_to_cpu(const struct kvm_segment *from)
{
    struct vmm_segment to = {
        .selector = from->selector, .base = from->base, .limit = from->limit};

    to.flags = (uint32_t)from->type << VMM_SEG_TYPE_SHIFT |
               (uint32_t)from->dpl << VMM_SEG_DPL_SHIFT |
               (from->s ? VMM_SEG_S : 0) | (from->avl ? VMM_SEG_AVL : 0) |
               (from->l ? VMM_SEG_L : 0) | (from->db ? VMM_SEG_DB : 0) |
               (from->g ? VMM_SEG_G : 0) |
               (from->present && !from->unusable ? VMM_SEG_PRESENT : 0);
    return to;
}

static struct kvm_segment segment_from_cpu(const struct vmm_segment *from)
{
    uint32_t flags = from->flags;

    return (struct kvm_segment){
        .base = from->base,
        .limit = from->limit,
        .selector = (uint16_t)from->selector,
        .type = (flags >> VMM_SEG_TYPE_SHIFT) & 15,
        .present = (flags & VMM_SEG_PRESENT) != 0,
        .dpl = (flags >> VMM_SEG_DPL_SHIFT) & 3,
        .db = (flags & VMM_SEG_DB) != 0,
        .s = (flags & VMM_SEG_S) != 0,
        .l = (flags & VMM_SEG_L) != 0,
        .g = (flags & VMM_SEG_G) != 0,
        .avl = (flags & VMM_SEG_AVL) != 0,
        .unusable = (flags & VMM_SEG_PRESENT) == 0,
    };
}

/* In virtual-8086 mode the hardware knows one kind of segment. */
static struct kvm_segment segment_v86(const struct vmm_segment *from)
{
    return (struct kvm_segment){.base = from->base,
                                .limit = from->limit,
                                .selector = (uint16_t)from->selector,
                                .type = 3,
                                .present = 1,
                                .dpl = 3,
                                .s = 1};
}

void vmm_kvm_sregs_to_cpu(const struct kvm_sregs2 *sregs, struct vmm_cpu *cpu)
{
    const struct kvm_segment *segments[] = {&sregs->es, &sregs->cs, &sregs->ss,
                                            &sregs->ds, &sregs->fs, &sregs->gs};

    for (int i = 0; i < VMM_N_SEGMENTS; i++) {
        cpu->segments[i] = segment_to_cpu(segments[i]);
    }
    cpu->ldt = segment_to_cpu(&sregs->ldt);
    cpu->tr = segment_to_cpu(&sregs->tr);
    cpu->gdt = (struct vmm_segment){.base = sregs->gdt.base,
                                    .limit = sregs->gdt.limit};
    cpu->idt = (struct vmm_segment){.base = sregs->idt.base,
                                    .limit = sregs->idt.limit};
    cpu->cr0 = sregs->cr0;
    cpu->cr2 = sregs->cr2;
    cpu->cr3 = sregs->cr3;
    cpu->cr4 = sregs->cr4;
    cpu->efer = sregs->efer;
    cpu->apic.base = (uint32_t)sregs->apic_base;
    cpu->has_pdptrs = sregs->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
    memset(cpu->pdptrs, 0, sizeof(cpu->pdptrs));
    if (cpu->has_pdptrs) {
        memcpy(cpu->pdptrs, sregs->pdptrs, sizeof(cpu->pdptrs));
    }
}

static void clear_dpl(struct kvm_segment *segments[VMM_N_SEGMENTS])
{
    for (int i = 0; i < VMM_N_SEGMENTS; i++) {
        segments[i]->dpl = 0;
    }
}

void vmm_kvm_sregs_from_cpu(const struct vmm_cpu *cpu, struct kvm_sregs2 *sregs)
{
    struct kvm_segment *segments[] = {&sregs->es, &sregs->cs, &sregs->ss,
                                      &sregs->ds, &sregs->fs, &sregs->gs};
    bool v86 = cpu->rflags & VMM_RFLAGS_VM;

    memset(sregs, 0, sizeof(*sregs));
    for (int i = 0; i < VMM_N_SEGMENTS; i++) {
        *segments[i] = v86 ? segment_v86(&cpu->segments[i])
                           : segment_from_cpu(&cpu->segments[i]);
    }
    if (!(cpu->cr0 & VMM_CR0_PE) && sregs->cs.dpl != 0) {
        clear_dpl(segments);
    }
    sregs->ldt = segment_from_cpu(&cpu->ldt);
    sregs->tr = segment_from_cpu(&cpu->tr);
    sregs->gdt.base = cpu->gdt.base;
    sregs->gdt.limit = (uint16_t)cpu->gdt.limit;
    sregs->idt.base = cpu->idt.base;
    sregs->idt.limit = (uint16_t)cpu->idt.limit;
    sregs->cr0 = cpu->cr0;
    sregs->cr2 = cpu->cr2;
    sregs->cr3 = cpu->cr3;
    sregs->cr4 = cpu->cr4;
    sregs->cr8 = cpu->apic.tpr >> 4;
    sregs->efer = cpu->efer;
    sregs->apic_base = cpu->apic.base;
    if (cpu->has_pdptrs) {
        sregs->flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
        memcpy(sregs->pdptrs, cpu->pdptrs, sizeof(cpu->pdptrs));
    }
}

void vmm_kvm_debug_to_cpu(const struct kvm_debugregs *debug,
                          struct vmm_cpu *cpu)
{
    for (int i = 0; i < 4; i++) {
        cpu->dr[i] = debug->db[i];
    }
    cpu->dr[4] = cpu->dr[6] = debug->dr6;
    cpu->dr[5] = cpu->dr[7] = debug->dr7;
}

void vmm_kvm_debug_from_cpu(const struct vmm_cpu *cpu,
                            struct kvm_debugregs *debug)
{
    memset(debug, 0, sizeof(*debug));
    for (int i = 0; i < 4; i++) {
        debug->db[i] = cpu->dr[i];
    }
    debug->dr6 = cpu->dr[6];
    debug->dr7 = cpu->dr[7];
}

int vmm_kvm_get_regs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_regs regs;

    if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_REGS");
    }
    vmm_kvm_regs_to_cpu(&regs, &vcpu->cpu);
    return 0;
}

int vmm_kvm_put_regs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_regs regs;

    vmm_kvm_regs_from_cpu(&vcpu->cpu, &regs);
    if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_REGS");
    }
    return 0;
}

/* Without SREGS2 the page directory pointers stay in guest RAM only. */
static int get_old_sregs(struct vmm_kvm_vcpu *vcpu, struct kvm_sregs2 *sregs2)
{
    struct kvm_sregs sregs;

    if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0) {
        return -errno;
    }
    memset(sregs2, 0, sizeof(*sregs2));
    memcpy(sregs2, &sregs, offsetof(struct kvm_sregs2, flags));
    return 0;
}

static int put_old_sregs(struct vmm_kvm_vcpu *vcpu,
                         const struct kvm_sregs2 *sregs2)
{
    struct kvm_sregs sregs = {0};

    memcpy(&sregs, sregs2, offsetof(struct kvm_sregs2, flags));
    return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ? -errno : 0;
}

_Static_assert(offsetof(struct kvm_sregs2, flags) ==
                   offsetof(struct kvm_sregs, interrupt_bitmap),
               "the two begin alike");

int vmm_kvm_get_sregs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_sregs2 sregs = {0};
    int r;

    if (vcpu->kvm->has_sregs2) {
        r = ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs) < 0 ? -errno : 0;
    } else {
        r = get_old_sregs(vcpu, &sregs);
    }
    if (r < 0) {
        return gw_error_set_errno(errp, r, "KVM_GET_SREGS");
    }
    vmm_kvm_sregs_to_cpu(&sregs, &vcpu->cpu);
    return 0;
}

int vmm_kvm_put_sregs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_sregs2 sregs;
    int r;

    vmm_kvm_sregs_from_cpu(&vcpu->cpu, &sregs);
    if (vcpu->kvm->has_sregs2) {
        r = ioctl(vcpu->fd, KVM_SET_SREGS2, &sregs) < 0 ? -errno : 0;
    } else {
        r = put_old_sregs(vcpu, &sregs);
    }
    if (r < 0) {
        return gw_error_set_errno(errp, r,
                                  "KVM_SET_SREGS (cr0 0x%llx, cr4 0x%llx, "
                                  "efer 0x%llx)",
                                  (unsigned long long)sregs.cr0,
                                  (unsigned long long)sregs.cr4,
                                  (unsigned long long)sregs.efer);
    }
    return 0;
}

int vmm_kvm_get_debug(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_debugregs debug;

    if (ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &debug) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_DEBUGREGS");
    }
    vmm_kvm_debug_to_cpu(&debug, &vcpu->cpu);
    return 0;
}

int vmm_kvm_put_debug(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_debugregs debug;

    vmm_kvm_debug_from_cpu(&vcpu->cpu, &debug);
    if (ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &debug) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_DEBUGREGS");
    }
    return 0;
}
