/*
 * Monitors: attaching, listening, threads.
 */
#include "monitor/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "monitor/qmp_session.h"

static struct gw_monitor *monitor_free(struct gw_monitor *monitor)
{
    const int fds[] = {monitor->in_fd, monitor->out_fd, monitor->listen_fd,
                       monitor->wake_fd};
    struct stat status;
    size_t i;

    for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        /* One descriptor may serve both ways. */
        if (fds[i] >= 0 && (i != 1 || fds[1] != fds[0])) {
            close(fds[i]);
        }
    }
    /* Somebody else's socket of the same name stays. */
    if (monitor->path && lstat(monitor->path, &status) == 0 &&
        status.st_ino == monitor->inode) {
        unlink(monitor->path);
    }
    free(monitor->path);
    free(monitor);
    return NULL;
}

static struct gw_monitor *monitor_new(struct gw_control *control, bool is_hmp,
                                      struct gw_error **errp)
{
    struct gw_monitor *monitor = calloc(1, sizeof(*monitor));

    if (!monitor) {
        gw_error_set(errp, -ENOMEM, "out of memory");
        return NULL;
    }
    monitor->control = control;
    monitor->is_hmp = is_hmp;
    monitor->in_fd = monitor->out_fd = monitor->listen_fd = -1;
    monitor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (monitor->wake_fd < 0) {
        gw_error_set_errno(errp, -errno, "cannot make an eventfd");
        return monitor_free(monitor);
    }
    return monitor;
}

bool gw_monitor_wait_input(struct gw_monitor *monitor, int fd)
{
    struct pollfd fds[] = {
        {.fd = monitor->control->stop_fd, .events = POLLIN},
        {.fd = fd, .events = POLLIN},
    };

    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return !fds[0].revents && fds[1].revents;
}

/* Keeps the first descriptor of a message and closes the others. */
static int first_fd_of(struct msghdr *message)
{
    struct cmsghdr *at;
    int first = -1;

    for (at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        size_t n = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        size_t i;

        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(at) + i * sizeof(fd), sizeof(fd));
            if (first < 0) {
                first = fd;
            } else {
                close(fd);
            }
        }
    }
    return first;
}

ssize_t gw_monitor_read(int fd, void *data, size_t size, int *ret_fd)
{
    struct iovec piece = {.iov_base = data, .iov_len = size};
    union {
        char bytes[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr header; /* aligns */
    } rights;
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = rights.bytes,
        .msg_controllen = sizeof(rights.bytes),
    };
    ssize_t n;

    *ret_fd = -1;
    do {
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == ENOTSOCK) {
            n = read(fd, data, size);
            message.msg_controllen = 0;
        }
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return -errno;
    }
    *ret_fd = first_fd_of(&message);
    return n;
}

static void serve(struct gw_monitor *monitor, int in_fd, int out_fd)
{
    if (monitor->is_hmp) {
        gw_hmp_serve(monitor, in_fd, out_fd);
    } else {
        gw_qmp_serve(monitor, in_fd, out_fd);
    }
}

/* One client after the other. */
static void serve_clients(struct gw_monitor *monitor)
{
    while (gw_monitor_wait_input(monitor, monitor->listen_fd)) {
        int fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            serve(monitor, fd, fd);
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            /* The client waits in the queue: do not spin on it. */
            poll(NULL, 0, 100);
        }
    }
}

static void *monitor_thread(void *opaque)
{
    struct gw_monitor *monitor = opaque;
    sigset_t all;

    /* Signals are the embedder's; a pipe that breaks is an error here. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (monitor->listen_fd >= 0) {
        serve_clients(monitor);
    } else {
        serve(monitor, monitor->in_fd, monitor->out_fd);
        /* Of sockets the other end hears that it is over. */
        shutdown(monitor->out_fd, SHUT_RDWR);
        shutdown(monitor->in_fd, SHUT_RDWR);
    }
    return NULL;
}

/* Starts the thread and lists the monitor. */
static int monitor_start(struct gw_monitor *monitor, struct gw_error **errp)
{
    struct gw_control *control = monitor->control;
    int r;

    pthread_mutex_lock(&control->monitors_lock);
    r = -pthread_create(&monitor->thread, NULL, monitor_thread, monitor);
    if (r == 0) {
        monitor->next = control->monitors;
        control->monitors = monitor;
    }
    pthread_mutex_unlock(&control->monitors_lock);
    if (r < 0) {
        return gw_error_set_errno(errp, r, "cannot start a thread");
    }
    pthread_setname_np(monitor->thread, monitor->is_hmp ? "gw-hmp" : "gw-qmp");
    return 0;
}

static int attach(struct gw_control *control, bool is_hmp, int in_fd,
                  int out_fd, struct gw_error **errp)
{
    struct gw_monitor *monitor = monitor_new(control, is_hmp, errp);
    int r;

    if (!monitor) {
        return -ENOMEM;
    }
    monitor->in_fd = in_fd;
    monitor->out_fd = out_fd;
    r = monitor_start(monitor, errp);
    if (r < 0) {
        /* The caller keeps them. */
        monitor->in_fd = monitor->out_fd = -1;
        monitor_free(monitor);
    }
    return r;
}

/* Removes a socket that an earlier program left behind. */
static int remove_old_socket(const char *path, struct gw_error **errp)
{
    struct stat status;

    if (lstat(path, &status) < 0) {
        return 0;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return gw_error_set(errp, -EEXIST,
                            "cannot listen on '%s': it exists and is not a "
                            "socket",
                            path);
    }
    return unlink(path) < 0
               ? gw_error_set_errno(errp, -errno, "cannot remove '%s'", path)
               : 0;
}

static int bind_socket(struct gw_monitor *monitor, const char *path,
                       struct gw_error **errp)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat status;
    int r;

    if (strlen(path) >= sizeof(name.sun_path)) {
        return gw_error_set(errp, -ENAMETOOLONG,
                            "UNIX socket path '%s' is too long: at most %zu "
                            "bytes are possible",
                            path, sizeof(name.sun_path) - 1);
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    r = remove_old_socket(path, errp);
    if (r < 0) {
        return r;
    }
    monitor->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (monitor->listen_fd < 0 ||
        bind(monitor->listen_fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot listen on '%s'", path);
    }
    monitor->path = strdup(path);
    if (lstat(path, &status) == 0) {
        monitor->inode = status.st_ino;
    }
    if (listen(monitor->listen_fd, 16) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot listen on '%s'", path);
    }
    return 0;
}

static int listen_on(struct gw_control *control, bool is_hmp, const char *path,
                     struct gw_error **errp)
{
    struct gw_monitor *monitor = monitor_new(control, is_hmp, errp);
    int r;

    if (!monitor) {
        return -ENOMEM;
    }
    r = bind_socket(monitor, path, errp);
    if (r >= 0) {
        r = monitor_start(monitor, errp);
    }
    if (r < 0) {
        monitor_free(monitor);
    }
    return r;
}

int gw_qmp_attach(struct gw_control *control, int in_fd, int out_fd,
                  struct gw_error **errp)
{
    return attach(control, false, in_fd, out_fd, errp);
}

int gw_hmp_attach(struct gw_control *control, int in_fd, int out_fd,
                  struct gw_error **errp)
{
    return attach(control, true, in_fd, out_fd, errp);
}

int gw_qmp_listen(struct gw_control *control, const char *path,
                  struct gw_error **errp)
{
    return listen_on(control, false, path, errp);
}

int gw_hmp_listen(struct gw_control *control, const char *path,
                  struct gw_error **errp)
{
    return listen_on(control, true, path, errp);
}

void gw_monitors_send_event(struct gw_control *control,
                            const struct gw_event *event)
{
    struct gw_monitor *monitor;
    uint64_t one = 1;

    pthread_mutex_lock(&control->monitors_lock);
    for (monitor = control->monitors; monitor; monitor = monitor->next) {
        if (!monitor->session) {
            continue;
        }
        gw_qmp_session_event(monitor->session, event);
        if (write(monitor->wake_fd, &one, sizeof(one)) < 0) {
            /* It counts that somebody has to wake up already. */
        }
    }
    pthread_mutex_unlock(&control->monitors_lock);
}

void gw_monitors_free(struct gw_control *control)
{
    struct gw_monitor *monitor;
    struct gw_monitor *next;

    /* No lock while waiting: the threads need it to end. */
    pthread_mutex_lock(&control->monitors_lock);
    monitor = control->monitors;
    pthread_mutex_unlock(&control->monitors_lock);
    for (; monitor; monitor = monitor->next) {
        pthread_join(monitor->thread, NULL);
    }
    pthread_mutex_lock(&control->monitors_lock);
    monitor = control->monitors;
    control->monitors = NULL;
    pthread_mutex_unlock(&control->monitors_lock);
    for (; monitor; monitor = next) {
        next = monitor->next;
        monitor_free(monitor);
    }
}
