/*
 * Migrations to their end.
 */
#include "kit.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <godwit/address.h>

/* A machine of the kit moves in milliseconds. */
#define HANG_MS 60000

int kit_wait(struct gw_migration *migration, struct gw_error **errp)
{
    struct pollfd pfd = {.fd = gw_migration_fd(migration), .events = POLLIN};
    int r;

    do {
        r = poll(&pfd, 1, HANG_MS);
    } while (r < 0 && errno == EINTR);
    KIT_CHECK(r == 1, "the migration hangs");
    r = gw_migration_wait(migration, errp);
    gw_migration_free(migration);
    return r;
}

static void set(struct gw_settings *settings, const char *name, uint64_t value)
{
    struct gw_error *error = NULL;

    KIT_CHECK(gw_settings_set_uint(settings, gw_parameter_info_find(name),
                                   value, &error) == 0,
              "%s", gw_error_text(error));
}

static void turn_on(struct gw_settings *settings, enum gw_capability capability,
                    bool on)
{
    struct gw_error *error = NULL;

    KIT_CHECK(gw_settings_set_capability(settings, capability, on, &error) == 0,
              "%s", gw_error_text(error));
}

void kit_settings_init(struct gw_settings *settings, const struct kit_way *way)
{
    KIT_CHECK(gw_settings_init(settings) == 0, "out of memory");
    turn_on(settings, GW_CAP_MAPPED_RAM, way->mapped);
    turn_on(settings, GW_CAP_MULTIFD, way->channels > 0);
    turn_on(settings, GW_CAP_PAUSE_BEFORE_SWITCHOVER, way->pauses);
    if (way->channels > 0) {
        set(settings, "multifd-channels", way->channels);
    }
    set(settings, "direct-io", way->direct);
    set(settings, "max-bandwidth", way->max_bandwidth);
    set(settings, "downtime-limit", way->downtime_limit);
}

const char *kit_way_name(const struct kit_way *way, char name[KIT_WAY_SIZE])
{
    snprintf(name, KIT_WAY_SIZE, "%s %u%s%s", way->mapped ? "mapped" : "plain",
             way->channels, way->direct ? " direct" : "",
             way->pauses ? " pauses" : "");
    return name;
}

/* Starts either side. */
static int start(struct kit_machine *m, const char *uri,
                 const struct kit_way *way, bool incoming,
                 struct gw_migration **ret_migration, struct gw_error **errp)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;
    struct gw_settings settings;
    int r;

    kit_settings_init(&settings, way);
    KIT_CHECK(gw_address_parse(uri, &address, &error) == 0, "%s",
              gw_error_text(error));
    if (incoming) {
        r = gw_incoming_start(m->machine, address, &settings, NULL,
                              ret_migration, errp);
    } else {
        r = gw_migration_start(m->machine, address, &settings, NULL,
                               ret_migration, errp);
    }
    gw_address_free(address);
    gw_settings_deinit(&settings);
    return r;
}

int kit_save_try(struct kit_machine *m, const char *uri,
                 const struct kit_way *way, struct gw_migration **ret_migration,
                 struct gw_error **errp)
{
    return start(m, uri, way, false, ret_migration, errp);
}

struct gw_migration *kit_save_begin(struct kit_machine *m, const char *uri,
                                    const struct kit_way *way)
{
    struct gw_migration *migration = NULL;
    struct gw_error *error = NULL;

    KIT_CHECK(start(m, uri, way, false, &migration, &error) == 0, "%s",
              gw_error_text(error));
    return migration;
}

int kit_load_by(struct kit_machine *m, const char *uri,
                const struct kit_way *way, struct gw_error **errp)
{
    struct gw_migration *migration = NULL;
    int r = start(m, uri, way, true, &migration, errp);

    return r < 0 ? r : kit_wait(migration, errp);
}

void kit_update(struct gw_migration *migration, const struct kit_way *way)
{
    struct gw_settings settings;

    kit_settings_init(&settings, way);
    gw_migration_update(migration, &settings);
    gw_settings_deinit(&settings);
}

/* True while it may still come; a little time has gone by. */
static bool may_come(struct gw_migration *migration, unsigned int tries)
{
    struct pollfd pfd = {.fd = gw_migration_fd(migration), .events = POLLIN};

    KIT_CHECK(tries < HANG_MS * 5, "the migration hangs");
    usleep(200);
    return poll(&pfd, 1, 0) == 0;
}

void kit_await_status(struct gw_migration *migration,
                      enum gw_migration_status status)
{
    struct gw_progress p;
    unsigned int tries = 0;
    bool more;

    do {
        more = may_come(migration, tries++);
        gw_migration_get_progress(migration, &p);
    } while (more && p.status != status);
    KIT_CHECK(p.status == status, "%s, expected %s",
              gw_migration_status_name(p.status),
              gw_migration_status_name(status));
}

void kit_await_passes(struct gw_migration *migration, uint64_t n_passes)
{
    struct gw_progress p;
    unsigned int tries = 0;
    bool more;

    do {
        more = may_come(migration, tries++);
        gw_migration_get_progress(migration, &p);
    } while (more && p.dirty_sync_count < n_passes);
    KIT_CHECK(p.dirty_sync_count >= n_passes, "%s after %u passes",
              gw_migration_status_name(p.status),
              (unsigned int)p.dirty_sync_count);
}

struct gw_migration *kit_save_start(struct kit_machine *m, const char *uri,
                                    bool mapped)
{
    const struct kit_way way = KIT_WAY(.mapped = mapped);

    return kit_save_begin(m, uri, &way);
}

int kit_save_by(struct kit_machine *m, const char *uri,
                const struct kit_way *way, struct gw_error **errp)
{
    struct gw_migration *migration = NULL;
    int r = kit_save_try(m, uri, way, &migration, errp);

    return r < 0 ? r : kit_wait(migration, errp);
}

int kit_save(struct kit_machine *m, const char *uri, bool mapped,
             struct gw_error **errp)
{
    const struct kit_way way = KIT_WAY(.mapped = mapped);

    return kit_save_by(m, uri, &way, errp);
}

int kit_load(struct kit_machine *m, const char *uri, bool mapped,
             struct gw_error **errp)
{
    const struct kit_way way = KIT_WAY(.mapped = mapped);

    return kit_load_by(m, uri, &way, errp);
}

void kit_check_cannot_run(struct kit_machine *m)
{
    enum gw_run_state state;
    int r;

    KIT_CHECK(m->n_resumes == 0, "the guest ran after a failed load");
    r = gw_machine_cont(m->machine, NULL);
    state = gw_machine_run_state(m->machine);
    KIT_CHECK(state == GW_RUN_STATE_INMIGRATE && m->n_resumes == 0,
              "a machine whose load failed is '%s' after cont",
              gw_run_state_name(state));
    if (r == 0) {
        /* It waits for the next try, which is right if it is as it was. */
        kit_machine_check_untouched(m);
    }
}
