/*
 * Reading and writing the whole state of all vCPUs, in the orders that KVM
 * needs: what depends on what is said at each step.
 */
#include "kvm.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "machine.h"
#include "util.h"

/* What one of KVM's values takes to read, generously. */
#define READ_NS 5000

typedef int (*state_fn)(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp);

static int run_steps(struct vmm_kvm_vcpu *vcpu, const state_fn *steps, size_t n,
                     struct gw_error **errp)
{
    for (size_t i = 0; i < n; i++) {
        int r = steps[i](vcpu, errp);

        if (r < 0) {
            return gw_error_prefix(errp, r, "vCPU %u", vcpu->index);
        }
    }
    return 0;
}

static int derive(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct vmm_cpu *cpu = &vcpu->cpu;

    if (vcpu->kvm->has_tsc_khz) {
        int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

        cpu->tsc_khz = khz > 0 ? khz : 0;
    }
    cpu->hflags = vmm_cpu_hflags(cpu);
    vmm_kvm_save_extint(vcpu);
    vmm_apic_derive_times(&cpu->apic,
                          vmm_clock_now(&vcpu->kvm->machine->clock));
    return 0;
}

static int read_vcpu(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    /* Events and MP state may change registers, so they come first. */
    static const state_fn steps[] = {
        vmm_kvm_get_events, vmm_kvm_get_mp_state,
        vmm_kvm_get_regs,   vmm_kvm_get_xsave,
        vmm_kvm_get_xcrs,   vmm_kvm_get_sregs,
        vmm_kvm_get_msrs,   vmm_kvm_get_lapic,
        vmm_kvm_get_debug,  derive,
    };

    return run_steps(vcpu, steps, VMM_ARRAY_SIZE(steps), errp);
}

static int read_times_once(struct vmm_kvm *kvm, struct gw_error **errp)
{
    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        int r = vmm_kvm_get_tsc(&kvm->vcpus[i], errp);

        if (r < 0) {
            return gw_error_prefix(errp, r, "vCPU %u", i);
        }
    }
    return vmm_kvm_get_clock(kvm, errp);
}

/*
 * The TSCs and the clock are read one after the other, but stand for one
 * moment: a guest compares them, and distrusts the TSC if they have parted. So
 * they are read again if the host had something else to do in between, with
 * more patience each time; and the clock, read last, is set back to the moment
 * of the first TSC.
 */
static int read_times(struct vmm_kvm *kvm, struct gw_error **errp)
{
    int64_t patience_ns = READ_NS * (kvm->n_vcpus + 1), took_ns;
    uint64_t back_ns;

    do {
        int64_t begin_ns = vmm_now_ns();
        int r = read_times_once(kvm, errp);

        if (r < 0) {
            return r;
        }
        took_ns = vmm_now_ns() - begin_ns;
        patience_ns *= 2;
    } while (took_ns > patience_ns);
    back_ns = (uint64_t)took_ns * kvm->n_vcpus / (kvm->n_vcpus + 1);
    kvm->clock.clock -= kvm->clock.clock < back_ns ? 0 : back_ns;
    return 0;
}

int vmm_kvm_read_state(struct vmm_kvm *kvm, struct gw_error **errp)
{
    int r = read_times(kvm, errp);

    for (unsigned int i = 0; i < kvm->n_vcpus && r == 0; i++) {
        r = read_vcpu(&kvm->vcpus[i], errp);
    }
    return r;
}

static int put_tsc_khz(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    int64_t khz = vcpu->cpu.tsc_khz;

    /* A host that cannot scale refuses other frequencies: tolerated. */
    if (vcpu->kvm->has_tsc_khz && khz > 0 && khz <= INT32_MAX &&
        khz != ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0)) {
        (void)!ioctl(vcpu->fd, KVM_SET_TSC_KHZ, khz);
    }
    return 0;
}

static int put_msrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    int r = vmm_kvm_put_msrs(vcpu, errp);

    /* From here on the TSC counts: that of the first vCPU, and the others are
     * kept in step with it. */
    if (vcpu->index == 0) {
        vcpu->kvm->tsc_since_ns = vmm_now_ns();
    }
    return r;
}

static int write_vcpu(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    /*
     * CPUID was set when the vCPU was made. The TSC's frequency before the
     * TSC; the APIC's mode before MSRs that depend on it; system registers
     * before general ones; XCR0 after the image that may need more; events
     * after the registers that would clear them.
     */
    static const state_fn steps[] = {
        put_tsc_khz,      vmm_kvm_put_lapic,  vmm_kvm_put_sregs,
        vmm_kvm_put_regs, vmm_kvm_put_xsave,  vmm_kvm_put_xcrs,
        put_msrs,         vmm_kvm_put_events, vmm_kvm_put_mp_state,
    };

    return run_steps(vcpu, steps, VMM_ARRAY_SIZE(steps), errp);
}

static int check_offer(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    return vmm_kvm_check_offer(vcpu->kvm->cpuid, &vcpu->cpu, errp);
}

int vmm_kvm_try_state(struct vmm_kvm *kvm, struct gw_error **errp)
{
    static const state_fn steps[] = {
        check_offer,       vmm_kvm_put_lapic, vmm_kvm_put_sregs,
        vmm_kvm_put_xsave, vmm_kvm_put_xcrs,  vmm_kvm_try_msrs,
    };
    int r = 0;

    for (unsigned int i = 0; i < kvm->n_vcpus && r == 0; i++) {
        r = run_steps(&kvm->vcpus[i], steps, VMM_ARRAY_SIZE(steps), errp);
    }
    return r;
}

/* The deadline after TSC and timer mode; then debug registers. */
static int write_late(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    static const state_fn steps[] = {
        vmm_kvm_put_deadline,
        vmm_kvm_put_debug,
        vmm_kvm_refresh_extint,
    };

    return run_steps(vcpu, steps, VMM_ARRAY_SIZE(steps), errp);
}

/*
 * All vCPUs get their main state quickly one after the other: KVM keeps their
 * TSCs in step if the writes are near to each other.
 */
int vmm_kvm_write_state(struct vmm_kvm *kvm, struct gw_error **errp)
{
    int r = 0;

    for (unsigned int i = 0; i < kvm->n_vcpus && r == 0; i++) {
        r = write_vcpu(&kvm->vcpus[i], errp);
    }
    for (unsigned int i = 0; i < kvm->n_vcpus && r == 0; i++) {
        r = write_late(&kvm->vcpus[i], errp);
    }
    return r;
}
