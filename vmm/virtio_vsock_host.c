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
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

#define BACKLOG 64
/* "_4294967295" */
#define SUFFIX_LEN 11u
#define COMMAND "CONNECT "

int vmm_vsock_host_open(struct vmm_listener *host, const char *path,
                        struct gw_error **errp)
{
    return vmm_listener_open(host, path, SUFFIX_LEN, BACKLOG, errp);
}

int vmm_vsock_host_connect(const struct vmm_listener *host, uint32_t port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    VMM_AUTO_FD int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

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
