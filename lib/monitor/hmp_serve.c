/*
 * HMP on descriptors: prompt, line, output, in turn.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <godwit/version.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "monitor/hmp.h"
#include "monitor/hmp_editor.h"
#include "monitor/monitor.h"

static const char prompt[] = "(godwit) ";

enum {
    /* Of a line; what is longer is cut. */
    LINE_MAX_SIZE = 4096,
    /* A client that takes nothing for so long is given up. */
    WRITE_TIMEOUT_MS = 10000,
};

struct terminal {
    struct gw_monitor *monitor;    /* who serves it */
    int in_fd;                     /* borrowed */
    int out_fd;                    /* borrowed */
    bool is_socket;                /* lines end with CR LF, as with QEMU */
    struct gw_hmp_editor *editor;  /* NULL: lines are read plainly */
    char input[LINE_MAX_SIZE + 1]; /* plain: read and not used yet */
    size_t n_input;                /* bytes of it */
    size_t n_used;                 /* of those, bytes of the last line */
    int received_fd;               /* came with the input, or -1; owned */
};

/* Writes all; false if the client is gone or everything is to end. */
static bool write_all(struct terminal *t, const void *data, size_t size)
{
    const char *at = data;

    while (size) {
        struct pollfd fds[] = {
            {.fd = t->out_fd, .events = POLLOUT},
            {.fd = t->monitor->control->stop_fd, .events = POLLIN},
        };
        ssize_t n;

        if (poll(fds, 2, WRITE_TIMEOUT_MS) < 0 && errno == EINTR) {
            continue;
        }
        if (!(fds[0].revents & POLLOUT)) {
            return false;
        }
        n = send(t->out_fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK) {
            n = write(t->out_fd, at, size < 4096 ? size : 4096);
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool print(struct terminal *t, const struct gw_buffer *text)
{
    const char *at = (const char *)text->data;
    size_t left = text->size;

    if (!t->is_socket) {
        return write_all(t, at, left);
    }
    while (left) {
        const char *end = memchr(at, '\n', left);
        size_t len = end ? (size_t)(end - at) : left;

        if (!write_all(t, at, len) || (end && !write_all(t, "\r\n", 2))) {
            return false;
        }
        len += end != NULL;
        at += len;
        left -= len;
    }
    return true;
}

static bool print_text(struct terminal *t, const char *text)
{
    GW_AUTO_BUFFER struct gw_buffer buffer = {0};

    gw_buffer_printf(&buffer, "%s", text);
    return print(t, &buffer);
}

/* Reads more input; false at its end. */
static bool read_more(struct terminal *t)
{
    ssize_t n;
    int fd;

    if (!gw_monitor_wait_input(t->monitor, t->in_fd)) {
        return false;
    }
    if (t->n_input == LINE_MAX_SIZE) {
        t->n_input = 0;
    }
    n = gw_monitor_read(t->in_fd, t->input + t->n_input,
                        LINE_MAX_SIZE - t->n_input, &fd);
    if (fd >= 0) {
        if (t->received_fd >= 0) {
            close(t->received_fd);
        }
        t->received_fd = fd;
    }
    t->n_input += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* The next line, without its end; NULL at the end of input. */
static const char *read_plain(struct terminal *t)
{
    char *end;

    memmove(t->input, t->input + t->n_used, t->n_input - t->n_used);
    t->n_input -= t->n_used;
    t->n_used = 0;
    while (!(end = memchr(t->input, '\n', t->n_input))) {
        if (!read_more(t)) {
            return NULL;
        }
    }
    t->n_used = (size_t)(end - t->input) + 1;
    *end = '\0';
    if (end > t->input && end[-1] == '\r') {
        end[-1] = '\0';
    }
    return t->input;
}

static const char *read_line(struct terminal *t)
{
    if (t->editor) {
        return gw_hmp_editor_read(t->editor);
    }
    return print_text(t, prompt) ? read_plain(t) : NULL;
}

/* Waits for the end of a foreground migration, and says why it failed. */
static void wait_for_end(struct terminal *t, int wait_fd, struct gw_buffer *out)
{
    struct gw_control *control = t->monitor->control;
    struct gw_hmp hmp = {.control = control, .out = out};
    struct gw_control_state state;
    struct pollfd fds[] = {
        {.fd = wait_fd, .events = POLLIN},
        {.fd = control->stop_fd, .events = POLLIN},
        {.fd = t->in_fd, .events = POLLRDHUP},
    };

    while (poll(fds, GW_ARRAY_SIZE(fds), -1) < 0 && errno == EINTR) {
    }
    if (!fds[0].revents) {
        return;
    }
    pthread_mutex_lock(&control->command_lock);
    gw_control_get_state(control, &state);
    pthread_mutex_unlock(&control->command_lock);
    gw_hmp_print_error(&hmp, state.error);
}

/* Executes a line and prints what it says; false if the client is gone. */
static bool execute(struct terminal *t, const char *line)
{
    GW_AUTO_BUFFER struct gw_buffer out = {0};
    struct gw_hmp hmp = {
        .control = t->monitor->control,
        .received_fd = &t->received_fd,
        .can_wait = true,
        .wait_fd = -1,
        .out = &out,
    };

    pthread_mutex_lock(&hmp.control->command_lock);
    gw_hmp_run(&hmp, line);
    pthread_mutex_unlock(&hmp.control->command_lock);
    if (hmp.wait_fd >= 0) {
        wait_for_end(t, hmp.wait_fd, &out);
        close(hmp.wait_fd);
    }
    return print(t, &out);
}

static bool is_socket(int fd)
{
    int type;
    socklen_t size = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

static bool greet(struct terminal *t)
{
    GW_AUTO_BUFFER struct gw_buffer text = {0};

    gw_buffer_printf(&text,
                     "godwit %s monitor - type 'help' for more information\n",
                     gw_version_string());
    return print(t, &text);
}

void gw_hmp_serve(struct gw_monitor *monitor, int in_fd, int out_fd)
{
    struct terminal *t = calloc(1, sizeof(*t));
    const char *line;

    if (!t) {
        return;
    }
    *t = (struct terminal){
        .monitor = monitor,
        .in_fd = in_fd,
        .out_fd = out_fd,
        .is_socket = is_socket(out_fd),
        .received_fd = -1,
    };
    t->editor = gw_hmp_editor_new(monitor, in_fd, out_fd, prompt);
    if (greet(t)) {
        while ((line = read_line(t)) && execute(t, line)) {
        }
    }
    gw_hmp_editor_free(t->editor);
    if (t->received_fd >= 0) {
        close(t->received_fd);
    }
    free(t);
}
