/*
 * The control object: its life, and what the commands do.
 */
#include "monitor/control.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "migrate/settings.h"
#include "monitor/added.h"
#include "monitor/monitor.h"

static bool is_busy(enum gw_migration_status status)
{
    switch (status) {
    case GW_MIGRATION_NONE:
    case GW_MIGRATION_COMPLETED:
    case GW_MIGRATION_FAILED:
    case GW_MIGRATION_CANCELLED:
        return false;
    default:
        return true;
    }
}

static bool migration_is_busy(struct gw_migration *migration)
{
    struct gw_progress progress;

    if (!migration) {
        return false;
    }
    gw_migration_get_progress(migration, &progress);
    return is_busy(progress.status);
}

static bool is_wanted(struct gw_control *control, enum gw_event_type type)
{
    switch (type) {
    case GW_EVENT_MIGRATION:
    case GW_EVENT_MIGRATION_PASS:
        return atomic_load(&control->sends_events);
    case GW_EVENT_STOP:
    case GW_EVENT_RESUME:
    case GW_EVENT_SHUTDOWN:
    case GW_EVENT_POWERDOWN:
    case GW_EVENT_RESET:
    case GW_EVENT_BALLOON_CHANGE:
        break;
    }
    return true;
}

/* The machine's listener: called by any thread, may not wait. */
static void on_event(void *opaque, const struct gw_event *event)
{
    struct gw_control *control = opaque;

    if (event->type == GW_EVENT_MIGRATION &&
        event->status == GW_MIGRATION_SETUP) {
        atomic_store(&control->saw_setup, true);
    }
    if (is_wanted(control, event->type)) {
        gw_monitors_send_event(control, event);
    }
}

struct gw_control *gw_control_new(struct gw_machine *machine,
                                  const struct gw_control_ops *ops,
                                  void *opaque)
{
    struct gw_control *control = calloc(1, sizeof(*control));

    if (!control) {
        return NULL;
    }
    control->machine = machine;
    control->ops = ops;
    control->opaque = opaque;
    pthread_mutex_init(&control->command_lock, NULL);
    pthread_mutex_init(&control->monitors_lock, NULL);
    control->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    control->fdsets = gw_fdsets_new();
    if (control->stop_fd < 0 || !control->fdsets ||
        gw_settings_init(&control->settings) < 0 ||
        gw_machine_add_listener(machine, on_event, control) < 0) {
        return gw_control_free(control);
    }
    return control;
}

/* Cancels and waits; the caller sees to it that nobody uses it any more. */
static void end_migration(struct gw_migration *migration)
{
    if (migration) {
        gw_migration_cancel(migration);
        gw_migration_free(migration);
    }
}

static void join_watcher(struct gw_control *control)
{
    if (control->has_watcher) {
        pthread_join(control->watcher, NULL);
        control->has_watcher = false;
    }
}

struct gw_control *gw_control_free(struct gw_control *control)
{
    uint64_t one = 1;

    if (!control) {
        return NULL;
    }
    if (control->stop_fd >= 0 &&
        write(control->stop_fd, &one, sizeof(one)) < 0) {
        /* Only a counter that is full says so, and then it is readable. */
    }
    gw_monitors_free(control);
    join_watcher(control);
    end_migration(control->outgoing);
    end_migration(control->incoming);
    gw_machine_remove_listener(control->machine, on_event, control);
    gw_error_free(control->start_error);
    gw_added_free(control);
    gw_fds_deinit(&control->fds);
    gw_fdsets_free(control->fdsets);
    gw_settings_deinit(&control->settings);
    pthread_mutex_destroy(&control->command_lock);
    pthread_mutex_destroy(&control->monitors_lock);
    if (control->stop_fd >= 0) {
        close(control->stop_fd);
    }
    free(control);
    return NULL;
}

struct gw_fdsets *gw_control_get_fdsets(struct gw_control *control)
{
    return control->fdsets;
}

/* gw_take_fd_fn; the command that starts a migration holds the lock. */
static int take_fd(void *opaque, const char *name)
{
    struct gw_control *control = opaque;

    return gw_fds_take(&control->fds, name);
}

static int busy_error(struct gw_error **errp)
{
    return gw_error_set(errp, -EBUSY,
                        "There's a migration process in progress");
}

int gw_control_migrate(struct gw_control *control,
                       const struct gw_address *address, struct gw_error **errp)
{
    const struct gw_migration_options options = {
        .take_fd = take_fd, .opaque = control, .fdsets = control->fdsets};
    struct gw_migration *started = NULL;
    struct gw_error *error = NULL;
    int r;

    if (migration_is_busy(control->outgoing)) {
        return busy_error(errp);
    }
    atomic_store(&control->saw_setup, false);
    r = gw_migration_start(control->machine, address, &control->settings,
                           &options, &started, &error);
    if (r >= 0 || atomic_load(&control->saw_setup)) {
        /* It began: what was before is history, even if it failed at once. */
        gw_migration_free(control->outgoing);
        control->outgoing = started;
        gw_error_free(control->start_error);
        control->start_error = gw_error_dup(error);
    }
    if (r < 0 && errp) {
        *errp = gw_take(&error);
    }
    gw_error_free(error);
    return r;
}

/* gw_take_fd_fn that takes none out. */
static int lend_fd(void *opaque, const char *name)
{
    struct gw_control *control = opaque;

    return gw_fds_find(&control->fds, name);
}

void gw_control_migrate_check(struct gw_control *control,
                              const struct gw_address *address, gw_reason_fn fn,
                              void *opaque)
{
    const struct gw_migration_options options = {
        .lend_fd = lend_fd, .opaque = control, .fdsets = control->fdsets};

    gw_migration_check(control->machine, address, &control->settings, &options,
                       fn, opaque);
}

/* Waits for the end of the incoming migration and reports its failure. */
static void *watch_incoming(void *opaque)
{
    struct gw_control *control = opaque;
    struct gw_migration *incoming = control->incoming;
    struct pollfd fds[] = {
        {.fd = gw_migration_fd(incoming), .events = POLLIN},
        {.fd = control->stop_fd, .events = POLLIN},
    };
    GW_AUTO_ERROR struct gw_error *error = NULL;

    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    /* A failure is told even when the control object ends just then. */
    if (!fds[0].revents) {
        return NULL;
    }
    error = gw_migration_dup_error(incoming);
    if (error && gw_error_code(error) != -ECANCELED) {
        control->ops->incoming_failed(control->opaque, error);
    }
    return NULL;
}

static void start_watcher(struct gw_control *control)
{
    if (control->ops && control->ops->incoming_failed &&
        pthread_create(&control->watcher, NULL, watch_incoming, control) == 0) {
        control->has_watcher = true;
        pthread_setname_np(control->watcher, "gw-watcher");
    }
}

int gw_control_check_incoming(struct gw_control *control,
                              struct gw_error **errp)
{
    if (control->incoming) {
        return gw_error_set(errp, -EINVAL,
                            "The incoming migration has already been started");
    }
    if (gw_machine_run_state(control->machine) != GW_RUN_STATE_INMIGRATE) {
        return gw_error_set(errp, -EINVAL,
                            "'-incoming' was not specified on the command "
                            "line");
    }
    return 0;
}

static int start_incoming(struct gw_control *control,
                          const struct gw_address *address, bool exit_on_error,
                          bool any_format, struct gw_error **errp)
{
    const struct gw_migration_options options = {.take_fd = take_fd,
                                                 .opaque = control,
                                                 .fdsets = control->fdsets,
                                                 .any_format = any_format};
    int r = gw_control_check_incoming(control, errp);

    if (r < 0) {
        return r;
    }
    r = gw_incoming_start(control->machine, address, &control->settings,
                          &options, &control->incoming, errp);
    if (r >= 0 && exit_on_error) {
        start_watcher(control);
    }
    return r;
}

int gw_control_migrate_incoming(struct gw_control *control,
                                const struct gw_address *address,
                                bool exit_on_error, struct gw_error **errp)
{
    return start_incoming(control, address, exit_on_error, false, errp);
}

/* Nobody could set a capability before: the stream says what it is. */
static int incoming_uri(struct gw_control *control, const char *uri,
                        struct gw_error **errp)
{
    struct gw_address *address = NULL;
    int r = 0;

    if (strcmp(uri, "defer") != 0) {
        r = gw_address_parse(uri, &address, errp);
    }
    if (r >= 0 &&
        gw_machine_run_state(control->machine) == GW_RUN_STATE_PRELAUNCH) {
        r = gw_machine_expect_incoming(control->machine, errp);
    }
    if (r >= 0 && address) {
        r = start_incoming(control, address, true, true, errp);
    }
    gw_address_free(address);
    return r;
}

int gw_control_incoming(struct gw_control *control, const char *uri,
                        struct gw_error **errp)
{
    int r;

    pthread_mutex_lock(&control->command_lock);
    r = incoming_uri(control, uri, errp);
    pthread_mutex_unlock(&control->command_lock);
    return r;
}

void gw_control_migrate_cancel(struct gw_control *control)
{
    /* An incoming one has nowhere to go back to: QEMU leaves it alone too. */
    if (control->outgoing) {
        gw_migration_cancel(control->outgoing);
    }
}

void gw_control_get_state(struct gw_control *control,
                          struct gw_control_state *ret_state)
{
    struct gw_migration *migration =
        control->outgoing ? control->outgoing : control->incoming;

    *ret_state = (struct gw_control_state){0};
    if (control->start_error) {
        ret_state->has_status = true;
        ret_state->status = GW_MIGRATION_FAILED;
        ret_state->error = gw_error_dup(control->start_error);
    } else if (migration) {
        gw_migration_get_progress(migration, &ret_state->progress);
        ret_state->has_status = true;
        ret_state->status = ret_state->progress.status;
        ret_state->is_outgoing = migration == control->outgoing;
        if (ret_state->status == GW_MIGRATION_FAILED) {
            ret_state->error = gw_migration_dup_error(migration);
        }
    }
}

int gw_control_migrate_continue(struct gw_control *control,
                                enum gw_migration_status expected,
                                struct gw_error **errp)
{
    struct gw_control_state state;

    gw_control_get_state(control, &state);
    gw_error_free(state.error);
    if (state.status != expected) {
        return gw_error_set(errp, -EINVAL,
                            "Migration not in expected state: %s",
                            gw_migration_status_name(state.status));
    }
    if (control->outgoing) {
        gw_migration_continue(control->outgoing);
    }
    return 0;
}

int gw_control_set_capabilities(struct gw_control *control,
                                const bool capabilities[GW_CAP_COUNT],
                                struct gw_error **errp)
{
    int r;

    if (migration_is_busy(control->outgoing)) {
        return busy_error(errp);
    }
    r = gw_capabilities_check(capabilities, errp);
    if (r >= 0) {
        memcpy(control->settings.capabilities, capabilities,
               sizeof(control->settings.capabilities));
        atomic_store(&control->sends_events, capabilities[GW_CAP_EVENTS]);
    }
    return r;
}

int gw_control_set_parameters(struct gw_control *control,
                              struct gw_settings *changed,
                              struct gw_error **errp)
{
    int r = gw_parameters_check(changed, errp);

    if (r < 0) {
        gw_settings_deinit(changed);
        return r;
    }
    gw_settings_deinit(&control->settings);
    control->settings = *changed;
    *changed = (struct gw_settings){0};
    if (control->outgoing) {
        gw_migration_update(control->outgoing, &control->settings);
    }
    return 0;
}

int gw_control_getfd(struct gw_control *control, const char *name, int *fd,
                     struct gw_error **errp)
{
    GW_AUTO_FD int received = gw_take_fd(fd);

    if (received < 0) {
        return gw_error_set(errp, -EINVAL,
                            "No file descriptor supplied via SCM_RIGHTS");
    }
    if (isdigit((unsigned char)name[0])) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter 'fdname' expects a name not starting "
                            "with a digit");
    }
    if (gw_fds_adopt(&control->fds, name, received) < 0) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    gw_take_fd(&received);
    return 0;
}

int gw_control_closefd(struct gw_control *control, const char *name,
                       struct gw_error **errp)
{
    int fd = gw_fds_take(&control->fds, name);

    if (fd < 0) {
        return gw_error_set(errp, -ENOENT,
                            "File descriptor named '%s' not found", name);
    }
    close(fd);
    return 0;
}

void gw_control_quit(struct gw_control *control)
{
    const struct gw_event event = {.type = GW_EVENT_SHUTDOWN,
                                   .reason = "host-qmp-quit"};

    gw_machine_emit(control->machine, &event);
    if (control->ops && control->ops->quit) {
        control->ops->quit(control->opaque);
    }
}
