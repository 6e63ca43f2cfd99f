/*
 * The machine: what moves. RAM blocks + devices + run state + blockers.
 *
 * One object per VM, many per process. All functions may be called from any
 * thread unless stated; callbacks are called without a lock held.
 */
#ifndef GW_GODWIT_MACHINE_H
#define GW_GODWIT_MACHINE_H

#include <godwit/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

struct gw_machine;
struct gw_device;
struct gw_blocker;
struct gw_vmstate;

/* Run states; the names are QMP's. */
enum gw_run_state {
    GW_RUN_STATE_DEBUG,
    GW_RUN_STATE_INMIGRATE,
    GW_RUN_STATE_INTERNAL_ERROR,
    GW_RUN_STATE_IO_ERROR,
    GW_RUN_STATE_PAUSED,
    GW_RUN_STATE_POSTMIGRATE,
    GW_RUN_STATE_PRELAUNCH,
    GW_RUN_STATE_FINISH_MIGRATE,
    GW_RUN_STATE_RESTORE_VM,
    GW_RUN_STATE_RUNNING,
    GW_RUN_STATE_SAVE_VM,
    GW_RUN_STATE_SHUTDOWN,
    GW_RUN_STATE_SUSPENDED,
    GW_RUN_STATE_WATCHDOG,
    GW_RUN_STATE_GUEST_PANICKED,
    GW_RUN_STATE_COLO,
    GW_RUN_STATE_COUNT,
};

/* States of a migration; the names and order are QMP's. */
enum gw_migration_status {
    GW_MIGRATION_NONE,
    GW_MIGRATION_SETUP,
    GW_MIGRATION_CANCELLING,
    GW_MIGRATION_CANCELLED,
    GW_MIGRATION_ACTIVE,
    GW_MIGRATION_POSTCOPY_ACTIVE,
    GW_MIGRATION_POSTCOPY_PAUSED,
    GW_MIGRATION_POSTCOPY_RECOVER_SETUP,
    GW_MIGRATION_POSTCOPY_RECOVER,
    GW_MIGRATION_COMPLETED,
    GW_MIGRATION_FAILED,
    GW_MIGRATION_COLO,
    GW_MIGRATION_PRE_SWITCHOVER,
    GW_MIGRATION_DEVICE,
    GW_MIGRATION_WAIT_UNPLUG,
    GW_MIGRATION_STATUS_COUNT,
};

/* What happens to a machine, for monitors and managers. */
enum gw_event_type {
    GW_EVENT_STOP,           /* the guest stopped */
    GW_EVENT_RESUME,         /* the guest is about to run */
    GW_EVENT_MIGRATION,      /* status: the migration changed its state */
    GW_EVENT_MIGRATION_PASS, /* pass: a dirty bitmap sync, from 1 */
    GW_EVENT_SHUTDOWN,       /* reason, guest: the machine ends */
    GW_EVENT_POWERDOWN,      /* the guest is asked to switch itself off */
    GW_EVENT_RESET,          /* reason, guest: the machine starts again */
    GW_EVENT_BALLOON_CHANGE, /* actual_bytes: what the balloon leaves */
};

struct gw_event {
    enum gw_event_type type;
    enum gw_migration_status status; /* of GW_EVENT_MIGRATION */
    uint64_t pass;                   /* of GW_EVENT_MIGRATION_PASS */
    const char *reason;    /* of GW_EVENT_SHUTDOWN and _RESET, as in QMP */
    bool guest;            /* of the same: the guest did it */
    uint64_t actual_bytes; /* of GW_EVENT_BALLOON_CHANGE */
};

/*
 * Called for every event, on the thread where it happens, in order. With locks
 * held, so that the order holds: queue what was heard; change no run state,
 * start and cancel no migration, add and remove no listener from here.
 */
typedef void (*gw_event_fn)(void *opaque, const struct gw_event *event);

/* How the library acts on the VMM. Every member is filled but `loaded`. */
struct gw_machine_ops {
    /*
     * Stops all vCPUs and device activity; on return nothing changes guest
     * memory or device state any more. May block. Called from the thread of
     * a migration or of a monitor, never twice without a resume between.
     */
    int (*pause)(void *opaque, struct gw_error **errp);
    /* Starts them. Called only when paused. */
    int (*resume)(void *opaque, struct gw_error **errp);
    /*
     * NULL, or: all of a stream was loaded, and nothing of it runs yet. The
     * last chance to refuse what cannot go on here, as a CPU that lacks what
     * the guest uses: the load fails, and its source still has the guest.
     */
    int (*loaded)(void *opaque, struct gw_error **errp);
};

/*
 * A new machine in the run state `prelaunch`. `name` is the machine type of
 * the stream's configuration section (1 to 255 bytes, copied). ops lives as
 * long as the machine. NULL if memory is short. Since 0.1.
 */
GW_API struct gw_machine *gw_machine_new(const char *name,
                                         const struct gw_machine_ops *ops,
                                         void *opaque);

/*
 * Frees a machine with its blocks, devices and blockers. No migration of it
 * may exist any more. Accepts NULL, returns NULL. Since 0.1.
 */
GW_API struct gw_machine *gw_machine_free(struct gw_machine *machine);

/* The machine type name. Since 0.1. */
GW_API const char *gw_machine_name(const struct gw_machine *machine);

/* Sets the UUID (16 bytes, textual order). Since 0.1. */
GW_API void gw_machine_set_uuid(struct gw_machine *machine,
                                const uint8_t uuid[16]);

/* One leaf of CPUID. */
struct gw_cpuid_leaf {
    uint32_t leaf;
    uint32_t subleaf;
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
};

/*
 * States what vCPU 0 answers to CPUID, for descriptions of the machine: all
 * leaves, copied; NULL and 0 for not known, as at the start. -ENOMEM. Since
 * 0.1.
 */
GW_API int gw_machine_set_cpuid(struct gw_machine *machine,
                                const struct gw_cpuid_leaf *leaves, size_t n)
    GW_MUST_CHECK;

/*
 * Adds a device: a vmstate description (constant, outlives the machine) and
 * the struct it describes. The idstr is "<path>/<vmstate name>", or the
 * vmstate name if path is NULL. Several devices of one idstr differ in the
 * instance id. ret_device may be NULL. -EEXIST, -EBUSY while a migration
 * runs. Since 0.1.
 */
GW_API int gw_machine_add_device(struct gw_machine *machine,
                                 const struct gw_vmstate *vmstate,
                                 const char *path, uint32_t instance_id,
                                 void *state, struct gw_device **ret_device,
                                 struct gw_error **errp) GW_MUST_CHECK;

/* How a trait of the source must be at the destination. */
enum gw_trait_rule {
    GW_TRAIT_SAME,     /* equal */
    GW_TRAIT_ALL_BITS, /* each bit that is set */
    GW_TRAIT_AT_LEAST, /* as much, or more */
};

/* The most that one device has. */
#define GW_TRAITS_MAX 16

/* What a device is and its table does not say, as the size of a disk. */
struct gw_trait {
    const char *name; /* outlives the device */
    enum gw_trait_rule rule;
    uint64_t value; /* up to INT64_MAX */
};

/*
 * States a device's traits (at most GW_TRAITS_MAX, copied), for descriptions of
 * the machine (<godwit/compat.h>); replaces what was stated. -EINVAL, -ENOMEM.
 * Since 0.1.
 */
GW_API int gw_device_set_traits(struct gw_machine *machine,
                                struct gw_device *device,
                                const struct gw_trait *traits, size_t n,
                                struct gw_error **errp) GW_MUST_CHECK;

/* Removes a device. -EBUSY while a migration runs. Since 0.1. */
GW_API int gw_machine_remove_device(struct gw_machine *machine,
                                    struct gw_device *device,
                                    struct gw_error **errp);

/*
 * States a reason why the machine cannot move now; `reason` is copied.
 * NULL if memory is short. Since 0.1.
 */
GW_API struct gw_blocker *gw_machine_block(struct gw_machine *machine,
                                           const char *reason);

/* Withdraws a reason; returns NULL. Since 0.1. */
GW_API struct gw_blocker *gw_machine_unblock(struct gw_machine *machine,
                                             struct gw_blocker *blocker);

/*
 * The reason number `index` (0-based, oldest first), or NULL past the last.
 * Lives until the blockers change. Since 0.1.
 */
GW_API const char *gw_machine_blocked_reason(struct gw_machine *machine,
                                             unsigned int index);

/* The run state. Since 0.1. */
GW_API enum gw_run_state gw_machine_run_state(struct gw_machine *machine);

/* True while the guest runs. Since 0.1. */
GW_API bool gw_machine_is_running(struct gw_machine *machine);

/*
 * QMP's `stop`: pauses a running guest, enters `paused`, emits STOP. In
 * `inmigrate` it only clears autostart. Succeeds when stopped already.
 * Since 0.1.
 */
GW_API int gw_machine_stop(struct gw_machine *machine, struct gw_error **errp);

/*
 * QMP's `cont`: emits RESUME and runs the guest. In `inmigrate` it only sets
 * autostart. Refused (-EINVAL) while a migration finishes, and after a failed
 * load, when part of the state may be from the stream. Since 0.1.
 */
GW_API int gw_machine_cont(struct gw_machine *machine, struct gw_error **errp);

/*
 * Enters `inmigrate`: the machine waits for an incoming migration and does
 * not run before it has succeeded. Only from `prelaunch`. Since 0.1.
 */
GW_API int gw_machine_expect_incoming(struct gw_machine *machine,
                                      struct gw_error **errp) GW_MUST_CHECK;

/* Whether a loaded guest that was running starts by itself. Since 0.1. */
GW_API void gw_machine_set_autostart(struct gw_machine *machine,
                                     bool autostart);

/*
 * The guest has ended or failed by itself (shutdown, internal-error, ...):
 * called by the VMM when no vCPU runs any more, and not from a vCPU's thread
 * (a pause may be waiting for that one); `state` is the state to enter.
 * No effect if the machine was paused meanwhile. Since 0.1.
 */
GW_API void gw_machine_guest_stopped(struct gw_machine *machine,
                                     enum gw_run_state state);

/*
 * Resets the machine, as the guest wants it or a monitor's `system_reset`:
 * emits RESET with `reason` (QMP's: "guest-reset", "host-qmp-system-reset")
 * and `guest`, then calls `reset`, which gives all devices, vCPUs and memory
 * the state of a cold start. It is called with the machine paused and on the
 * caller's thread, and must not change the run state itself.
 *
 * A guest that runs is paused for it and goes on, without STOP and RESUME;
 * otherwise the run state becomes `prelaunch`. In `inmigrate` there is nothing
 * to reset: `reset` is not called. A live migration goes on: what `reset` has
 * written to RAM is told with gw_ram_block_wrote. -EBUSY while a migration
 * finishes: it has the state in its hands. If `reset` fails the run state is
 * `internal-error`. Not from a vCPU's thread. Since 0.1.
 */
GW_API int gw_machine_reset(struct gw_machine *machine, const char *reason,
                            bool guest,
                            int (*reset)(void *opaque, struct gw_error **errp),
                            void *opaque, struct gw_error **errp) GW_MUST_CHECK;

/*
 * Adds a listener for events. Remove with the same pair of arguments; after
 * the removal returned, the function is not called any more. Since 0.1.
 */
GW_API int gw_machine_add_listener(struct gw_machine *machine, gw_event_fn fn,
                                   void *opaque);
GW_API void gw_machine_remove_listener(struct gw_machine *machine,
                                       gw_event_fn fn, void *opaque);

/* Sends an event to all listeners. Since 0.1. */
GW_API void gw_machine_emit(struct gw_machine *machine,
                            const struct gw_event *event);

/* QMP's names; "unknown" outside the range. Since 0.1. */
GW_API const char *gw_run_state_name(enum gw_run_state state);
GW_API const char *gw_migration_status_name(enum gw_migration_status status);

GW_END_DECLS

#endif
