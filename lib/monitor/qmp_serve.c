/*
 * A QMP session on descriptors.
 *
 * A client that does not read must not stop the machine: output is queued and
 * sent when there is room; see the limits in qmp_session.h.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "monitor/monitor.h"
#include "monitor/qmp_session.h"

enum {
    /* What a pipe takes without waiting once poll() said that it has room. */
    PIPE_PIECE = 4096,
    /* How long the last words may take when everything ends. */
    FAREWELL_MS = 1000,
};

/* Where output goes; handed to write_some. */
struct sink {
    int fd;
};

/*
 * Writes what goes without waiting. A pipe or terminal may belong to others
 * too and must not be made non-blocking: there, poll() before each piece.
 */
static ssize_t write_some(void *opaque, const void *data, size_t size)
{
    const struct sink *sink = opaque;
    struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
    ssize_t n = send(sink->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno == ENOTSOCK) {
        if (poll(&room, 1, 0) != 1) {
            return 0;
        }
        if (room.revents & (POLLERR | POLLNVAL)) {
            return -EPIPE;
        }
        n = write(sink->fd, data, size < PIPE_PIECE ? size : PIPE_PIECE);
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    return n;
}

static void drain(int event_fd)
{
    uint64_t count;

    if (read(event_fd, &count, sizeof(count)) < 0) {
        /* Nothing was there: fine. */
    }
}

/* Reads once; false when the client is gone. */
static bool read_some(struct gw_qmp_session *session, int in_fd)
{
    char data[4096];
    int fd;
    ssize_t n = gw_monitor_read(in_fd, data, sizeof(data), &fd);

    if (fd >= 0) {
        gw_qmp_session_receive_fd(session, fd);
    }
    if (n <= 0) {
        return n == -EAGAIN;
    }
    gw_qmp_session_feed(session, data, (size_t)n);
    return true;
}

/* One round: sends, waits, reads. False when it is over. */
static bool serve_once(struct gw_monitor *monitor,
                       struct gw_qmp_session *session, int in_fd,
                       struct sink *sink)
{
    ssize_t left = gw_qmp_session_send(session, write_some, sink);
    struct pollfd fds[] = {
        {.fd = monitor->control->stop_fd, .events = POLLIN},
        {.fd = monitor->wake_fd, .events = POLLIN},
        {.fd = left < GW_QMP_QUEUE_PAUSE ? in_fd : -1, .events = POLLIN},
        {.fd = left > 0 ? sink->fd : -1, .events = POLLOUT},
    };

    if (left < 0) {
        return false;
    }
    if (poll(fds, GW_ARRAY_SIZE(fds), -1) < 0) {
        return errno == EINTR;
    }
    if (fds[0].revents) {
        return false;
    }
    if (fds[1].revents) {
        drain(monitor->wake_fd);
    }
    return !fds[2].revents || read_some(session, in_fd);
}

/*
 * A socket that is closed with input unread resets the connection, and the
 * client may lose what was sent before.
 */
static void discard_input(int in_fd)
{
    char data[4096];

    while (recv(in_fd, data, sizeof(data), MSG_DONTWAIT) > 0) {
    }
}

/* The answer to `quit` and the last events are worth a short wait. */
static void say_farewell(struct gw_qmp_session *session, int in_fd,
                         struct sink *sink)
{
    uint64_t end_ms = gw_now_ms() + FAREWELL_MS;
    struct pollfd room = {.fd = sink->fd, .events = POLLOUT};

    while (gw_qmp_session_send(session, write_some, sink) > 0 &&
           gw_now_ms() < end_ms) {
        poll(&room, 1, 50);
    }
    discard_input(in_fd);
}

static void set_session(struct gw_monitor *monitor,
                        struct gw_qmp_session *session)
{
    pthread_mutex_lock(&monitor->control->monitors_lock);
    monitor->session = session;
    pthread_mutex_unlock(&monitor->control->monitors_lock);
}

void gw_qmp_serve(struct gw_monitor *monitor, int in_fd, int out_fd)
{
    struct gw_qmp_session session;
    struct sink sink = {.fd = out_fd};

    gw_qmp_session_init(&session, monitor->control);
    set_session(monitor, &session);
    while (serve_once(monitor, &session, in_fd, &sink)) {
    }
    set_session(monitor, NULL);
    say_farewell(&session, in_fd, &sink);
    gw_qmp_session_deinit(&session);
}
