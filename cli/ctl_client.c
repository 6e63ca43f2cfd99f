/*
 * A client of QMP: connection, framing, negotiation.
 */
#include "ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* A monitor greets at once, unless another client has it. */
    GREETING_TIMEOUT_MS = 10000,
    /* Bytes of one reply. */
    REPLY_MAX = 64 * 1024 * 1024,
    READ_SIZE = 64 * 1024,
};

static int fail(const struct ctl_client *client, const char *what,
                const char *why)
{
    fprintf(stderr, "godwit %s: %s: %s\n", client->command, what, why);
    return -1;
}

static int connect_to(struct ctl_client *client, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(name.sun_path)) {
        return fail(client, path, "the path is too long for a socket");
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        return fail(client, "cannot make a socket", strerror(errno));
    }
    if (connect(client->fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
        fprintf(stderr, "godwit %s: cannot connect to '%s': %s\n",
                client->command, path, strerror(errno));
        return -1;
    }
    return 0;
}

/* Receives some more bytes; `timeout_ms` -1 waits without limit. */
static int receive(struct ctl_client *client, int timeout_ms)
{
    struct pollfd input = {.fd = client->fd, .events = POLLIN};
    ssize_t n;
    int r;

    if (client->capacity - client->size < READ_SIZE) {
        size_t capacity = 2 * client->capacity + READ_SIZE;
        char *data =
            capacity > REPLY_MAX ? NULL : realloc(client->data, capacity);

        if (!data) {
            return fail(client, "the monitor", "its reply is too long");
        }
        client->data = data;
        client->capacity = capacity;
    }
    do {
        r = poll(&input, 1, timeout_ms);
    } while (r < 0 && errno == EINTR);
    if (r == 0) {
        return fail(client, "the monitor does not greet",
                    "another client may be connected");
    }
    do {
        n = read(client->fd, client->data + client->size,
                 client->capacity - client->size);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return fail(client, "the monitor closed the connection",
                    n < 0 ? strerror(errno) : "end of file");
    }
    client->size += (size_t)n;
    return 0;
}

/*
 * Takes an object out of what was received; NULL: more is needed. An object
 * may be spread over lines, so that only a line's end makes a try worth it.
 */
static json_t *take_object(struct ctl_client *client)
{
    json_error_t error;
    json_t *object;
    size_t used;

    if (!client->size || !memchr(client->data, '\n', client->size)) {
        return NULL;
    }
    object =
        json_loadb(client->data, client->size, JSON_DISABLE_EOF_CHECK, &error);
    if (object) {
        used = (size_t)error.position;
        client->size -= used;
        memmove(client->data, client->data + used, client->size);
    }
    return object;
}

static int next_object(struct ctl_client *client, int timeout_ms,
                       json_t **ret_object)
{
    while (!(*ret_object = take_object(client))) {
        int r = receive(client, timeout_ms);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* The next bytes, and with them the descriptor, if one is given. */
static ssize_t send_some(struct ctl_client *client, const char *data,
                         size_t size, int fd)
{
    struct iovec piece = {.iov_base = (char *)(uintptr_t)data, .iov_len = size};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header; /* aligns */
    } rights = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                           .cmsg_level = SOL_SOCKET,
                           .cmsg_type = SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
        message.msg_control = rights.bytes;
        message.msg_controllen = sizeof(rights.bytes);
    }
    return sendmsg(client->fd, &message, MSG_NOSIGNAL);
}

static int send_all(struct ctl_client *client, const char *data, size_t size,
                    int fd)
{
    while (size) {
        ssize_t n = send_some(client, data, size, fd);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(client, "cannot send to the monitor", strerror(errno));
        }
        fd = -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int ask(struct ctl_client *client, const char *text, int fd,
               json_t **ret_reply)
{
    json_t *object;
    char *line = NULL;
    int len = asprintf(&line, "%s\n", text);
    int r;

    if (len < 0) {
        return fail(client, "cannot write the request", "out of memory");
    }
    /* In one piece: after `quit` nobody listens any more. */
    r = send_all(client, line, (size_t)len, fd);
    free(line);
    while (r >= 0) {
        r = next_object(client, -1, &object);
        if (r >= 0 && (json_object_get(object, "return") ||
                       json_object_get(object, "error"))) {
            *ret_reply = object;
            return 0;
        }
        if (r >= 0) {
            json_decref(object);
        }
    }
    return r;
}

int ctl_client_ask_text(struct ctl_client *client, const char *text,
                        json_t **ret_reply)
{
    return ask(client, text, -1, ret_reply);
}

static int ask_passing(struct ctl_client *client, json_t *request, int fd,
                       json_t **ret_reply)
{
    char *text = json_dumps(request, JSON_COMPACT);
    int r;

    if (!text) {
        return fail(client, "cannot write the request", "not valid UTF-8");
    }
    r = ask(client, text, fd, ret_reply);
    free(text);
    return r;
}

int ctl_client_ask(struct ctl_client *client, json_t *request,
                   json_t **ret_reply)
{
    return ask_passing(client, request, -1, ret_reply);
}

int ctl_client_execute(struct ctl_client *client, const char *command,
                       json_t *arguments, int fd, json_t **ret_reply)
{
    json_t *request =
        json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
    int r = ask_passing(client, request, fd, ret_reply);

    json_decref(request);
    return r;
}

const char *ctl_error_of(const json_t *reply)
{
    const json_t *error = json_object_get(reply, "error");
    const char *text = json_string_value(json_object_get(error, "desc"));

    if (!error) {
        return NULL;
    }
    return text ? text : "an error without a description";
}

static int negotiate(struct ctl_client *client)
{
    json_t *object;
    bool is_qmp;
    int r = next_object(client, GREETING_TIMEOUT_MS, &object);

    if (r < 0) {
        return r;
    }
    is_qmp = json_object_get(object, "QMP") != NULL;
    json_decref(object);
    if (!is_qmp) {
        return fail(client, "the socket",
                    "what listens there does not speak QMP");
    }
    r = ctl_client_execute(client, "qmp_capabilities", NULL, -1, &object);
    if (r >= 0 && ctl_error_of(object)) {
        r = fail(client, "the monitor", ctl_error_of(object));
        json_decref(object);
        return r;
    }
    if (r >= 0) {
        json_decref(object);
    }
    return r;
}

int ctl_client_open(struct ctl_client *client, const char *command,
                    const char *path)
{
    int r;

    *client = (struct ctl_client){.command = command, .fd = -1};
    if (strncmp(path, "unix:", 5) == 0) {
        path += 5;
    }
    r = connect_to(client, path);
    if (r >= 0) {
        r = negotiate(client);
    }
    if (r < 0) {
        ctl_client_close(client);
    }
    return r;
}

void ctl_client_close(struct ctl_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    free(client->data);
    *client = (struct ctl_client){.fd = -1};
}
