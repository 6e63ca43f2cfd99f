/*
 * Options about who talks to the machine, and how it begins and ends.
 */
#include "option_rules.h"

#include <errno.h>
#include <string.h>

static int apply_serial(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->has_serial = true;
    return vmm_chardev_parse(&options->serial, value, true, errp);
}

static int add_monitor(struct vmm_options *options, bool qmp, const char *value,
                       struct gw_error **errp)
{
    struct vmm_monitor_option *monitor;

    if (options->n_monitors == VMM_MAX_MONITORS) {
        return gw_error_set(errp, -EINVAL, "more than %d monitors",
                            VMM_MAX_MONITORS);
    }
    monitor = &options->monitors[options->n_monitors++];
    monitor->qmp = qmp;
    return vmm_chardev_parse(&monitor->chardev, value, false, errp);
}

static int apply_qmp(struct vmm_options *options, const char *value,
                     struct gw_error **errp)
{
    return add_monitor(options, true, value, errp);
}

static int apply_monitor(struct vmm_options *options, const char *value,
                         struct gw_error **errp)
{
    return add_monitor(options, false, value, errp);
}

static int apply_incoming(struct vmm_options *options, const char *value,
                          struct gw_error **errp)
{
    options->incoming = value;
    return 0;
}

static int apply_add_fd(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    return vmm_fdset_options_add(&options->fdsets, value, errp);
}

static int apply_paused(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    options->paused = true;
    return 0;
}

static int apply_no_reboot(struct vmm_options *options, const char *value,
                           struct gw_error **errp)
{
    options->no_reboot = true;
    return 0;
}

/* Of QEMU's actions the one about resets. */
static int apply_action(struct vmm_options *options, const char *value,
                        struct gw_error **errp)
{
    if (strcmp(value, "reboot=reset") != 0 &&
        strcmp(value, "reboot=shutdown") != 0) {
        return gw_error_set(errp, -EINVAL,
                            "'%s' is not one of reboot=reset, reboot=shutdown",
                            value);
    }
    options->no_reboot = strcmp(value, "reboot=shutdown") == 0;
    return 0;
}

const struct vmm_option_rule vmm_control_rules[] = {
    {"serial", NULL, "DEV", "stdio, file:PATH, unix:PATH or none",
     apply_serial},
    {"qmp", NULL, "DEV", "QMP server on unix:PATH or stdio", apply_qmp},
    {"monitor", NULL, "DEV", "HMP monitor on stdio or unix:PATH",
     apply_monitor},
    {"incoming", NULL, "URI", "restore from URI, or defer to the monitor",
     apply_incoming},
    {"add-fd", NULL, "fd=N,set=M",
     "inherited descriptor for /dev/fdset/M; ,opaque=TEXT", apply_add_fd},
    {"S", "paused", NULL, "do not start the guest", apply_paused},
    {"no-reboot", NULL, NULL, "end when the guest resets the machine",
     apply_no_reboot},
    {"action", NULL, "reboot=ACTION", "what a reset does: reset or shutdown",
     apply_action},
    {NULL, NULL, NULL, NULL, NULL},
};
