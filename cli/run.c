/*
 * `godwit run`: builds a machine from options, attaches monitors, and waits
 * for signals, the console, the guest's end and `quit`.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <godwit/control.h>
#include <godwit/error.h>
#include <godwit/fdset.h>
#include <godwit/machine.h>

#include "console.h"
#include "machine.h"
#include "monitor_commands.h"
#include "options.h"
#include "sandbox.h"
#include "util.h"

/* One run of a machine. */
struct run {
    struct vmm_options options;
    struct vmm_machine machine;
    struct gw_control *control;
    /* Signals that end the program. */
    int signal_fd;
    /* A monitor's quit, or a failed incoming migration. */
    int quit_fd;
    /* The latter; read after quit_fd was readable. */
    bool failed;
};

/* Indices of the descriptors that the loop polls. */
enum {
    POLL_SIGNAL,
    POLL_QUIT,
    POLL_END,
    POLL_WAKE,
    POLL_CONSOLE,
    N_POLLS = POLL_CONSOLE + VMM_CONSOLE_POLLS,
};

static void print_help(void)
{
    fputs("usage: godwit run [OPTION...]\n"
          "\n"
          "Runs a virtual machine, or goes on with a saved one. Options take "
          "one dash or two:\n",
          stdout);
    vmm_options_print(stdout);
}

static void print_error(const struct gw_error *error)
{
    fprintf(stderr, "godwit run: %s\n", gw_error_text(error));
}

static void signal_quit(struct run *run)
{
    uint64_t one = 1;

    (void)!write(run->quit_fd, &one, sizeof(one));
}

static void on_quit(void *opaque)
{
    signal_quit(opaque);
}

/* The text QEMU's users know: -incoming URI: what went wrong. */
static void on_incoming_failed(void *opaque, const struct gw_error *error)
{
    struct run *run = opaque;

    fprintf(stderr, "godwit run: -incoming %s: %s\n", run->options.incoming,
            gw_error_text(error));
    __atomic_store_n(&run->failed, true, __ATOMIC_RELEASE);
    signal_quit(run);
}

static const struct gw_control_ops control_ops = {
    .quit = on_quit,
    .incoming_failed = on_incoming_failed,
};

/*
 * Blocked before any thread starts, so that all signals arrive here. Writing
 * to a peer that has gone is an error, not a death.
 */
static int open_signals(struct run *run, struct gw_error **errp)
{
    sigset_t ending;

    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    signal(SIGPIPE, SIG_IGN);
    run->signal_fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    run->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->signal_fd < 0 || run->quit_fd < 0) {
        return gw_error_set_errno(errp, -errno, "cannot wait for signals");
    }
    return 0;
}

/* Monitors own what they are attached to: give them duplicates. */
static int attach_stdio(struct run *run, bool qmp, struct gw_error **errp)
{
    VMM_AUTO_FD int in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    VMM_AUTO_FD int out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int r;

    if (in_fd < 0 || out_fd < 0) {
        return gw_error_set_errno(errp, -errno, "standard input or output");
    }
    r = qmp ? gw_qmp_attach(run->control, in_fd, out_fd, errp)
            : gw_hmp_attach(run->control, in_fd, out_fd, errp);
    if (r == 0) {
        vmm_take_fd(&in_fd);
        vmm_take_fd(&out_fd);
    }
    return r;
}

static int attach_monitor(struct run *run,
                          const struct vmm_monitor_option *option,
                          struct gw_error **errp)
{
    const struct vmm_chardev *chardev = &option->chardev;
    int r = 0;

    if (chardev->kind == VMM_CHARDEV_STDIO) {
        r = attach_stdio(run, option->qmp, errp);
    } else if (chardev->kind == VMM_CHARDEV_UNIX) {
        r = option->qmp ? gw_qmp_listen(run->control, chardev->path, errp)
                        : gw_hmp_listen(run->control, chardev->path, errp);
    }
    return gw_error_prefix(errp, r, "%s", option->qmp ? "QMP" : "monitor");
}

/* The sets take over the descriptors. */
static int fill_fdsets(struct run *run, struct gw_error **errp)
{
    struct gw_fdsets *fdsets = gw_control_get_fdsets(run->control);
    struct vmm_fdset_options *options = &run->options.fdsets;

    for (unsigned int i = 0; i < options->n_items; i++) {
        struct vmm_fdset_option *item = &options->items[i];
        int r = gw_fdsets_add(fdsets, item->set, item->fd, item->opaque, NULL,
                              NULL, errp);

        if (r < 0) {
            return gw_error_prefix(errp, r, "--add-fd");
        }
        vmm_take_fd(&item->fd);
    }
    return 0;
}

static int attach_monitors(struct run *run, struct gw_error **errp)
{
    int r;

    run->control = gw_control_new(run->machine.gw, &control_ops, run);
    if (!run->control) {
        return gw_error_set_errno(errp, -ENOMEM, "control plane");
    }
    r = vmm_monitor_commands_add(&run->machine, run->control, errp);
    if (r == 0) {
        r = fill_fdsets(run, errp);
    }
    for (unsigned int i = 0; r == 0 && i < run->options.n_monitors; i++) {
        r = attach_monitor(run, &run->options.monitors[i], errp);
    }
    return r;
}

/* The guest runs, or waits to be told, or to come in. */
static int start_guest(struct run *run, struct gw_error **errp)
{
    const struct vmm_options *options = &run->options;
    int r;

    gw_machine_set_autostart(run->machine.gw, !options->paused);
    if (options->incoming) {
        r = gw_machine_expect_incoming(run->machine.gw, errp);
        if (r == 0) {
            r = attach_monitors(run, errp);
        }
        if (r == 0) {
            r = gw_control_incoming(run->control, options->incoming, errp);
            gw_error_prefix(errp, r, "-incoming %s", options->incoming);
        }
        return r;
    }
    r = attach_monitors(run, errp);
    if (r == 0 && !options->paused) {
        r = gw_machine_cont(run->machine.gw, errp);
    }
    return r;
}

static int setup(struct run *run, struct gw_error **errp)
{
    int r;

    r = open_signals(run, errp);
    if (r < 0) {
        return r;
    }
    r = vmm_machine_init(&run->machine, &run->options, errp);
    if (r < 0) {
        return r;
    }
    if (run->options.sandbox) {
        r = vmm_sandbox_enter(errp);
        if (r < 0) {
            return r;
        }
    }
    return start_guest(run, errp);
}

/*
 * The guest ended by itself. After an error somebody with a monitor may want
 * to look; without one nobody can.
 */
static bool guest_ended(struct run *run, int *ret_status)
{
    switch (vmm_machine_finish_end(&run->machine)) {
    case VMM_END_POWER_OFF:
    case VMM_END_RESET:
    case VMM_END_CLOSED:
        *ret_status = CLI_OK;
        return true;
    case VMM_END_ERROR:
        *ret_status = CLI_FAILED;
        return run->options.n_monitors == 0;
    case VMM_END_NONE:
    default:
        return false;
    }
}

static void prepare_polls(struct run *run, struct pollfd polls[N_POLLS])
{
    polls[POLL_SIGNAL] =
        (struct pollfd){.fd = run->signal_fd, .events = POLLIN};
    polls[POLL_QUIT] = (struct pollfd){.fd = run->quit_fd, .events = POLLIN};
    polls[POLL_END] =
        (struct pollfd){.fd = run->machine.end_fd, .events = POLLIN};
    polls[POLL_WAKE] =
        (struct pollfd){.fd = run->machine.console.wake_fd, .events = POLLIN};
    vmm_console_prepare(&run->machine.console, &polls[POLL_CONSOLE]);
}

/* Waits for something that ends the program; returns the exit status. */
static int loop(struct run *run)
{
    struct pollfd polls[N_POLLS];
    int status = CLI_OK;

    for (;;) {
        int timeout_ms = vmm_balloon_send_event(&run->machine, vmm_now_ns());

        prepare_polls(run, polls);
        if (poll(polls, N_POLLS, timeout_ms) < 0) {
            continue;
        }
        if (polls[POLL_QUIT].revents) {
            return __atomic_load_n(&run->failed, __ATOMIC_ACQUIRE) ? CLI_FAILED
                                                                   : CLI_OK;
        }
        if (polls[POLL_SIGNAL].revents) {
            vmm_machine_shut_down(&run->machine, "host-signal");
            return CLI_OK;
        }
        if (polls[POLL_END].revents && guest_ended(run, &status)) {
            return status;
        }
        vmm_console_dispatch(&run->machine.console, &polls[POLL_CONSOLE]);
    }
}

static void tear_down(struct run *run)
{
    run->control = gw_control_free(run->control);
    vmm_machine_deinit(&run->machine);
    if (run->signal_fd >= 0) {
        close(run->signal_fd);
    }
    if (run->quit_fd >= 0) {
        close(run->quit_fd);
    }
}

static int run_machine(struct run *run)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;
    int status;

    if (setup(run, &error) < 0) {
        print_error(error);
        status = CLI_FAILED;
    } else {
        status = loop(run);
    }
    tear_down(run);
    return status;
}

int cmd_run(int argc, char **argv)
{
    VMM_AUTO_ERROR struct gw_error *error = NULL;
    /* Large: it holds the machine, which needs a fixed address. */
    static struct run run;
    int status;

    run = (struct run){.signal_fd = -1, .quit_fd = -1};
    vmm_options_init(&run.options);
    if (vmm_options_parse(&run.options, argc, argv, &error) < 0) {
        print_error(error);
        fputs("Try 'godwit run --help'.\n", stderr);
        status = CLI_USAGE;
    } else if (run.options.help) {
        print_help();
        status = CLI_OK;
    } else {
        status = run_machine(&run);
    }
    vmm_options_deinit(&run.options);
    return status;
}
