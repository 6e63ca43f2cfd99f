/*
 * Monitors: the threads that serve QMP and HMP on descriptors.
 */
#ifndef GW_MONITOR_MONITOR_H
#define GW_MONITOR_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <godwit/control.h>

#include "monitor/control.h"

struct gw_qmp_session;

/* What a thread serves: one pair of descriptors, or clients of a socket. */
struct gw_monitor {
    struct gw_control *control; /* constant */
    struct gw_monitor *next;    /* in the control's list, under its lock */
    pthread_t thread;
    bool is_hmp;    /* constant: HMP or QMP */
    int in_fd;      /* constant: attached; -1 for a listener; owned */
    int out_fd;     /* constant: the same or another; owned */
    int listen_fd;  /* constant: of a listener; else -1; owned */
    char *path;     /* constant: its socket, removed at the end; or NULL */
    uint64_t inode; /* constant: of that socket */
    /* eventfd: something was queued for the session; owned */
    int wake_fd;
    /* under the control's monitors_lock: who gets events; or NULL */
    struct gw_qmp_session *session;
};

/* Hands an event to all QMP sessions. Any thread. */
void gw_monitors_send_event(struct gw_control *control,
                            const struct gw_event *event);

/* Waits for the threads (the stop descriptor must be readable) and frees. */
void gw_monitors_free(struct gw_control *control);

/* Serve one client until it leaves or everything ends. */
void gw_qmp_serve(struct gw_monitor *monitor, int in_fd, int out_fd);
void gw_hmp_serve(struct gw_monitor *monitor, int in_fd, int out_fd);

/*
 * Waits until `fd` is readable. True if it is; false if everything is to end.
 */
bool gw_monitor_wait_input(struct gw_monitor *monitor, int fd);

/*
 * Like read(); a descriptor that comes along (SCM_RIGHTS) is stored in
 * *ret_fd, else -1.
 */
ssize_t gw_monitor_read(int fd, void *data, size_t size, int *ret_fd);

#endif
