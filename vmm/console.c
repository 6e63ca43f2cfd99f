/*
 * Backends of the serial line.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util.h"

/* Indices of what is polled. */
#define POLL_IN 0
#define POLL_OUT 1
#define POLL_LISTEN 2

/*
 * Characters come one by one and unechoed. Ctrl-C still ends the program;
 * Ctrl-Z and Ctrl-\ are the guest's, since a stop would leave the terminal
 * like this.
 */
static void set_terminal(struct vmm_console *console)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &console->termios) < 0) {
        return;
    }
    raw = console->termios;
    raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON | ISTRIP | INLCR | IGNCR);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    raw.c_cc[VQUIT] = _POSIX_VDISABLE;
    console->has_termios = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/*
 * A job in the background has no claim to the terminal's input: reading, or
 * changing the modes, would stop the whole process.
 */
static void open_stdio(struct vmm_console *console)
{
    console->out_fd = STDOUT_FILENO;
    if (!isatty(STDIN_FILENO)) {
        console->in_fd = STDIN_FILENO;
    } else if (tcgetpgrp(STDIN_FILENO) == getpgrp()) {
        console->in_fd = STDIN_FILENO;
        set_terminal(console);
    }
}

static int open_file(struct vmm_console *console, const char *path,
                     struct gw_error **errp)
{
    console->out_fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (console->out_fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open '%s'", path);
    }
    console->owned = true;
    return 0;
}

static int open_backend(struct vmm_console *console,
                        const struct vmm_chardev *chardev,
                        struct gw_error **errp)
{
    switch (chardev->kind) {
    case VMM_CHARDEV_STDIO:
        open_stdio(console);
        return 0;
    case VMM_CHARDEV_FILE:
        return open_file(console, chardev->path, errp);
    case VMM_CHARDEV_UNIX:
        console->owned = true;
        return vmm_listener_open(&console->listener, chardev->path, 0, 1, errp);
    case VMM_CHARDEV_NONE:
    default:
        return 0;
    }
}

int vmm_console_init(struct vmm_console *console,
                     const struct vmm_chardev *chardev,
                     const struct vmm_console_ops *ops, void *opaque,
                     struct gw_error **errp)
{
    int r;

    *console = (struct vmm_console){.ops = ops,
                                    .opaque = opaque,
                                    .listener = VMM_LISTENER_CLOSED,
                                    .wake_fd = -1,
                                    .in_fd = -1,
                                    .out_fd = -1};
    pthread_mutex_init(&console->lock, NULL);
    console->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (console->wake_fd < 0) {
        r = gw_error_set_errno(errp, -errno, "eventfd");
    } else {
        r = open_backend(console, chardev, errp);
    }
    if (r < 0) {
        vmm_console_deinit(console);
        return gw_error_prefix(errp, r, "serial port");
    }
    return 0;
}

/* Closes the connection; what is owned twice is closed once. */
static void disconnect(struct vmm_console *console)
{
    if (console->owned) {
        if (console->out_fd >= 0 && console->out_fd != console->in_fd) {
            close(console->out_fd);
        }
        if (console->in_fd >= 0) {
            close(console->in_fd);
        }
    }
    console->in_fd = -1;
    console->out_fd = -1;
}

void vmm_console_deinit(struct vmm_console *console)
{
    if (!console->ops) {
        return;
    }
    disconnect(console);
    if (console->has_termios) {
        tcsetattr(STDIN_FILENO, TCSANOW, &console->termios);
    }
    vmm_listener_close(&console->listener);
    if (console->wake_fd >= 0) {
        close(console->wake_fd);
    }
    pthread_mutex_destroy(&console->lock);
    *console = (struct vmm_console){0};
}

/*
 * Standard output is shared with others, so it is not made non-blocking:
 * poll says whether one byte fits. With nobody at the other end output is
 * dropped, as by a line without a cable.
 */
static size_t write_locked(struct vmm_console *console, const uint8_t *bytes,
                           size_t max)
{
    struct pollfd poll_out = {.fd = console->out_fd, .events = POLLOUT};
    ssize_t n;

    if (console->out_fd < 0) {
        return max;
    }
    if (poll(&poll_out, 1, 0) == 0) {
        return 0;
    }
    n = write(console->out_fd, bytes, console->owned ? max : 1);
    if (n > 0) {
        return (size_t)n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (!console->owned || console->in_fd < 0) {
        /* Nobody will read any more: keep the input, drop the output. */
        if (console->owned) {
            close(console->out_fd);
        }
        console->out_fd = -1;
    }
    return max;
}

size_t vmm_console_write(struct vmm_console *console, const uint8_t *bytes,
                         size_t n)
{
    size_t done = 0;
    size_t part;

    pthread_mutex_lock(&console->lock);
    do {
        part = write_locked(console, bytes + done, n - done);
        done += part;
    } while (done < n && part > 0);
    if (done < n) {
        console->blocked = true;
    }
    pthread_mutex_unlock(&console->lock);
    if (done < n) {
        vmm_console_wake(console);
    }
    return done;
}

bool vmm_console_put(struct vmm_console *console, uint8_t byte)
{
    return vmm_console_write(console, &byte, 1) == 1;
}

void vmm_console_wake(struct vmm_console *console)
{
    uint64_t one = 1;

    if (write(console->wake_fd, &one, sizeof(one)) < 0) {
        /* EAGAIN: it is readable already. */
        return;
    }
}

static void drain_wake(struct vmm_console *console)
{
    uint64_t count;

    while (read(console->wake_fd, &count, sizeof(count)) > 0) {
        continue;
    }
}

/*
 * The listening socket is polled while nobody is connected. The loop polls
 * wake_fd itself; it is drained here, before the state is looked at.
 */
void vmm_console_prepare(struct vmm_console *console,
                         struct pollfd polls[VMM_CONSOLE_POLLS])
{
    bool welcome;

    drain_wake(console);
    welcome = console->ops->room(console->opaque) > 0;
    pthread_mutex_lock(&console->lock);
    polls[POLL_IN] =
        (struct pollfd){.fd = welcome ? console->in_fd : -1, .events = POLLIN};
    polls[POLL_OUT] = (struct pollfd){
        .fd = console->blocked ? console->out_fd : -1, .events = POLLOUT};
    polls[POLL_LISTEN] = (struct pollfd){
        .fd = console->in_fd < 0 ? console->listener.fd : -1, .events = POLLIN};
    pthread_mutex_unlock(&console->lock);
}

static void read_input(struct vmm_console *console)
{
    uint8_t bytes[16];
    size_t n = console->ops->room(console->opaque);
    ssize_t got;

    if (n == 0) {
        return;
    }
    got = read(console->in_fd, bytes, n < sizeof(bytes) ? n : sizeof(bytes));
    if (got > 0) {
        console->ops->input(console->opaque, bytes, (size_t)got);
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    pthread_mutex_lock(&console->lock);
    if (console->listener.fd >= 0) {
        disconnect(console);
    } else {
        /* End of standard input; output goes on. */
        console->in_fd = -1;
    }
    pthread_mutex_unlock(&console->lock);
}

static void accept_client(struct vmm_console *console)
{
    int fd = vmm_listener_accept(&console->listener);

    if (fd < 0) {
        return;
    }
    pthread_mutex_lock(&console->lock);
    console->in_fd = fd;
    console->out_fd = fd;
    pthread_mutex_unlock(&console->lock);
}

void vmm_console_dispatch(struct vmm_console *console,
                          const struct pollfd polls[VMM_CONSOLE_POLLS])
{
    bool retry;

    if (polls[POLL_LISTEN].fd >= 0 && polls[POLL_LISTEN].revents) {
        accept_client(console);
    }
    if (polls[POLL_IN].fd >= 0 && polls[POLL_IN].revents) {
        read_input(console);
    }
    pthread_mutex_lock(&console->lock);
    retry = console->blocked &&
            (console->out_fd < 0 ||
             (polls[POLL_OUT].fd >= 0 && polls[POLL_OUT].revents));
    if (retry) {
        console->blocked = false;
    }
    pthread_mutex_unlock(&console->lock);
    if (retry) {
        console->ops->writable(console->opaque);
    }
}
