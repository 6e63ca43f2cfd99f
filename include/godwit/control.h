/*
 * The control plane: what QMP and HMP act on, and the monitors themselves.
 *
 * A control object belongs to one machine and holds the migration settings,
 * descriptors handed over by name and in sets, and the current migrations.
 * Monitors are attached to it: QMP servers and HMP terminals, each with a
 * thread of the library's; the embedder gives descriptors, commands of its own
 * if it has any (command.h), and gets everything else.
 */
#ifndef GW_GODWIT_CONTROL_H
#define GW_GODWIT_CONTROL_H

#include <godwit/error.h>
#include <godwit/fdset.h>
#include <godwit/machine.h>
#include <godwit/migration.h>

GW_BEGIN_DECLS

struct gw_control;
struct gw_monitor;

struct gw_control_ops {
    /*
     * QMP's `quit`: asks the program to end. Called on a monitor's thread
     * after the SHUTDOWN event was sent and before the reply is written, so
     * it must only set a flag or write to an eventfd. May be NULL.
     */
    void (*quit)(void *opaque);
    /*
     * An incoming migration failed with exit-on-error: print the error and
     * end with status 1. Called on the migration's watcher thread. NULL: the
     * machine stays in `inmigrate`.
     */
    void (*incoming_failed)(void *opaque, const struct gw_error *error);
};

/* New control object of a machine. NULL if memory is short. Since 0.1. */
GW_API struct gw_control *gw_control_new(struct gw_machine *machine,
                                         const struct gw_control_ops *ops,
                                         void *opaque);

/*
 * Cancels what runs, ends all monitors and waits for their threads. Call it
 * before gw_machine_free. Accepts NULL, returns NULL. Since 0.1.
 */
GW_API struct gw_control *gw_control_free(struct gw_control *control);

/*
 * The sets of descriptors that add-fd adds to (lent), for an `--add-fd`
 * option. Since 0.1.
 */
GW_API struct gw_fdsets *gw_control_get_fdsets(struct gw_control *control);

/*
 * Starts an incoming migration from a URI, or, for "defer", waits for
 * migrate-incoming. Calls gw_machine_expect_incoming if the machine is in
 * `prelaunch`. Failure later is reported through ops->incoming_failed.
 * Since 0.1.
 */
GW_API int gw_control_incoming(struct gw_control *control, const char *uri,
                               struct gw_error **errp) GW_MUST_CHECK;

/*
 * Attaches a QMP server to a descriptor pair (may be the same number; both
 * are adopted on success, and closed with the control object). Ends when the
 * peer closes, or is dropped because it lets events pile up; a peer on a
 * socket then reads the end of file. Since 0.1.
 */
GW_API int gw_qmp_attach(struct gw_control *control, int in_fd, int out_fd,
                         struct gw_error **errp) GW_MUST_CHECK;

/*
 * A QMP server on a unix socket: listens on `path` (an existing socket is
 * replaced), serves one client after the other. Since 0.1.
 */
GW_API int gw_qmp_listen(struct gw_control *control, const char *path,
                         struct gw_error **errp) GW_MUST_CHECK;

/*
 * An HMP monitor on a descriptor pair (adopted) or a unix socket. On a
 * terminal there is line editing with history. Since 0.1.
 */
GW_API int gw_hmp_attach(struct gw_control *control, int in_fd, int out_fd,
                         struct gw_error **errp) GW_MUST_CHECK;
GW_API int gw_hmp_listen(struct gw_control *control, const char *path,
                         struct gw_error **errp) GW_MUST_CHECK;

/*
 * Executes one HMP command line and returns its output (malloc'ed, "\n" line
 * ends), or NULL if memory is short. Since 0.1.
 */
GW_API char *gw_hmp_execute(struct gw_control *control, const char *line);

GW_END_DECLS

#endif
