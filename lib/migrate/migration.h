/*
 * What the two ends of a migration share: a handle, a thread, a status, the
 * first error, and counters that anybody may read.
 */
#ifndef GW_MIGRATE_MIGRATION_H
#define GW_MIGRATE_MIGRATION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/migration.h>

struct gw_channel;

/* Rates as they were seen last. */
struct gw_rates {
    uint64_t at_ms; /* when they were taken; 0: not yet */
    uint64_t bytes; /* of that time, in all */
    uint64_t pages;
    double mbps; /* 10^6 bit/s */
    uint64_t pages_per_second;
};

struct gw_migration {
    /* constant after creation */
    struct gw_machine *machine;
    bool is_incoming;
    /* incoming: the stream says whether it is mapped-ram */
    bool any_format;
    /* eventfd: readable when it has ended */
    int end_fd;
    uint64_t start_ms;
    pthread_t thread;

    /*
     * Makes a change of the status and its event one step, so that listeners
     * hear of changes in their order; taken before `lock`.
     */
    pthread_mutex_t event_lock;

    pthread_mutex_t lock;
    /* the rest of this group is guarded by `lock` */
    pthread_cond_t ended_cond;
    /* cancelled, continued, or limits changed; by CLOCK_MONOTONIC */
    pthread_cond_t changed_cond;
    /* used by the migration's thread without the lock; set and taken with */
    struct gw_channel *channel;
    struct gw_settings settings;
    enum gw_migration_status status;
    struct gw_error *error; /* the first one */
    bool is_cancelled;      /* gw_migration_cancel was called in time */
    bool is_committed;      /* too late to cancel */
    bool may_continue;      /* gw_migration_continue was called */
    bool has_ended;         /* the thread is done with everything */
    uint64_t setup_time_ms;
    uint64_t total_time_ms;
    uint64_t downtime_ms;
    struct gw_rates rates;

    /* written by the migration's threads, read by anyone */
    _Atomic uint64_t transferred_bytes; /* on the main channel */
    _Atomic uint64_t page_bytes;        /* by the workers, beside it */
    _Atomic uint64_t total_bytes;
    _Atomic uint64_t remaining_bytes;
    _Atomic uint64_t duplicate_pages;
    _Atomic uint64_t normal_pages;
    _Atomic uint64_t dirty_sync_count;
    _Atomic uint64_t precopy_bytes;
    _Atomic uint64_t downtime_bytes;
    _Atomic uint64_t trailing_bytes;
    _Atomic uint64_t dirty_pages_rate;
    _Atomic uint64_t expected_downtime_ms;
    /* how the workers move pages: a constant text, or NULL */
    const char *_Atomic page_io;
    /* when the guest stopped; 0: it was stopped before */
    _Atomic uint64_t stop_ms;
};

/*
 * Takes the machine, asks `check` whether it may move now, and makes a handle
 * in status `setup`; the event was sent. What is needed is a thread.
 */
int gw_migration_begin(struct gw_machine *machine, bool is_incoming,
                       const struct gw_settings *settings,
                       int (*check)(struct gw_machine *machine,
                                    struct gw_error **errp),
                       struct gw_migration **ret_migration,
                       struct gw_error **errp);

/*
 * No thread will run: enters `failed`, gives the machine back, frees the
 * handle, and hands `error` to the caller. Returns the error's code.
 */
int gw_migration_abandon(struct gw_migration *migration, struct gw_error *error,
                         struct gw_error **errp);

/* Starts the thread. */
int gw_migration_run(struct gw_migration *migration, const char *thread_name,
                     void *(*fn)(void *), struct gw_error **errp);

/*
 * Enters a status and sends the event, unless the migration is being
 * cancelled: then -ECANCELED. For steps on the way, not for the end.
 */
int gw_migration_enter(struct gw_migration *migration,
                       enum gw_migration_status status, struct gw_error **errp);

/* From now on it cannot be cancelled; -ECANCELED if it was before. */
int gw_migration_commit(struct gw_migration *migration, struct gw_error **errp);

/* -ECANCELED with an error if a cancel was asked for. */
int gw_migration_check_cancel(struct gw_migration *migration,
                              struct gw_error **errp);

/*
 * If a cancel was asked for, waits until listeners have heard of it. Before
 * what follows from it is told: that the guest goes on.
 */
void gw_migration_settle_cancel(struct gw_migration *migration);

/*
 * Waits for a deadline (gw_now_ns), or until something may have changed: a
 * cancel, which is -ECANCELED, a continue, or the limits. Any thread.
 */
int gw_migration_wait_change(struct gw_migration *migration,
                             uint64_t deadline_ns, struct gw_error **errp);

/*
 * The guest is stopped: enters `pre-switchover` and waits until somebody
 * lets it go on, without a limit in time.
 */
int gw_migration_wait_continue(struct gw_migration *migration,
                               struct gw_error **errp);

/* Limits as they are now; any thread. */
uint64_t gw_migration_max_bandwidth(struct gw_migration *migration);
uint64_t gw_migration_switchover_bandwidth(struct gw_migration *migration);
uint64_t gw_migration_downtime_limit(struct gw_migration *migration);

/* A capability as it was when the migration started. */
bool gw_migration_has(struct gw_migration *migration,
                      enum gw_capability capability);

/* Counts and announces a sync of the dirty bitmap. */
void gw_migration_pass(struct gw_migration *migration);

/*
 * The end, last on the migration's thread: closes the channel (what was not
 * finished is undone), gives the machine back, takes the error (NULL:
 * success), enters completed, cancelled or failed, and wakes who waits.
 */
void gw_migration_end(struct gw_migration *migration, struct gw_error *error);

#endif
