/*
 * A small machine with its control object, and a client of its monitors.
 */
#include "kit-monitor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

static int do_nothing(void *opaque, struct gw_error **errp)
{
    (void)opaque;
    (void)errp;
    return 0;
}

const struct gw_machine_ops kit_box_still = {.pause = do_nothing,
                                             .resume = do_nothing};

void kit_box_begin(struct kit_box *b)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram", .used_length = KIT_BOX_RAM_SIZE);

    b->machine = gw_machine_new("box", b->ops, b->opaque);
    KIT_CHECK(b->machine &&
                  gw_ram_block_add(b->machine, &attr, &b->ram, NULL) == 0,
              "no machine");
    b->control = gw_control_new(b->machine, b->control_ops, b->opaque);
    KIT_CHECK(b->control, "no control object");
}

void kit_box_end(struct kit_box *b)
{
    b->control = gw_control_free(b->control);
    b->machine = gw_machine_free(b->machine);
}

void kit_box_init(struct kit_box *b, const struct gw_machine_ops *ops,
                  const struct gw_control_ops *control_ops, void *opaque)
{
    *b = (struct kit_box){
        .ops = ops,
        .control_ops = control_ops,
        .opaque = opaque,
        .dir = "/tmp/godwit-test-XXXXXX",
    };
    KIT_CHECK(mkdtemp(b->dir), "%s: %s", b->dir, strerror(errno));
    snprintf(b->path, sizeof(b->path), "%s/a.mig", b->dir);
    kit_box_begin(b);
}

void kit_box_deinit(struct kit_box *b)
{
    kit_box_end(b);
    unlink(b->path);
    KIT_CHECK(rmdir(b->dir) == 0, "%s: %s", b->dir, strerror(errno));
}

void kit_client_init(struct kit_client *c, int fd)
{
    *c = (struct kit_client){.fd = fd};
}

void kit_client_attach(struct kit_client *c, struct gw_control *control)
{
    int fds[2];

    KIT_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0,
              "%s", strerror(errno));
    KIT_CHECK(gw_qmp_attach(control, fds[0], fds[0], NULL) == 0, "attach");
    kit_client_init(c, fds[1]);
}

void kit_client_deinit(struct kit_client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    gw_buffer_deinit(&c->in);
    free(c->line);
    kit_client_init(c, -1);
}

void kit_client_send(struct kit_client *c, const char *text)
{
    KIT_CHECK(send(c->fd, text, strlen(text), MSG_NOSIGNAL) ==
                  (ssize_t)strlen(text),
              "cannot send '%s'", text);
}

void kit_client_send_fd(struct kit_client *c, const char *text, int fd)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)text,
                          .iov_len = strlen(text)};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } rights = {{0}};
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = rights.bytes,
        .msg_controllen = sizeof(rights.bytes),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    KIT_CHECK(sendmsg(c->fd, &message, MSG_NOSIGNAL) == (ssize_t)strlen(text),
              "cannot send '%s'", text);
}

bool kit_client_fill(struct kit_client *c)
{
    struct pollfd input = {.fd = c->fd, .events = POLLIN};
    char data[4096];
    ssize_t n;

    if (poll(&input, 1, KIT_CLIENT_TIMEOUT_MS) != 1) {
        return false;
    }
    n = read(c->fd, data, sizeof(data));
    if (n <= 0) {
        return false;
    }
    gw_buffer_put_bytes(&c->in, data, (size_t)n);
    return true;
}

char *kit_client_receive(struct kit_client *c)
{
    char *end;
    size_t len;

    while (!c->in.size || !(end = memchr(c->in.data, '\n', c->in.size))) {
        if (!kit_client_fill(c)) {
            return NULL;
        }
    }
    len = (size_t)(end - (char *)c->in.data);
    KIT_CHECK(len > 0 && end[-1] == '\r', "a line of QMP ends with \\r\\n");
    free(c->line);
    c->line = strndup((char *)c->in.data, len - 1);
    c->in.size -= len + 1;
    memmove(c->in.data, end + 1, c->in.size);
    return c->line;
}

const char *kit_client_answer(struct kit_client *c)
{
    const char *line;

    do {
        line = kit_client_receive(c);
        KIT_CHECK(line, "no answer comes");
    } while (strncmp(line, "{\"return\"", 9) != 0 &&
             strncmp(line, "{\"error\"", 8) != 0);
    return line;
}

const char *kit_client_ask(struct kit_client *c, const char *request)
{
    kit_client_send(c, request);
    return kit_client_answer(c);
}

void kit_client_await_migration(struct kit_client *c, const char *status)
{
    int left = KIT_CLIENT_TIMEOUT_MS / 5;
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "\"status\": \"%s\"", status);
    while (!strstr(kit_client_ask(c, "{'execute':'query-migrate'}"), wanted)) {
        KIT_CHECK(left-- > 0, "not '%s' in time: %s", status, c->line);
        usleep(5000);
    }
}
