/*
 * The cold start and the reset.
 */
#include "start.h"

#include <pthread.h>

#include <godwit/machine.h>

#include "machine.h"
#include "platform.h"

/* Tables and the guest's image; RAM is as it is. */
static int boot(struct vmm_machine *machine, struct gw_error **errp)
{
    int r = vmm_platform_build_tables(machine, errp);

    if (!machine->options->bios) {
        vmm_isa_set_up(&machine->isa);
    }
    return r < 0 ? r
                 : machine->accel->ops->boot(machine->accel, machine->options,
                                             errp);
}

int vmm_machine_cold_start(struct vmm_machine *machine, struct gw_error **errp)
{
    int r = vmm_memory_clear(&machine->memory, errp);

    return r < 0 ? r : boot(machine, errp);
}

bool vmm_machine_can_start(const struct vmm_machine *machine)
{
    const struct vmm_options *options = machine->options;

    return !options->incoming || options->kernel || options->bios ||
           !machine->accel->ops->is_pc;
}

/* What the vCPUs have asked for meanwhile is what happens now. */
static void forget_wishes(struct vmm_machine *machine)
{
    machine->reset_due = false;
    pthread_mutex_lock(&machine->lock);
    if (machine->end == VMM_END_RESET) {
        machine->end = VMM_END_NONE;
    }
    pthread_mutex_unlock(&machine->lock);
}

/* Devices first: they let go of their lines. */
static int reset_locked(struct vmm_machine *machine, struct gw_error **errp)
{
    forget_wishes(machine);
    vmm_virtio_set_reset(&machine->virtio);
    vmm_serial_reset(&machine->serial);
    vmm_platform_reset(machine);
    vmm_ioapic_reset(&machine->ioapic);
    machine->accel->ops->reset(machine->accel);
    return boot(machine, errp);
}

static int reset_paused(void *opaque, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    int r;

    pthread_mutex_lock(&machine->switch_lock);
    r = reset_locked(machine, errp);
    pthread_mutex_unlock(&machine->switch_lock);
    return r;
}

int vmm_machine_reset(struct vmm_machine *machine, const char *reason,
                      bool guest, struct gw_error **errp)
{
    return gw_machine_reset(machine->gw, reason, guest, reset_paused, machine,
                            errp);
}
