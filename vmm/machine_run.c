/*
 * Pausing and resuming the machine.
 */
#include "machine_run.h"

#include "machine.h"
#include "platform.h"

/*
 * Nothing runs and nothing changes after this. Timers stop first: what they
 * raise the vCPUs still take.
 */
static void stop_running(struct vmm_machine *machine)
{
    vmm_isa_stop(&machine->isa);
    vmm_vcpus_pause(&machine->vcpus);
    vmm_virtio_set_pause(&machine->virtio);
    vmm_serial_stop(&machine->serial);
    vmm_clock_stop(&machine->clock);
}

static void go_on_running(struct vmm_machine *machine)
{
    vmm_clock_start(&machine->clock);
    vmm_isa_start(&machine->isa);
    vmm_serial_start(&machine->serial);
    vmm_virtio_set_resume(&machine->virtio);
    vmm_vcpus_resume(&machine->vcpus);
}

static int pause_locked(struct vmm_machine *machine, struct gw_error **errp)
{
    stop_running(machine);
    return machine->accel->ops->stop(machine->accel, errp);
}

void vmm_machine_halt(struct vmm_machine *machine, bool read_state)
{
    pthread_mutex_lock(&machine->switch_lock);
    stop_running(machine);
    if (read_state) {
        machine->accel->ops->stop(machine->accel, NULL);
    }
    pthread_mutex_unlock(&machine->switch_lock);
}

/* A state that cannot be read is no reason to stop: the guest goes on. */
static int pause_machine(void *opaque, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    int r;

    pthread_mutex_lock(&machine->switch_lock);
    r = pause_locked(machine, errp);
    if (r < 0) {
        go_on_running(machine);
    }
    pthread_mutex_unlock(&machine->switch_lock);
    return r;
}

/* A reset that had to wait while a migration had the state in its hands. */
static bool take_due_reset(struct vmm_machine *machine)
{
    bool due = machine->reset_due;

    machine->reset_due = false;
    return due;
}

/*
 * The vCPUs get their state before the I/O APIC sends what pends, and all
 * routes are there before the first instruction.
 */
static int resume_machine(void *opaque, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    bool reset = false;
    int r;

    pthread_mutex_lock(&machine->switch_lock);
    vmm_memory_loaded(&machine->memory);
    r = machine->accel->ops->start(machine->accel, errp);
    if (r == 0) {
        vmm_ioapic_restart(&machine->ioapic);
        vmm_platform_restart(machine);
        go_on_running(machine);
        reset = take_due_reset(machine);
    }
    pthread_mutex_unlock(&machine->switch_lock);
    if (reset) {
        vmm_machine_request_end(machine, VMM_END_RESET);
    }
    return r;
}

static int check_loaded(void *opaque, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    int r;

    pthread_mutex_lock(&machine->switch_lock);
    r = machine->accel->ops->check(machine->accel, errp);
    pthread_mutex_unlock(&machine->switch_lock);
    return r;
}

const struct gw_machine_ops vmm_machine_ops = {
    .pause = pause_machine,
    .resume = resume_machine,
    .loaded = check_loaded,
};
