/*
 * Commands that act on the machine. Texts of errors are QEMU's.
 */
#include "monitor_commands.h"

#include <errno.h>
#include <inttypes.h>

#include <godwit/command.h>
#include <godwit/control.h>
#include <godwit/machine.h>

#include "machine.h"
#include "platform.h"
#include "start.h"
#include "util.h"
#include "virtio_balloon.h"

#define PAGE_SHIFT 12
#define EVENT_INTERVAL_NS INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static int system_powerdown(void *opaque, const struct gw_value *values,
                            struct gw_reply *reply, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    const struct gw_event event = {.type = GW_EVENT_POWERDOWN};

    gw_machine_emit(machine->gw, &event);
    vmm_platform_press_power_button(machine);
    return 0;
}

static int system_reset(void *opaque, const struct gw_value *values,
                        struct gw_reply *reply, struct gw_error **errp)
{
    static const char reason[] = "host-qmp-system-reset";
    struct vmm_machine *machine = opaque;
    int r;

    if (machine->options->no_reboot) {
        vmm_machine_shut_down(machine, reason);
        vmm_machine_request_end(machine, VMM_END_CLOSED);
        return 0;
    }
    if (!vmm_machine_can_start(machine) &&
        gw_machine_run_state(machine->gw) != GW_RUN_STATE_INMIGRATE) {
        return gw_error_set(errp, -EINVAL,
                            "there is nothing to boot: the guest came in "
                            "without --kernel or --bios");
    }
    /* Before anything of the guest is lost: it goes on. */
    r = vmm_boot_files_check(&machine->boot_files, errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "cannot reset the machine");
    }
    return vmm_machine_reset(machine, reason, false, errp);
}

/* ---- the balloon ---- */

static int find_balloon(struct vmm_machine *machine,
                        struct vmm_virtio_balloon **ret_balloon,
                        struct gw_error **errp)
{
    *ret_balloon = vmm_virtio_set_balloon(&machine->virtio);
    if (!*ret_balloon) {
        return gw_error_set_class(errp, GW_ERROR_DEVICE_NOT_ACTIVE, -ENODEV,
                                  "No balloon device has been activated");
    }
    return 0;
}

/* What the guest says that it has given up is its own word. */
static uint64_t actual_bytes(const struct vmm_machine *machine,
                             struct vmm_virtio_balloon *balloon)
{
    uint64_t given = (uint64_t)vmm_virtio_balloon_actual(balloon) << PAGE_SHIFT;

    return given < machine->memory.bytes ? machine->memory.bytes - given : 0;
}

static int set_balloon(void *opaque, const struct gw_value *values,
                       struct gw_reply *reply, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    struct vmm_virtio_balloon *balloon;
    uint64_t bytes = machine->memory.bytes;
    int r = find_balloon(machine, &balloon, errp);

    if (r < 0) {
        return r;
    }
    if (values[0].integer <= 0) {
        return gw_error_set(errp, -EINVAL, "Parameter 'value' expects a size");
    }
    if ((uint64_t)values[0].integer < bytes) {
        bytes = (uint64_t)values[0].integer;
    }
    vmm_virtio_balloon_set_target(
        balloon, (uint32_t)((machine->memory.bytes - bytes) >> PAGE_SHIFT));
    return 0;
}

static int query_balloon(void *opaque, const struct gw_value *values,
                         struct gw_reply *reply, struct gw_error **errp)
{
    struct vmm_machine *machine = opaque;
    struct vmm_virtio_balloon *balloon;
    int r = find_balloon(machine, &balloon, errp);
    uint64_t bytes;

    if (r < 0) {
        return r;
    }
    bytes = actual_bytes(machine, balloon);
    gw_reply_json(reply, "{\"actual\": %" PRIu64 "}", bytes);
    gw_reply_text(reply, "balloon: actual=%" PRIu64 "\n", bytes >> 20);
    return 0;
}

void vmm_balloon_changed(void *opaque)
{
    struct vmm_machine *machine = opaque;

    atomic_store(&machine->balloon_event.due, true);
    vmm_machine_wake(machine);
}

int vmm_balloon_send_event(struct vmm_machine *machine, int64_t now_ns)
{
    struct vmm_balloon_event *state = &machine->balloon_event;
    struct vmm_virtio_balloon *balloon;
    struct gw_event event = {.type = GW_EVENT_BALLOON_CHANGE};

    if (!atomic_load(&state->due)) {
        return -1;
    }
    if (state->was_sent && now_ns - state->sent_ns < EVENT_INTERVAL_NS) {
        return (int)((EVENT_INTERVAL_NS - (now_ns - state->sent_ns)) /
                     NS_PER_MS) +
               1;
    }
    state->was_sent = true;
    state->sent_ns = now_ns;
    /* Before the look: a change meanwhile is told later. */
    atomic_store(&state->due, false);
    balloon = vmm_virtio_set_balloon(&machine->virtio);
    event.actual_bytes = actual_bytes(machine, balloon);
    gw_machine_emit(machine->gw, &event);
    return -1;
}

static const struct gw_argument balloon_arguments[] = {
    {.name = "value", .type = GW_ARGUMENT_MEMORY},
};

static const struct gw_command commands[] = {
    {.name = "system_powerdown",
     .hmp_name = "system_powerdown",
     .usage = "",
     .help = "ask the guest to switch itself off",
     .run = system_powerdown},
    {.name = "system_reset",
     .hmp_name = "system_reset",
     .usage = "",
     .help = "reset the machine",
     .run = system_reset},
    {.name = "balloon",
     .hmp_name = "balloon",
     .usage = "target",
     .help = "ask the guest to leave itself that much memory (in MB)",
     .arguments = balloon_arguments,
     .n_arguments = VMM_ARRAY_SIZE(balloon_arguments),
     .run = set_balloon},
    {.name = "query-balloon",
     .hmp_name = "info balloon",
     .usage = "",
     .help = "show how much memory the balloon leaves the guest",
     .run = query_balloon},
};

int vmm_monitor_commands_add(struct vmm_machine *machine,
                             struct gw_control *control, struct gw_error **errp)
{
    return gw_control_add_commands(control, commands, VMM_ARRAY_SIZE(commands),
                                   machine, errp);
}
