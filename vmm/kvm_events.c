/*
 * Events and multiprocessing state between KVM and the saved state.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/*
 * We do not enable KVM's exception payloads: then it reports a pending
 * exception as an injected one and has CR2 and DR6 set already.
 */
void vmm_kvm_events_to_cpu(const struct kvm_vcpu_events *events,
                           struct vmm_cpu *cpu)
{
    cpu->exception_nr = events->exception.injected ? events->exception.nr : -1;
    cpu->has_error_code =
        events->exception.injected && events->exception.has_error_code;
    cpu->interrupt_injected =
        events->interrupt.injected ? events->interrupt.nr : -1;
    cpu->soft_interrupt = events->interrupt.soft;
    cpu->nmi_injected = events->nmi.injected;
    cpu->nmi_pending = events->nmi.pending;
    cpu->sipi_vector = events->sipi_vector;
    cpu->hflags2 = VMM_HFLAG2_GIF | VMM_HFLAG2_VGIF;
    cpu->hflags2 |= events->nmi.masked ? VMM_HFLAG2_NMI : 0;
    cpu->hflags2 |= events->smi.smm_inside_nmi ? VMM_HFLAG2_SMM_INSIDE_NMI : 0;
    cpu->hflags &= ~VMM_HFLAG_SMM;
    cpu->hflags |= events->smi.smm ? VMM_HFLAG_SMM : 0;
    cpu->triple_fault = (events->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
                            ? events->triple_fault.pending
                            : 0;
}

void vmm_kvm_events_from_cpu(const struct vmm_kvm *kvm,
                             const struct vmm_cpu *cpu,
                             struct kvm_vcpu_events *events)
{
    memset(events, 0, sizeof(*events));
    if (cpu->exception_nr >= 0) {
        events->exception.injected = 1;
        events->exception.nr = (uint8_t)cpu->exception_nr;
        events->exception.has_error_code = cpu->has_error_code;
    }
    if (cpu->interrupt_injected >= 0) {
        events->interrupt.injected = 1;
        events->interrupt.nr = (uint8_t)cpu->interrupt_injected;
        events->interrupt.soft = cpu->soft_interrupt;
    }
    events->nmi.injected = cpu->nmi_injected;
    events->nmi.pending = cpu->nmi_pending;
    events->nmi.masked = (cpu->hflags2 & VMM_HFLAG2_NMI) != 0;
    events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
    if (cpu->mp_state == VMM_MP_SIPI_RECEIVED) {
        events->sipi_vector = cpu->sipi_vector;
        events->flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
    }
    if (kvm->has_triple_fault) {
        events->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
        events->triple_fault.pending = cpu->triple_fault;
    }
}

int vmm_kvm_get_events(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_vcpu_events events = {0};

    if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_VCPU_EVENTS");
    }
    vmm_kvm_events_to_cpu(&events, &vcpu->cpu);
    return 0;
}

int vmm_kvm_put_events(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_vcpu_events events;

    if (vcpu->cpu.hflags & VMM_HFLAG_SMM) {
        return gw_error_set(errp, -ENOTSUP,
                            "the vCPU is in system management mode, which "
                            "this machine has not");
    }
    vmm_kvm_events_from_cpu(vcpu->kvm, &vcpu->cpu, &events);
    if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_VCPU_EVENTS");
    }
    return 0;
}

int vmm_kvm_get_mp_state(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_mp_state state;

    if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_MP_STATE");
    }
    vcpu->cpu.mp_state = state.mp_state;
    vcpu->cpu.halted = state.mp_state == VMM_MP_HALTED;
    return 0;
}

int vmm_kvm_put_mp_state(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_mp_state state = {.mp_state = vcpu->cpu.mp_state};

    if (ioctl(vcpu->fd, KVM_SET_MP_STATE, &state) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_MP_STATE(%u)",
                                  state.mp_state);
    }
    return 0;
}
