/*
 * Interrupts of the 8259s under KVM. They are in user space (split irqchip),
 * so the vector is handed over when the first vCPU can take it: its local APIC
 * lets the line through and its interrupts are enabled. Until then KVM is asked
 * to return as soon as that is so.
 */
#include "kvm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"

/* The line leads to the first CPU only. */
static struct vmm_i8259 *pics_of(struct vmm_kvm_vcpu *vcpu)
{
    struct vmm_isa *isa = &vcpu->kvm->machine->isa;

    return isa->has_pic && vcpu->index == 0 ? &isa->pics : NULL;
}

void vmm_kvm_offer_extint(struct vmm_kvm_vcpu *vcpu)
{
    struct vmm_i8259 *pics = pics_of(vcpu);

    if (!pics) {
        return;
    }
    if (vmm_i8259_intr(pics) && vcpu->run->ready_for_interrupt_injection) {
        struct kvm_interrupt interrupt = {.irq = vmm_i8259_acknowledge(pics)};

        vcpu->extint_given = true;
        if (ioctl(vcpu->fd, KVM_INTERRUPT, &interrupt) < 0) {
            fprintf(stderr, "godwit run: KVM_INTERRUPT: errno %d\n", errno);
        }
    }
    vcpu->run->request_interrupt_window = vmm_i8259_intr(pics);
}

void vmm_kvm_pic_raised(void *opaque)
{
    struct vmm_kvm *kvm = opaque;

    vmm_vcpus_nudge(&kvm->machine->vcpus, 0);
}

/*
 * With the signal pending, but blocked outside of KVM_RUN, the vCPU runs not
 * one instruction of the guest, and gets its interrupt on the way. A vCPU that
 * was halted wakes up in the first call.
 */
static void run_nothing(struct vmm_kvm_vcpu *vcpu)
{
    vcpu->run->immediate_exit = 0;
    vcpu->run->request_interrupt_window = 0;
    for (int i = 0; i < 2; i++) {
        if (ioctl(vcpu->fd, KVM_RUN, 0) == 0 || errno != EINTR) {
            fprintf(stderr, "godwit run: an interrupt may be lost\n");
        }
    }
}

void vmm_kvm_settle_extint(struct vmm_kvm_vcpu *vcpu)
{
    struct {
        struct kvm_signal_mask header;
        uint8_t bits[8];
    } inside = {.header.len = sizeof(inside.bits)};
    sigset_t blocked, old;

    vmm_kvm_offer_extint(vcpu);
    if (!vcpu->extint_given) {
        return;
    }
    vcpu->extint_given = false;
    sigemptyset(&blocked);
    sigaddset(&blocked, VMM_VCPUS_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    /* What the kernel counts from 0; `old` lets the signal through. */
    memcpy(inside.bits, &old, sizeof(inside.bits));
    if (ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &inside) == 0) {
        vmm_vcpus_signal(&vcpu->kvm->machine->vcpus, vcpu->index);
        run_nothing(vcpu);
        (void)!ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/*
 * A run that ends at once tells whether the new state takes interrupts. Without
 * it a vCPU that is halted would sleep, and not be asked again.
 */
int vmm_kvm_refresh_extint(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    if (!pics_of(vcpu)) {
        return 0;
    }
    vcpu->run->immediate_exit = 1;
    vcpu->run->request_interrupt_window = 0;
    if (ioctl(vcpu->fd, KVM_RUN, 0) < 0 && errno != EINTR) {
        return gw_error_set_errno(errp, -errno, "KVM_RUN");
    }
    return 0;
}

void vmm_kvm_save_extint(struct vmm_kvm_vcpu *vcpu)
{
    const struct vmm_i8259 *pics = pics_of(vcpu);

    if (pics && vmm_i8259_intr(pics)) {
        vcpu->cpu.interrupt_request |= VMM_CPU_INTERRUPT_HARD;
    } else {
        vcpu->cpu.interrupt_request &= ~VMM_CPU_INTERRUPT_HARD;
    }
}
