/*
 * The VMM's own commands of QMP and HMP: system_powerdown, system_reset,
 * balloon, query-balloon and `info balloon`; and the balloon's event.
 */
#ifndef VMM_MONITOR_COMMANDS_H
#define VMM_MONITOR_COMMANDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_control;
struct vmm_machine;

/* Adds them, before monitors are attached. */
int vmm_monitor_commands_add(struct vmm_machine *machine,
                             struct gw_control *control, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * BALLOON_CHANGE: one a second at most, as with QEMU, for a guest decides how
 * often its balloon changes.
 */
struct vmm_balloon_event {
    /* The balloon has changed; any thread. */
    atomic_bool due;
    /* --- main thread --- */
    bool was_sent;
    int64_t sent_ns;
};

/* The balloon has changed; opaque is the machine. Any thread. */
void vmm_balloon_changed(void *opaque);

/*
 * Main thread, in each round of its loop: sends the event if it is due.
 * Returns after how many milliseconds to call it again, or -1.
 */
int vmm_balloon_send_event(struct vmm_machine *machine, int64_t now_ns);

#endif
