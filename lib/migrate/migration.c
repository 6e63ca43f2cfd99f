/*
 * The handle of a migration: status, first error, progress, cancel, wait.
 */
#include "migrate/migration.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/channel.h"
#include "machine/machine.h"

static void emit_status(struct gw_migration *migration,
                        enum gw_migration_status status)
{
    struct gw_event event = {.type = GW_EVENT_MIGRATION, .status = status};

    gw_machine_emit(migration->machine, &event);
}

static void init_changed_cond(struct gw_migration *migration)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&migration->changed_cond, &attr);
    pthread_condattr_destroy(&attr);
}

static int migration_new(struct gw_machine *machine, bool is_incoming,
                         const struct gw_settings *settings,
                         struct gw_migration **ret_migration,
                         struct gw_error **errp)
{
    struct gw_migration *migration = calloc(1, sizeof(*migration));

    if (!migration || gw_settings_copy(&migration->settings, settings) < 0) {
        free(migration);
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    migration->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (migration->end_fd < 0) {
        int r = gw_error_set_errno(errp, -errno, "cannot make an eventfd");

        gw_settings_deinit(&migration->settings);
        free(migration);
        return r;
    }
    pthread_mutex_init(&migration->lock, NULL);
    pthread_mutex_init(&migration->event_lock, NULL);
    pthread_cond_init(&migration->ended_cond, NULL);
    init_changed_cond(migration);
    migration->machine = machine;
    migration->is_incoming = is_incoming;
    migration->start_ms = gw_now_ms();
    atomic_init(&migration->expected_downtime_ms, settings->downtime_limit);
    migration->status = GW_MIGRATION_SETUP;
    emit_status(migration, GW_MIGRATION_SETUP);
    *ret_migration = migration;
    return 0;
}

int gw_migration_begin(struct gw_machine *machine, bool is_incoming,
                       const struct gw_settings *settings,
                       int (*check)(struct gw_machine *machine,
                                    struct gw_error **errp),
                       struct gw_migration **ret_migration,
                       struct gw_error **errp)
{
    int r = gw_machine_acquire(machine, errp);

    if (r < 0) {
        return r;
    }
    r = check(machine, errp);
    if (r == 0) {
        r = migration_new(machine, is_incoming, settings, ret_migration, errp);
    }
    if (r < 0) {
        gw_machine_release(machine);
    }
    return r;
}

int gw_migration_run(struct gw_migration *migration, const char *thread_name,
                     void *(*fn)(void *), struct gw_error **errp)
{
    sigset_t all, before;
    int r;

    /* Signals are the embedder's; a broken pipe shall be an error. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&migration->thread, NULL, fn, migration);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        migration->thread = 0;
        return gw_error_set_errno(errp, r, "cannot start a thread");
    }
    pthread_setname_np(migration->thread, thread_name);
    return 0;
}

static int cancelled(struct gw_error **errp)
{
    return gw_error_set(errp, -ECANCELED, "the migration was cancelled");
}

int gw_migration_enter(struct gw_migration *migration,
                       enum gw_migration_status status, struct gw_error **errp)
{
    bool is_cancelled;

    pthread_mutex_lock(&migration->event_lock);
    pthread_mutex_lock(&migration->lock);
    is_cancelled = migration->is_cancelled;
    if (!is_cancelled) {
        if (migration->status == GW_MIGRATION_SETUP) {
            migration->setup_time_ms = gw_now_ms() - migration->start_ms;
        }
        migration->status = status;
    }
    pthread_mutex_unlock(&migration->lock);
    if (!is_cancelled) {
        emit_status(migration, status);
    }
    pthread_mutex_unlock(&migration->event_lock);
    return is_cancelled ? cancelled(errp) : 0;
}

int gw_migration_commit(struct gw_migration *migration, struct gw_error **errp)
{
    bool is_cancelled;

    pthread_mutex_lock(&migration->lock);
    is_cancelled = migration->is_cancelled;
    migration->is_committed = !is_cancelled;
    pthread_mutex_unlock(&migration->lock);
    return is_cancelled ? cancelled(errp) : 0;
}

int gw_migration_check_cancel(struct gw_migration *migration,
                              struct gw_error **errp)
{
    bool is_cancelled;

    pthread_mutex_lock(&migration->lock);
    is_cancelled = migration->is_cancelled;
    pthread_mutex_unlock(&migration->lock);
    return is_cancelled ? cancelled(errp) : 0;
}

void gw_migration_settle_cancel(struct gw_migration *migration)
{
    /* A cancel holds it from its decision to the end of its event. */
    pthread_mutex_lock(&migration->event_lock);
    pthread_mutex_unlock(&migration->event_lock);
}

int gw_migration_wait_change(struct gw_migration *migration,
                             uint64_t deadline_ns, struct gw_error **errp)
{
    const struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / 1000000000u),
        .tv_nsec = (long)(deadline_ns % 1000000000u)};
    bool is_cancelled;

    pthread_mutex_lock(&migration->lock);
    if (!migration->is_cancelled) {
        pthread_cond_timedwait(&migration->changed_cond, &migration->lock,
                               &deadline);
    }
    is_cancelled = migration->is_cancelled;
    pthread_mutex_unlock(&migration->lock);
    return is_cancelled ? cancelled(errp) : 0;
}

int gw_migration_wait_continue(struct gw_migration *migration,
                               struct gw_error **errp)
{
    bool is_cancelled;
    int r;

    /* One that came too early is stale. */
    pthread_mutex_lock(&migration->lock);
    migration->may_continue = false;
    pthread_mutex_unlock(&migration->lock);
    r = gw_migration_enter(migration, GW_MIGRATION_PRE_SWITCHOVER, errp);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&migration->lock);
    while (!migration->may_continue && !migration->is_cancelled) {
        pthread_cond_wait(&migration->changed_cond, &migration->lock);
    }
    is_cancelled = migration->is_cancelled;
    pthread_mutex_unlock(&migration->lock);
    return is_cancelled ? cancelled(errp) : 0;
}

void gw_migration_continue(struct gw_migration *migration)
{
    pthread_mutex_lock(&migration->lock);
    migration->may_continue = true;
    pthread_cond_broadcast(&migration->changed_cond);
    pthread_mutex_unlock(&migration->lock);
}

static uint64_t get_limit(struct gw_migration *migration, const uint64_t *limit)
{
    uint64_t value;

    pthread_mutex_lock(&migration->lock);
    value = *limit;
    pthread_mutex_unlock(&migration->lock);
    return value;
}

uint64_t gw_migration_max_bandwidth(struct gw_migration *migration)
{
    return get_limit(migration, &migration->settings.max_bandwidth);
}

uint64_t gw_migration_switchover_bandwidth(struct gw_migration *migration)
{
    return get_limit(migration,
                     &migration->settings.avail_switchover_bandwidth);
}

uint64_t gw_migration_downtime_limit(struct gw_migration *migration)
{
    return get_limit(migration, &migration->settings.downtime_limit);
}

bool gw_migration_has(struct gw_migration *migration,
                      enum gw_capability capability)
{
    /* Capabilities never change after the copy was made. */
    return migration->settings.capabilities[capability];
}

void gw_migration_pass(struct gw_migration *migration)
{
    struct gw_event event = {.type = GW_EVENT_MIGRATION_PASS};

    event.pass = atomic_fetch_add(&migration->dirty_sync_count, 1) + 1;
    gw_machine_emit(migration->machine, &event);
}

static enum gw_migration_status end_status(struct gw_migration *migration,
                                           const struct gw_error *error)
{
    if (!error) {
        return GW_MIGRATION_COMPLETED;
    }
    return migration->is_cancelled ? GW_MIGRATION_CANCELLED
                                   : GW_MIGRATION_FAILED;
}

static void conclude(struct gw_migration *migration, struct gw_error *error)
{
    uint64_t now = gw_now_ms();
    uint64_t stop = atomic_load(&migration->stop_ms);
    enum gw_migration_status status;

    pthread_mutex_lock(&migration->event_lock);
    pthread_mutex_lock(&migration->lock);
    status = end_status(migration, error);
    migration->status = status;
    migration->error = error;
    migration->total_time_ms = now - migration->start_ms;
    migration->downtime_ms = stop ? now - stop : 0;
    pthread_mutex_unlock(&migration->lock);
    if (status == GW_MIGRATION_COMPLETED) {
        atomic_store(&migration->remaining_bytes, 0);
        atomic_store(&migration->dirty_pages_rate, 0);
    }
    emit_status(migration, status);
    pthread_mutex_unlock(&migration->event_lock);
}

static void close_channel(struct gw_migration *migration)
{
    struct gw_channel *channel;

    pthread_mutex_lock(&migration->lock);
    channel = migration->channel;
    migration->channel = NULL;
    pthread_mutex_unlock(&migration->lock);
    gw_channel_free(channel);
}

static void wake_waiters(struct gw_migration *migration)
{
    uint64_t one = 1;

    pthread_mutex_lock(&migration->lock);
    migration->has_ended = true;
    pthread_cond_broadcast(&migration->ended_cond);
    /* The counter is 0: this cannot fail. */
    if (write(migration->end_fd, &one, sizeof(one)) < 0) {
        assert(errno == EAGAIN);
    }
    pthread_mutex_unlock(&migration->lock);
}

int gw_migration_abandon(struct gw_migration *migration, struct gw_error *error,
                         struct gw_error **errp)
{
    int r = gw_error_code(error);

    gw_machine_release(migration->machine);
    conclude(migration, gw_error_dup(error));
    gw_migration_free(migration);
    if (errp) {
        *errp = error;
    } else {
        gw_error_free(error);
    }
    return r;
}

void gw_migration_end(struct gw_migration *migration, struct gw_error *error)
{
    close_channel(migration);
    gw_machine_release(migration->machine);
    conclude(migration, error);
    wake_waiters(migration);
}

struct gw_error *gw_migration_dup_error(struct gw_migration *migration)
{
    struct gw_error *error;

    pthread_mutex_lock(&migration->lock);
    error = gw_error_dup(migration->error);
    pthread_mutex_unlock(&migration->lock);
    return error;
}

void gw_migration_update(struct gw_migration *migration,
                         const struct gw_settings *settings)
{
    pthread_mutex_lock(&migration->lock);
    migration->settings.max_bandwidth = settings->max_bandwidth;
    migration->settings.downtime_limit = settings->downtime_limit;
    migration->settings.avail_switchover_bandwidth =
        settings->avail_switchover_bandwidth;
    pthread_cond_broadcast(&migration->changed_cond);
    pthread_mutex_unlock(&migration->lock);
}

static bool is_final(enum gw_migration_status status)
{
    return status == GW_MIGRATION_COMPLETED || status == GW_MIGRATION_FAILED ||
           status == GW_MIGRATION_CANCELLED;
}

void gw_migration_cancel(struct gw_migration *migration)
{
    bool cancel_now;

    pthread_mutex_lock(&migration->event_lock);
    pthread_mutex_lock(&migration->lock);
    cancel_now = !migration->is_cancelled && !migration->is_committed &&
                 !is_final(migration->status);
    if (cancel_now) {
        migration->is_cancelled = true;
        migration->status = GW_MIGRATION_CANCELLING;
        pthread_cond_broadcast(&migration->changed_cond);
        if (migration->channel) {
            gw_channel_cancel(migration->channel);
        }
    }
    pthread_mutex_unlock(&migration->lock);
    if (cancel_now) {
        emit_status(migration, GW_MIGRATION_CANCELLING);
    }
    pthread_mutex_unlock(&migration->event_lock);
}

int gw_migration_fd(struct gw_migration *migration)
{
    return migration->end_fd;
}

int gw_migration_wait(struct gw_migration *migration, struct gw_error **errp)
{
    int r = 0;

    pthread_mutex_lock(&migration->lock);
    while (!migration->has_ended) {
        pthread_cond_wait(&migration->ended_cond, &migration->lock);
    }
    if (migration->error) {
        r = gw_error_set_class(errp, gw_error_class_of(migration->error),
                               gw_error_code(migration->error), "%s",
                               gw_error_text(migration->error));
    }
    pthread_mutex_unlock(&migration->lock);
    return r;
}

struct gw_migration *gw_migration_free(struct gw_migration *migration)
{
    if (migration) {
        if (migration->thread) {
            pthread_join(migration->thread, NULL);
        }
        gw_channel_free(migration->channel);
        close(migration->end_fd);
        gw_settings_deinit(&migration->settings);
        gw_error_free(migration->error);
        pthread_mutex_destroy(&migration->lock);
        pthread_mutex_destroy(&migration->event_lock);
        pthread_cond_destroy(&migration->ended_cond);
        pthread_cond_destroy(&migration->changed_cond);
        free(migration);
    }
    return NULL;
}
