/*
 * The run state of a machine: who may run when.
 *
 * run_lock makes one change at a time, and is held over the calls of the
 * VMM's pause and resume: they block until it is done, and must not call back
 * into functions that change the run state.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "machine/machine.h"
#include "ram/block.h"

static const char *const run_state_names[GW_RUN_STATE_COUNT] = {
    [GW_RUN_STATE_DEBUG] = "debug",
    [GW_RUN_STATE_INMIGRATE] = "inmigrate",
    [GW_RUN_STATE_INTERNAL_ERROR] = "internal-error",
    [GW_RUN_STATE_IO_ERROR] = "io-error",
    [GW_RUN_STATE_PAUSED] = "paused",
    [GW_RUN_STATE_POSTMIGRATE] = "postmigrate",
    [GW_RUN_STATE_PRELAUNCH] = "prelaunch",
    [GW_RUN_STATE_FINISH_MIGRATE] = "finish-migrate",
    [GW_RUN_STATE_RESTORE_VM] = "restore-vm",
    [GW_RUN_STATE_RUNNING] = "running",
    [GW_RUN_STATE_SAVE_VM] = "save-vm",
    [GW_RUN_STATE_SHUTDOWN] = "shutdown",
    [GW_RUN_STATE_SUSPENDED] = "suspended",
    [GW_RUN_STATE_WATCHDOG] = "watchdog",
    [GW_RUN_STATE_GUEST_PANICKED] = "guest-panicked",
    [GW_RUN_STATE_COLO] = "colo",
};

static const char *const status_names[GW_MIGRATION_STATUS_COUNT] = {
    [GW_MIGRATION_NONE] = "none",
    [GW_MIGRATION_SETUP] = "setup",
    [GW_MIGRATION_CANCELLING] = "cancelling",
    [GW_MIGRATION_CANCELLED] = "cancelled",
    [GW_MIGRATION_ACTIVE] = "active",
    [GW_MIGRATION_POSTCOPY_ACTIVE] = "postcopy-active",
    [GW_MIGRATION_POSTCOPY_PAUSED] = "postcopy-paused",
    [GW_MIGRATION_POSTCOPY_RECOVER_SETUP] = "postcopy-recover-setup",
    [GW_MIGRATION_POSTCOPY_RECOVER] = "postcopy-recover",
    [GW_MIGRATION_COMPLETED] = "completed",
    [GW_MIGRATION_FAILED] = "failed",
    [GW_MIGRATION_COLO] = "colo",
    [GW_MIGRATION_PRE_SWITCHOVER] = "pre-switchover",
    [GW_MIGRATION_DEVICE] = "device",
    [GW_MIGRATION_WAIT_UNPLUG] = "wait-unplug",
};

const char *gw_run_state_name(enum gw_run_state state)
{
    return (unsigned int)state < GW_RUN_STATE_COUNT ? run_state_names[state]
                                                    : "unknown";
}

const char *gw_migration_status_name(enum gw_migration_status status)
{
    return (unsigned int)status < GW_MIGRATION_STATUS_COUNT
               ? status_names[status]
               : "unknown";
}

int gw_run_state_parse(const char *name, enum gw_run_state *ret)
{
    unsigned int i;

    for (i = 0; i < GW_RUN_STATE_COUNT; i++) {
        if (strcmp(name, run_state_names[i]) == 0) {
            *ret = (enum gw_run_state)i;
            return 0;
        }
    }
    return -ENOENT;
}

enum gw_run_state gw_machine_run_state(struct gw_machine *machine)
{
    enum gw_run_state state;

    pthread_mutex_lock(&machine->lock);
    state = machine->run_state;
    pthread_mutex_unlock(&machine->lock);
    return state;
}

static void set_state(struct gw_machine *machine, enum gw_run_state state)
{
    pthread_mutex_lock(&machine->lock);
    machine->run_state = state;
    pthread_mutex_unlock(&machine->lock);
}

bool gw_machine_is_running(struct gw_machine *machine)
{
    return gw_machine_run_state(machine) == GW_RUN_STATE_RUNNING;
}

void gw_machine_set_autostart(struct gw_machine *machine, bool autostart)
{
    pthread_mutex_lock(&machine->lock);
    machine->autostart = autostart;
    pthread_mutex_unlock(&machine->lock);
}

static bool get_autostart(struct gw_machine *machine)
{
    bool autostart;

    pthread_mutex_lock(&machine->lock);
    autostart = machine->autostart;
    pthread_mutex_unlock(&machine->lock);
    return autostart;
}

void gw_machine_taint(struct gw_machine *machine)
{
    pthread_mutex_lock(&machine->lock);
    machine->is_tainted = true;
    pthread_mutex_unlock(&machine->lock);
}

bool gw_machine_is_tainted(struct gw_machine *machine)
{
    bool is_tainted;

    pthread_mutex_lock(&machine->lock);
    is_tainted = machine->is_tainted;
    pthread_mutex_unlock(&machine->lock);
    return is_tainted;
}

static void emit(struct gw_machine *machine, enum gw_event_type type)
{
    struct gw_event event = {.type = type};

    gw_machine_emit(machine, &event);
}

/* Called with run_lock held. */
static int pause_guest(struct gw_machine *machine, enum gw_run_state state,
                       struct gw_error **errp)
{
    int r = machine->ops->pause(machine->opaque, errp);

    if (r < 0) {
        return gw_error_prefix(errp, r, "cannot pause the guest");
    }
    set_state(machine, state);
    emit(machine, GW_EVENT_STOP);
    return 0;
}

/* Once the guest ran or was booted again, its memory is not zero. */
static void forget_zeros(struct gw_machine *machine)
{
    struct gw_ram_block *block;

    pthread_mutex_lock(&machine->lock);
    for (block = machine->blocks; block; block = block->next) {
        block->is_pristine = false;
    }
    pthread_mutex_unlock(&machine->lock);
}

/* Called with run_lock held. */
static int resume_guest(struct gw_machine *machine, struct gw_error **errp)
{
    enum gw_run_state before = gw_machine_run_state(machine);
    int r;

    forget_zeros(machine);
    set_state(machine, GW_RUN_STATE_RUNNING);
    emit(machine, GW_EVENT_RESUME);
    r = machine->ops->resume(machine->opaque, errp);
    if (r < 0) {
        set_state(machine, before == GW_RUN_STATE_INMIGRATE
                               ? before
                               : GW_RUN_STATE_PAUSED);
        emit(machine, GW_EVENT_STOP);
        return gw_error_prefix(errp, r, "cannot resume the guest");
    }
    return 0;
}

int gw_machine_stop(struct gw_machine *machine, struct gw_error **errp)
{
    int r = 0;

    pthread_mutex_lock(&machine->run_lock);
    switch (gw_machine_run_state(machine)) {
    case GW_RUN_STATE_INMIGRATE:
        gw_machine_set_autostart(machine, false);
        break;
    case GW_RUN_STATE_RUNNING:
        r = pause_guest(machine, GW_RUN_STATE_PAUSED, errp);
        break;
    default:
        break;
    }
    pthread_mutex_unlock(&machine->run_lock);
    return r;
}

static int cont_locked(struct gw_machine *machine, struct gw_error **errp)
{
    if (gw_machine_is_tainted(machine)) {
        return gw_error_set(errp, -EINVAL,
                            "the guest cannot run: an incoming migration "
                            "did not complete and part of its state is not "
                            "valid");
    }
    switch (gw_machine_run_state(machine)) {
    case GW_RUN_STATE_RUNNING:
    case GW_RUN_STATE_SUSPENDED:
        return 0;
    case GW_RUN_STATE_INMIGRATE:
        gw_machine_set_autostart(machine, true);
        return 0;
    case GW_RUN_STATE_FINISH_MIGRATE:
        return gw_error_set(errp, -EINVAL, "Migration is not finalized yet");
    case GW_RUN_STATE_SHUTDOWN:
    case GW_RUN_STATE_INTERNAL_ERROR:
    case GW_RUN_STATE_GUEST_PANICKED:
        return gw_error_set(errp, -EINVAL,
                            "Resetting the Virtual Machine is required");
    default:
        return resume_guest(machine, errp);
    }
}

int gw_machine_cont(struct gw_machine *machine, struct gw_error **errp)
{
    int r;

    pthread_mutex_lock(&machine->run_lock);
    r = cont_locked(machine, errp);
    pthread_mutex_unlock(&machine->run_lock);
    return r;
}

int gw_machine_expect_incoming(struct gw_machine *machine,
                               struct gw_error **errp)
{
    enum gw_run_state state;
    int r = 0;

    pthread_mutex_lock(&machine->run_lock);
    state = gw_machine_run_state(machine);
    if (state == GW_RUN_STATE_PRELAUNCH) {
        set_state(machine, GW_RUN_STATE_INMIGRATE);
    } else if (state != GW_RUN_STATE_INMIGRATE) {
        r = gw_error_set(errp, -EINVAL,
                         "a machine that is '%s' cannot wait for an incoming "
                         "migration",
                         gw_run_state_name(state));
    }
    pthread_mutex_unlock(&machine->run_lock);
    return r;
}

void gw_machine_guest_stopped(struct gw_machine *machine,
                              enum gw_run_state state)
{
    pthread_mutex_lock(&machine->run_lock);
    /* Somebody paused it in between: the next resume finds out again. */
    if (gw_machine_run_state(machine) == GW_RUN_STATE_RUNNING) {
        set_state(machine, state);
        emit(machine, GW_EVENT_STOP);
    }
    pthread_mutex_unlock(&machine->run_lock);
}

/* Called with run_lock held, the machine paused. */
static int reset_paused(struct gw_machine *machine,
                        int (*reset)(void *opaque, struct gw_error **errp),
                        void *opaque, bool was_running, struct gw_error **errp)
{
    int r = reset(opaque, errp);

    forget_zeros(machine);
    if (r < 0) {
        set_state(machine, GW_RUN_STATE_INTERNAL_ERROR);
        r = gw_error_prefix(errp, r, "cannot reset the machine");
    } else if (!was_running) {
        set_state(machine, GW_RUN_STATE_PRELAUNCH);
    } else {
        r = machine->ops->resume(machine->opaque, errp);
        if (r < 0) {
            set_state(machine, GW_RUN_STATE_PAUSED);
            r = gw_error_prefix(errp, r, "cannot resume the guest");
        }
    }
    if (r < 0 && was_running) {
        emit(machine, GW_EVENT_STOP);
    }
    return r;
}

static int reset_locked(struct gw_machine *machine,
                        const struct gw_event *event,
                        int (*reset)(void *opaque, struct gw_error **errp),
                        void *opaque, struct gw_error **errp)
{
    enum gw_run_state state = gw_machine_run_state(machine);
    const bool was_running = state == GW_RUN_STATE_RUNNING;

    if (state == GW_RUN_STATE_FINISH_MIGRATE) {
        return gw_error_set(errp, -EBUSY, "Migration is not finalized yet");
    }
    if (was_running) {
        int r = machine->ops->pause(machine->opaque, errp);

        if (r < 0) {
            return gw_error_prefix(errp, r, "cannot pause the guest");
        }
    }
    gw_machine_emit(machine, event);
    return state == GW_RUN_STATE_INMIGRATE
               ? 0
               : reset_paused(machine, reset, opaque, was_running, errp);
}

int gw_machine_reset(struct gw_machine *machine, const char *reason, bool guest,
                     int (*reset)(void *opaque, struct gw_error **errp),
                     void *opaque, struct gw_error **errp)
{
    const struct gw_event event = {
        .type = GW_EVENT_RESET, .reason = reason, .guest = guest};
    int r;

    pthread_mutex_lock(&machine->run_lock);
    r = reset_locked(machine, &event, reset, opaque, errp);
    pthread_mutex_unlock(&machine->run_lock);
    return r;
}

int gw_machine_enter_finish(struct gw_machine *machine,
                            enum gw_run_state *ret_before,
                            struct gw_error **errp)
{
    enum gw_run_state before;
    int r = 0;

    pthread_mutex_lock(&machine->run_lock);
    before = gw_machine_run_state(machine);
    if (before == GW_RUN_STATE_RUNNING) {
        r = pause_guest(machine, GW_RUN_STATE_FINISH_MIGRATE, errp);
    } else {
        set_state(machine, GW_RUN_STATE_FINISH_MIGRATE);
    }
    pthread_mutex_unlock(&machine->run_lock);
    if (r == 0) {
        *ret_before = before;
    }
    return r;
}

void gw_machine_enter_postmigrate(struct gw_machine *machine)
{
    pthread_mutex_lock(&machine->run_lock);
    set_state(machine, GW_RUN_STATE_POSTMIGRATE);
    pthread_mutex_unlock(&machine->run_lock);
}

int gw_machine_leave_finish(struct gw_machine *machine,
                            enum gw_run_state before, struct gw_error **errp)
{
    int r = 0;

    pthread_mutex_lock(&machine->run_lock);
    if (before == GW_RUN_STATE_RUNNING) {
        r = resume_guest(machine, errp);
    } else {
        set_state(machine, before);
    }
    pthread_mutex_unlock(&machine->run_lock);
    return r;
}

/* A state in which the saved guest ran or would run. */
static bool was_live(enum gw_run_state saved)
{
    return saved == GW_RUN_STATE_RUNNING || saved == GW_RUN_STATE_SUSPENDED;
}

int gw_machine_enter_loaded(struct gw_machine *machine, enum gw_run_state saved,
                            struct gw_error **errp)
{
    int r = 0;

    pthread_mutex_lock(&machine->run_lock);
    pthread_mutex_lock(&machine->lock);
    machine->is_tainted = false;
    pthread_mutex_unlock(&machine->lock);
    if (!was_live(saved)) {
        set_state(machine, saved);
    } else if (get_autostart(machine)) {
        r = resume_guest(machine, errp);
    } else {
        set_state(machine, GW_RUN_STATE_PAUSED);
    }
    pthread_mutex_unlock(&machine->run_lock);
    return r;
}
