/*
 * KVM's paravirtual clock: section `kvmclock`, version 1.
 */
#include "kvm.h"

#include <errno.h>
#include <sys/ioctl.h>

#include <godwit/vmstate.h>

#include "util.h"

static const struct gw_field reliable_fields[] = {
    GW_FIELD_BOOL(struct vmm_kvmclock, is_reliable),
    GW_FIELD_END,
};

static const struct gw_vmstate reliable_vmstate = {
    .name = "kvmclock/clock_is_reliable",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_kvmclock),
    .fields = reliable_fields,
};

static const struct gw_vmstate *const subsections[] = {
    &reliable_vmstate,
    NULL,
};

static const struct gw_field fields[] = {
    GW_FIELD_U64(struct vmm_kvmclock, clock),
    GW_FIELD_END,
};

static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_kvmclock *clock = state;

    clock->is_reliable = false;
    return 0;
}

const struct gw_vmstate vmm_kvmclock_vmstate = {
    .name = "kvmclock",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_kvmclock),
    .fields = fields,
    .subsections = subsections,
    .pre_load = pre_load,
};

/*
 * A source that does not promise a reliable clock would have QEMU compute it
 * from the guest's clock page. We send what KVM_GET_CLOCK gives, which is
 * right on every kernel that we run on, and always say so.
 */
int vmm_kvm_get_clock(struct vmm_kvm *kvm, struct gw_error **errp)
{
    struct kvm_clock_data data = {0};

    if (ioctl(kvm->vm_fd, KVM_GET_CLOCK, &data) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_CLOCK");
    }
    kvm->clock.clock = data.clock;
    kvm->clock.is_reliable = true;
    return 0;
}

/*
 * The clock goes on where it stood; the guest is told that it was paused. If
 * the TSCs were set before, and so count already, the clock catches up.
 */
int vmm_kvm_put_clock(struct vmm_kvm *kvm, struct gw_error **errp)
{
    struct kvm_clock_data data = {.clock = kvm->clock.clock};

    if (kvm->tsc_since_ns != 0) {
        data.clock += (uint64_t)(vmm_now_ns() - kvm->tsc_since_ns);
        kvm->tsc_since_ns = 0;
    }
    if (ioctl(kvm->vm_fd, KVM_SET_CLOCK, &data) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_CLOCK");
    }
    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        /* EINVAL: the guest does not use the clock. */
        if (ioctl(kvm->vcpus[i].fd, KVM_KVMCLOCK_CTRL, 0) < 0 &&
            errno != EINVAL) {
            return gw_error_set_errno(errp, -errno, "KVM_KVMCLOCK_CTRL");
        }
    }
    return 0;
}
