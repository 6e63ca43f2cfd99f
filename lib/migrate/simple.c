/*
 * Whole migrations in one call.
 */
#include <godwit/migration.h>

#include "base/cleanup.h"

typedef int (*start_fn)(struct gw_machine *machine,
                        const struct gw_address *address,
                        const struct gw_settings *settings,
                        const struct gw_migration_options *options,
                        struct gw_migration **ret_migration,
                        struct gw_error **errp);

static int run(start_fn start, struct gw_machine *machine, const char *uri,
               const struct gw_settings *settings,
               const struct gw_migration_options *options,
               struct gw_error **errp)
{
    struct gw_migration *migration = NULL;
    struct gw_address *address = NULL;
    int r = gw_address_parse(uri, &address, errp);

    if (r == 0) {
        r = start(machine, address, settings, options, &migration, errp);
    }
    if (r == 0) {
        r = gw_migration_wait(migration, errp);
    }
    gw_migration_free(migration);
    gw_address_free(address);
    return r;
}

static int run_default(start_fn start, struct gw_machine *machine,
                       const char *uri, const struct gw_settings *settings,
                       struct gw_error **errp)
{
    const struct gw_migration_options options = {.any_format = true};
    struct gw_settings defaults;
    int r;

    if (settings) {
        return run(start, machine, uri, settings, NULL, errp);
    }
    r = gw_settings_init(&defaults);
    if (r < 0) {
        return gw_error_set(errp, r, "out of memory");
    }
    /* QEMU's limit is meant for networks, and for who knows it. */
    defaults.max_bandwidth = 0;
    r = run(start, machine, uri, &defaults, &options, errp);
    gw_settings_deinit(&defaults);
    return r;
}

int gw_save(struct gw_machine *machine, const char *uri,
            const struct gw_settings *settings, struct gw_error **errp)
{
    return run_default(gw_migration_start, machine, uri, settings, errp);
}

int gw_load(struct gw_machine *machine, const char *uri,
            const struct gw_settings *settings, struct gw_error **errp)
{
    int r = gw_machine_expect_incoming(machine, errp);

    return r < 0 ? r
                 : run_default(gw_incoming_start, machine, uri, settings, errp);
}
