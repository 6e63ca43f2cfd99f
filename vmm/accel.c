/*
 * Choosing an accelerator.
 */
#include "accel.h"

#include <stdio.h>

#include "util.h"

static int choose_auto(struct vmm_machine *machine,
                       struct vmm_accel **ret_accel, struct gw_error **errp)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;

    if (vmm_accel_kvm.create(machine, ret_accel, &error) == 0) {
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
