/*
 * HMP: the commands about migrations.
 */
#include "monitor/hmp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "migrate/settings.h"
#include "monitor/control.h"

/* In the foreground: lets the terminal wait, if there is one. */
static void wait_for_outgoing(struct gw_hmp *hmp)
{
    if (!hmp->can_wait) {
        gw_buffer_printf(hmp->out,
                         "terminal does not allow synchronous migration, "
                         "continuing detached\n");
        return;
    }
    hmp->wait_fd =
        fcntl(gw_migration_fd(hmp->control->outgoing), F_DUPFD_CLOEXEC, 0);
}

void gw_hmp_migrate(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;
    int r = gw_address_parse(gw_hmp_word(args, 0), &address, &error);

    if (r >= 0 && gw_hmp_option(args, 'r')) {
        r = gw_error_set(&error, -EINVAL,
                         "Cannot resume if there is no paused migration");
    }
    if (r >= 0) {
        r = gw_control_migrate(hmp->control, address, &error);
    }
    gw_address_free(address);
    if (r < 0) {
        gw_hmp_print_error(hmp, error);
    } else if (!gw_hmp_option(args, 'd')) {
        wait_for_outgoing(hmp);
    }
}

void gw_hmp_migrate_incoming(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;
    int r = gw_address_parse(gw_hmp_word(args, 0), &address, &error);

    if (r >= 0) {
        r = gw_control_migrate_incoming(hmp->control, address, false, &error);
    }
    gw_address_free(address);
    if (r < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

void gw_hmp_migrate_cancel(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    (void)args;
    gw_control_migrate_cancel(hmp->control);
}

static int parse_status(const char *name, enum gw_migration_status *ret,
                        struct gw_error **errp)
{
    int i;

    for (i = 0; i < GW_MIGRATION_STATUS_COUNT; i++) {
        enum gw_migration_status status = (enum gw_migration_status)i;

        if (strcmp(gw_migration_status_name(status), name) == 0) {
            *ret = status;
            return 0;
        }
    }
    return gw_error_set(errp, -EINVAL, "invalid parameter value: %s", name);
}

void gw_hmp_migrate_continue(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    enum gw_migration_status status = GW_MIGRATION_NONE;
    struct gw_error *error = NULL;

    if (parse_status(gw_hmp_word(args, 0), &status, &error) < 0 ||
        gw_control_migrate_continue(hmp->control, status, &error) < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

void gw_hmp_set_capability(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    bool on[GW_CAP_COUNT];
    enum gw_capability capability;
    struct gw_error *error = NULL;
    int r = 0;

    memcpy(on, hmp->control->settings.capabilities, sizeof(on));
    if (gw_capability_parse(gw_hmp_word(args, 0), &capability) < 0) {
        r = gw_error_set(&error, -EINVAL, "invalid parameter value: %s",
                         gw_hmp_word(args, 0));
    } else {
        on[capability] = strcmp(gw_hmp_word(args, 1), "on") == 0;
        r = gw_control_set_capabilities(hmp->control, on, &error);
    }
    if (r < 0) {
        gw_hmp_print_error(hmp, error);
    }
}

void gw_hmp_set_parameter(struct gw_hmp *hmp, const struct gw_hmp_args *args)
{
    struct gw_error *error = NULL;
    struct gw_settings changed;
    int r = gw_settings_copy(&changed, &hmp->control->settings);

    if (r < 0) {
        gw_error_set(&error, r, "out of memory");
    } else {
        r = gw_hmp_put_parameter(&changed, gw_hmp_word(args, 0),
                                 gw_hmp_word(args, 1), &error);
        if (r < 0) {
            gw_settings_deinit(&changed);
        } else {
            r = gw_control_set_parameters(hmp->control, &changed, &error);
        }
    }
    if (r < 0) {
        gw_hmp_print_error(hmp, error);
    }
}
