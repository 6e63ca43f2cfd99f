/*
 * Unix sockets and the line of text with which a connection begins.
 */
#include "virtio_vsock_host.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

#define BACKLOG 64
/* "_4294967295" */
#define SUFFIX_LEN 11u
#define COMMAND "CONNECT "

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A socket that is left from an earlier run is replaced, a file is not. */
static void remove_socket(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
}

static int listen_at(struct vmm_vsock_host *host, const char *path,
                     struct gw_error **errp)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    strcpy(address.sun_path, path);
    remove_socket(path);
    host->listen_fd = new_socket();
    if (host->listen_fd < 0 ||
        bind(host->listen_fd, (const struct sockaddr *)&address,
             sizeof(address)) < 0 ||
        listen(host->listen_fd, BACKLOG) < 0 || lstat(path, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot listen on '%s'", path);
    }
    host->device = st.st_dev;
    host->inode = st.st_ino;
    host->path = strdup(path);
    return host->path ? 0 : gw_error_set_errno(errp, -ENOMEM, "socket path");
}

int vmm_vsock_host_open(struct vmm_vsock_host *host, const char *path,
                        struct gw_error **errp)
{
    size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 - SUFFIX_LEN;
    int r;

    *host = (struct vmm_vsock_host){.listen_fd = -1};
    if (strlen(path) > max) {
        return gw_error_set(errp, -ENAMETOOLONG,
                            "socket path '%s' is longer than %zu bytes", path,
                            max);
    }
    r = listen_at(host, path, errp);
    if (r < 0) {
        vmm_vsock_host_close(host);
    }
    return r;
}

/* Whoever goes on with the guest may have made a new one at this path. */
void vmm_vsock_host_close(struct vmm_vsock_host *host)
{
    struct stat st;

    if (host->listen_fd >= 0) {
        close(host->listen_fd);
    }
    if (host->path && lstat(host->path, &st) == 0 &&
        st.st_dev == host->device && st.st_ino == host->inode) {
        unlink(host->path);
    }
    free(host->path);
    *host = (struct vmm_vsock_host){.listen_fd = -1};
}

int vmm_vsock_host_accept(const struct vmm_vsock_host *host)
{
    return accept4(host->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int vmm_vsock_host_connect(const struct vmm_vsock_host *host, uint32_t port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    VMM_AUTO_FD int fd = new_socket();

    if (fd < 0) {
        return -1;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s_%u", host->path,
             port);
    /* A listener that accepts too slowly refuses, too: EAGAIN. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return -1;
    }
    return vmm_take_fd(&fd);
}

static int parse_greeting(const char *line, uint32_t *ret_port)
{
    const char *digits = line + strlen(COMMAND);
    unsigned long long port;
    char *end = NULL;

    if (strncmp(line, COMMAND, strlen(COMMAND)) != 0 ||
        !isdigit((unsigned char)digits[0])) {
        return -1;
    }
    port = strtoull(digits, &end, 10);
    end += *end == '\r';
    if (*end || port > UINT32_MAX) {
        return -1;
    }
    *ret_port = (uint32_t)port;
    return 1;
}

int vmm_vsock_greeting_read(struct vmm_vsock_greeting *greeting, int fd,
                            uint32_t *ret_port)
{
    while (greeting->n < sizeof(greeting->line)) {
        char *at = &greeting->line[greeting->n];
        ssize_t n = recv(fd, at, 1, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        if (n <= 0) {
            return -1;
        }
        if (*at == '\n') {
            *at = '\0';
            return parse_greeting(greeting->line, ret_port);
        }
        greeting->n++;
    }
    return -1;
}

/* So short that it fits, or nobody is there. */
bool vmm_vsock_greeting_answer(int fd, uint32_t port)
{
    char line[VMM_VSOCK_GREETING_MAX];
    int len = snprintf(line, sizeof(line), "OK %u\n", port);

    return send(fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) == len;
}
