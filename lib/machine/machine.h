/*
 * The machine object from the inside.
 */
#ifndef GW_MACHINE_MACHINE_H
#define GW_MACHINE_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/machine.h>
#include <godwit/ram.h>
#include <godwit/tracker.h>
#include <godwit/vmstate.h>

struct gw_device {
    /* constant after creation */
    const struct gw_vmstate *vmstate;
    char *idstr;
    uint32_t instance_id;
    void *state;
    /* guarded by the machine's lock; owned, or NULL */
    struct gw_trait *traits;
    size_t n_traits;
    /* guarded by the machine's lock: the next one, in order of adding */
    struct gw_device *next;
};

struct gw_blocker {
    char *reason;
    struct gw_blocker *next;
};

struct gw_listener {
    gw_event_fn fn;
    void *opaque;
    struct gw_listener *next;
};

struct gw_machine {
    /* constant after creation */
    char *name;
    const struct gw_machine_ops *ops;
    void *opaque;

    /* guards the lists and the state below; no callback is called under it */
    pthread_mutex_t lock;
    struct gw_ram_block *blocks;
    struct gw_device *devices;
    struct gw_blocker *blockers;
    bool has_uuid;
    uint8_t uuid[16];
    struct gw_cpuid_leaf *cpuid; /* of vCPU 0; owned; NULL: not known */
    size_t n_cpuid;
    enum gw_run_state run_state;
    bool autostart;
    /* part of the state is from a stream that failed: must not run */
    bool is_tainted;
    /* a migration uses the machine; its lists must not change */
    bool is_migrating;
    /* a block was resized during a migration */
    bool was_resized;
    /* changes only without a migration; NULL: no tracker */
    const struct gw_tracker_ops *tracker;
    void *tracker_opaque;
    /* frees tracker_opaque if the library made it, else NULL */
    void (*tracker_free)(void *opaque);

    /* one change of the run state at a time; taken before `lock` */
    pthread_mutex_t run_lock;

    /* recursive: a listener may cause events; guards the listeners */
    pthread_mutex_t listener_lock;
    struct gw_listener *listeners;
};

/*
 * A migration takes the machine: blocks and devices stay as they are until it
 * is given back. -EBUSY if another one has it.
 */
int gw_machine_acquire(struct gw_machine *machine, struct gw_error **errp);
void gw_machine_release(struct gw_machine *machine);

/*
 * The run state changes for the sake of a migration; see the callers.
 * gw_machine_enter_finish pauses a running guest, emits STOP, and enters
 * `finish-migrate`; *ret_before is the state that it had.
 */
int gw_machine_enter_finish(struct gw_machine *machine,
                            enum gw_run_state *ret_before,
                            struct gw_error **errp);
/* The migration succeeded: `postmigrate`. */
void gw_machine_enter_postmigrate(struct gw_machine *machine);
/* It did not: back to what was before, running again if it was. */
int gw_machine_leave_finish(struct gw_machine *machine,
                            enum gw_run_state before, struct gw_error **errp);
/* From now on the machine must not run before the load has succeeded. */
void gw_machine_taint(struct gw_machine *machine);
bool gw_machine_is_tainted(struct gw_machine *machine);
/*
 * A load succeeded; `saved` is the guest's state at the source. Runs it if it
 * ran there and autostart is set, else enters `paused` or the saved state.
 */
int gw_machine_enter_loaded(struct gw_machine *machine, enum gw_run_state saved,
                            struct gw_error **errp);

/* By name; -ENOENT if there is none. */
int gw_run_state_parse(const char *name, enum gw_run_state *ret);

#endif
