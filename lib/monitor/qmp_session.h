/*
 * One client of QMP: bytes in, bytes out, no I/O of its own.
 *
 * Input is fed by one thread. Output is queued by that thread (replies) and
 * by any other (events); the owner of the session's descriptors sends it.
 */
#ifndef GW_MONITOR_QMP_SESSION_H
#define GW_MONITOR_QMP_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "monitor/control.h"
#include "monitor/json_stream.h"

enum {
    /* Queued bytes above which no further request is read. */
    GW_QMP_QUEUE_PAUSE = 256 * 1024,
    /* Queued bytes above which the client is given up: it does not read. */
    GW_QMP_QUEUE_MAX = 4 * 1024 * 1024,
};

struct gw_qmp_session {
    struct gw_control *control; /* constant */

    /* used by the thread that feeds */
    struct gw_json_stream stream;
    int received_fd; /* the latest one that came, -1 if none; owned */

    pthread_mutex_t lock;
    /* guarded by `lock` */
    bool is_negotiated; /* commands are taken, events are sent */
    bool is_overrun;    /* the queue was too long; nothing more goes in */
    /*
     * While a command runs: events of other threads, which are to follow the
     * reply, as with QEMU. Its own events come before.
     */
    bool is_executing;
    pthread_t executor;
    struct gw_buffer held;
    struct gw_buffer queue; /* to be sent */
    size_t n_sent;          /* bytes at its start that are out already */
};

/* Starts a session and queues the greeting. */
void gw_qmp_session_init(struct gw_qmp_session *session,
                         struct gw_control *control);
void gw_qmp_session_deinit(struct gw_qmp_session *session);

/* A descriptor came with the bytes that are fed next; adopts it. */
void gw_qmp_session_receive_fd(struct gw_qmp_session *session, int fd);

/* Takes bytes of the client, executes what they complete. */
void gw_qmp_session_feed(struct gw_qmp_session *session, const void *data,
                         size_t size);

/* Queues an event, if the client is to have it. Any thread. */
void gw_qmp_session_event(struct gw_qmp_session *session,
                          const struct gw_event *event);

/*
 * Sends what is queued with `write`, which may take part of the bytes or
 * none, and returns the number or a negative errno. Returns the bytes that
 * are left, or the errno; -EOVERFLOW: the client has to go.
 */
ssize_t gw_qmp_session_send(struct gw_qmp_session *session,
                            ssize_t (*write)(void *opaque, const void *data,
                                             size_t size),
                            void *opaque);

#endif
