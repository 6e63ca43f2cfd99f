/*
 * The control object from the inside: what the commands of QMP and HMP do.
 *
 * One command runs at a time, under `command_lock`; a command may wait for
 * the machine (stop) or for a file (migrate). The functions below that take a
 * control object expect the lock to be held. Events come on other threads and
 * never take it.
 */
#ifndef GW_MONITOR_CONTROL_H
#define GW_MONITOR_CONTROL_H

#include <pthread.h>
#include <stdatomic.h>

#include <godwit/control.h>
#include <godwit/fdset.h>

#include "monitor/fds.h"

struct gw_added;

struct gw_control {
    /* constant after creation */
    struct gw_machine *machine;
    const struct gw_control_ops *ops; /* may be NULL */
    void *opaque;                     /* handed to ops */
    struct gw_fdsets *fdsets;         /* owned; has its own lock */
    struct gw_added *added;           /* the embedder's commands; owned */
    int stop_fd; /* eventfd: readable when everything is to end */

    /* held while a command runs; guards this group */
    pthread_mutex_t command_lock;
    struct gw_settings settings;   /* for the next migration */
    struct gw_fds fds;             /* handed over with getfd */
    struct gw_migration *outgoing; /* the current or last one */
    struct gw_error *start_error;  /* of an outgoing that did not start */
    struct gw_migration *incoming; /* the current or last one */
    bool has_watcher;              /* `watcher` runs or ran */
    pthread_t watcher;             /* waits for the end of `incoming` */

    /* the capability `events`; read by the threads that send events */
    atomic_bool sends_events;
    /* a migration entered `setup` since this was cleared */
    atomic_bool saw_setup;

    /* guards the list of monitors and their sessions' existence */
    pthread_mutex_t monitors_lock;
    struct gw_monitor *monitors;
};

/* What query-migrate says about. */
struct gw_control_state {
    bool has_status; /* something was ever started */
    enum gw_migration_status status;
    bool is_outgoing;            /* the progress below is of a source */
    struct gw_progress progress; /* valid if is_outgoing */
    struct gw_error *error;      /* of one that failed; owned */
};

/* The picture of now; free `error` afterwards. */
void gw_control_get_state(struct gw_control *control,
                          struct gw_control_state *ret_state);

int gw_control_migrate(struct gw_control *control,
                       const struct gw_address *address,
                       struct gw_error **errp);

/* What would stop gw_control_migrate now: calls fn for each reason. */
void gw_control_migrate_check(struct gw_control *control,
                              const struct gw_address *address, gw_reason_fn fn,
                              void *opaque);

int gw_control_migrate_incoming(struct gw_control *control,
                                const struct gw_address *address,
                                bool exit_on_error, struct gw_error **errp);

/* Whether migrate_incoming may be called now at all. */
int gw_control_check_incoming(struct gw_control *control,
                              struct gw_error **errp);

void gw_control_migrate_cancel(struct gw_control *control);

int gw_control_migrate_continue(struct gw_control *control,
                                enum gw_migration_status expected,
                                struct gw_error **errp);

/* Replaces all capabilities, or none. */
int gw_control_set_capabilities(struct gw_control *control,
                                const bool capabilities[GW_CAP_COUNT],
                                struct gw_error **errp);

/* Takes over all parameters of a changed copy, or none; empties the copy. */
int gw_control_set_parameters(struct gw_control *control,
                              struct gw_settings *changed,
                              struct gw_error **errp);

/*
 * Names a descriptor that came with the command: takes it out of *fd (-1:
 * none came) in any case.
 */
int gw_control_getfd(struct gw_control *control, const char *name, int *fd,
                     struct gw_error **errp);
int gw_control_closefd(struct gw_control *control, const char *name,
                       struct gw_error **errp);

/* Sends SHUTDOWN and asks the program to end. */
void gw_control_quit(struct gw_control *control);

#endif
