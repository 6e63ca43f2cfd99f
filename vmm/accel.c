/*
 * Choosing an accelerator.
 */
#include "accel.h"

#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "util.h"

#define CPUID1_ECX_VMX (1u << 5)
#define CPUID81_ECX_SVM (1u << 2)

/* Without either of them /dev/kvm can only emulate, some 1,000 times slower. */
static bool cpu_has_virtualisation(void)
{
    unsigned int eax, ebx, ecx, edx;

    return (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & CPUID1_ECX_VMX)) ||
           (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) &&
            (ecx & CPUID81_ECX_SVM));
}

/* KVM, if it is there and worth taking. */
static int try_kvm(struct vmm_machine *machine, struct vmm_accel **ret_accel,
                   struct gw_error **errp)
{
    int r = vmm_accel_kvm.create(machine, ret_accel, errp);

    if (r == 0 && !cpu_has_virtualisation()) {
        vmm_accel_kvm.destroy(*ret_accel);
        *ret_accel = NULL;
        return gw_error_set(errp, -ENOTSUP,
                            "/dev/kvm only emulates here, the CPU has neither "
                            "VMX nor SVM (--accel kvm takes it all the same)");
    }
    return r;
}

static int choose_auto(struct vmm_machine *machine,
                       struct vmm_accel **ret_accel, struct gw_error **errp)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;

    if (try_kvm(machine, ret_accel, &error) == 0) {
        fprintf(stderr, "godwit run: accelerator kvm: /dev/kvm is usable\n");
        return 0;
    }
    fprintf(stderr, "godwit run: accelerator thread: %s\n",
            gw_error_text(error));
    return vmm_accel_thread.create(machine, ret_accel, errp);
}

int vmm_accel_choose(struct vmm_machine *machine, enum vmm_accel_kind kind,
                     struct vmm_accel **ret_accel, struct gw_error **errp)
{
    const struct vmm_accel_ops *ops =
        kind == VMM_ACCEL_KVM ? &vmm_accel_kvm : &vmm_accel_thread;
    int r;

    if (kind == VMM_ACCEL_AUTO) {
        r = choose_auto(machine, ret_accel, errp);
    } else {
        r = ops->create(machine, ret_accel, errp);
    }
    return gw_error_prefix(errp, r, "accelerator %s", ops->name);
}
