/*
 * Unix sockets that are listened on.
 */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void remove_socket(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
}

/* -1 with errno. */
static int listen_at(struct vmm_listener *listener, const char *path,
                     int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    strcpy(address.sun_path, path);
    remove_socket(path);
    listener->fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0 ||
        bind(listener->fd, (const struct sockaddr *)&address, sizeof(address)) <
            0 ||
        listen(listener->fd, backlog) < 0 || lstat(path, &st) < 0) {
        return -1;
    }
    listener->device = st.st_dev;
    listener->inode = st.st_ino;
    listener->path = strdup(path);
    return listener->path ? 0 : -1;
}

int vmm_listener_open(struct vmm_listener *listener, const char *path,
                      size_t spare, int backlog, struct gw_error **errp)
{
    size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 - spare;
    int r = 0;

    *listener = (struct vmm_listener)VMM_LISTENER_CLOSED;
    if (strlen(path) > max) {
        return gw_error_set(errp, -ENAMETOOLONG,
                            "socket path '%s' is longer than %zu bytes", path,
                            max);
    }
    if (listen_at(listener, path, backlog) < 0) {
        r = gw_error_set_errno(errp, -errno, "cannot listen on '%s'", path);
        vmm_listener_close(listener);
    }
    return r;
}

/* Whoever goes on with the guest may have made a new one at this path. */
void vmm_listener_close(struct vmm_listener *listener)
{
    struct stat st;

    if (listener->fd >= 0) {
        close(listener->fd);
    }
    if (listener->path && lstat(listener->path, &st) == 0 &&
        st.st_dev == listener->device && st.st_ino == listener->inode) {
        unlink(listener->path);
    }
    free(listener->path);
    *listener = (struct vmm_listener)VMM_LISTENER_CLOSED;
}

int vmm_listener_accept(const struct vmm_listener *listener)
{
    return accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}
