/*
 * How the machine ends: the guest switches it off, resets it or fails, or
 * somebody ends the program.
 */
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "start.h"
#include "util.h"

void vmm_machine_wake(struct vmm_machine *machine)
{
    uint64_t one = 1;

    if (write(machine->end_fd, &one, sizeof(one)) < 0) {
        /* EAGAIN: it is readable already. */
        return;
    }
}

void vmm_machine_request_end(struct vmm_machine *machine, enum vmm_end end)
{
    pthread_mutex_lock(&machine->lock);
    if (machine->end == VMM_END_NONE) {
        machine->end = end;
    }
    pthread_mutex_unlock(&machine->lock);
    vmm_vcpus_request_pause(&machine->vcpus);
    vmm_machine_wake(machine);
}

static void emit_shutdown(struct vmm_machine *machine, const char *reason,
                          bool guest)
{
    struct gw_event event = {
        .type = GW_EVENT_SHUTDOWN, .reason = reason, .guest = guest};

    gw_machine_emit(machine->gw, &event);
}

static enum vmm_end take_end(struct vmm_machine *machine)
{
    enum vmm_end end;
    uint64_t count;

    if (read(machine->end_fd, &count, sizeof(count)) < 0) {
        return VMM_END_NONE;
    }
    pthread_mutex_lock(&machine->lock);
    end = machine->end;
    machine->end = VMM_END_NONE;
    pthread_mutex_unlock(&machine->lock);
    return end;
}

/* Whether a guest that wants a reset is to get one. */
static bool may_reset(const struct vmm_machine *machine)
{
    if (machine->options->no_reboot) {
        return false;
    }
    if (!vmm_machine_can_start(machine)) {
        fputs("godwit run: the guest resets the machine, and there is nothing "
              "to boot: it came in without --kernel or --bios\n",
              stderr);
        return false;
    }
    return true;
}

static void set_reset_due(struct vmm_machine *machine, bool due)
{
    pthread_mutex_lock(&machine->switch_lock);
    machine->reset_due = due;
    pthread_mutex_unlock(&machine->switch_lock);
}

static enum vmm_end reset_by_guest(struct vmm_machine *machine)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;
    int r;

    /* Before: the migration that has the state may end at any moment. */
    set_reset_due(machine, true);
    r = vmm_machine_reset(machine, "guest-reset", true, &error);
    if (r == -EBUSY) {
        return VMM_END_NONE;
    }
    set_reset_due(machine, false);
    if (r < 0) {
        fprintf(stderr, "godwit run: %s\n", gw_error_text(error));
        return VMM_END_ERROR;
    }
    return VMM_END_NONE;
}

enum vmm_end vmm_machine_finish_end(struct vmm_machine *machine)
{
    enum vmm_end end = take_end(machine);

    if (end == VMM_END_NONE || end == VMM_END_CLOSED) {
        return end;
    }
    if (end == VMM_END_RESET && may_reset(machine)) {
        return reset_by_guest(machine);
    }
    /* For those who look or save now; what ended may not tell all. */
    vmm_machine_halt(machine, true);
    if (end == VMM_END_ERROR) {
        gw_machine_guest_stopped(machine->gw, GW_RUN_STATE_INTERNAL_ERROR);
        return end;
    }
    emit_shutdown(
        machine, end == VMM_END_RESET ? "guest-reset" : "guest-shutdown", true);
    gw_machine_guest_stopped(machine->gw, GW_RUN_STATE_SHUTDOWN);
    return end;
}

void vmm_machine_shut_down(struct vmm_machine *machine, const char *reason)
{
    vmm_machine_halt(machine, false);
    emit_shutdown(machine, reason, false);
}
