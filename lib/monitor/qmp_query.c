/*
 * The answers of QMP's queries.
 *
 * Which members query-migrate has in which state is QEMU's table; clients
 * look at presence.
 */
#include "monitor/qmp_command.h"

#include <errno.h>

#include <godwit/compat.h>
#include <godwit/version.h>

#include "base/cleanup.h"

json_t *gw_qmp_version(void)
{
    /* The version of QEMU is what clients choose their ways by. */
    return json_pack("{s:{s:i, s:i, s:i}, s:o}", "qemu", "major", 10, "minor",
                     0, "micro", 2, "package",
                     json_sprintf("godwit %s", gw_version_string()));
}

json_t *gw_qmp_uint(uint64_t value)
{
    return value > INT64_MAX ? json_real((double)value)
                             : json_integer((json_int_t)value);
}

static void put_uint(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, gw_qmp_uint(value));
}

static json_t *ram_of(const struct gw_progress *p)
{
    json_t *ram = json_object();

    put_uint(ram, "transferred", p->transferred_bytes);
    put_uint(ram, "remaining", p->remaining_bytes);
    put_uint(ram, "total", p->total_bytes);
    put_uint(ram, "duplicate", p->duplicate_pages);
    put_uint(ram, "normal", p->normal_pages);
    put_uint(ram, "normal-bytes", p->normal_pages * p->page_size);
    put_uint(ram, "dirty-pages-rate", p->dirty_pages_rate);
    json_object_set_new(ram, "mbps", json_real(p->mbps));
    put_uint(ram, "dirty-sync-count", p->dirty_sync_count);
    put_uint(ram, "postcopy-requests", 0);
    put_uint(ram, "page-size", p->page_size);
    put_uint(ram, "multifd-bytes", p->page_bytes);
    put_uint(ram, "pages-per-second", p->pages_per_second);
    put_uint(ram, "precopy-bytes", p->precopy_bytes);
    put_uint(ram, "downtime-bytes", p->downtime_bytes);
    put_uint(ram, "postcopy-bytes", 0);
    put_uint(ram, "dirty-sync-missed-zero-copy", 0);
    return ram;
}

/* Times and counters of a source, as far as its state has them. */
static void put_progress(json_t *object, const struct gw_progress *p)
{
    switch (p->status) {
    case GW_MIGRATION_ACTIVE:
    case GW_MIGRATION_CANCELLING:
    case GW_MIGRATION_PRE_SWITCHOVER:
    case GW_MIGRATION_DEVICE:
        put_uint(object, "expected-downtime", p->expected_downtime_ms);
        break;
    case GW_MIGRATION_POSTCOPY_ACTIVE:
    case GW_MIGRATION_POSTCOPY_PAUSED:
    case GW_MIGRATION_POSTCOPY_RECOVER_SETUP:
    case GW_MIGRATION_POSTCOPY_RECOVER:
    case GW_MIGRATION_COMPLETED:
        put_uint(object, "downtime", p->downtime_ms);
        break;
    default:
        return;
    }
    put_uint(object, "total-time", p->total_time_ms);
    put_uint(object, "setup-time", p->setup_time_ms);
    json_object_set_new(object, "ram", ram_of(p));
    if (p->page_io) {
        json_object_set_new(object, "x-page-io", json_string(p->page_io));
    }
}

static void put_blocked_reasons(json_t *object, struct gw_machine *machine)
{
    json_t *reasons = json_array();
    const char *reason;
    unsigned int i;

    for (i = 0; (reason = gw_machine_blocked_reason(machine, i)); i++) {
        json_array_append_new(reasons, json_string(reason));
    }
    if (i) {
        json_object_set(object, "blocked-reasons", reasons);
    }
    json_decref(reasons);
}

json_t *gw_qmp_query_migrate(struct gw_control *control)
{
    struct gw_control_state state;
    json_t *object = json_object();

    gw_control_get_state(control, &state);
    put_blocked_reasons(object, control->machine);
    if (state.has_status) {
        json_object_set_new(
            object, "status",
            json_string(gw_migration_status_name(state.status)));
    }
    if (state.is_outgoing) {
        put_progress(object, &state.progress);
    }
    if (state.error) {
        json_object_set_new(object, "error-desc",
                            json_string(gw_error_text(state.error)));
    }
    gw_error_free(state.error);
    return object;
}

json_t *gw_qmp_query_description(struct gw_control *control,
                                 struct gw_error **errp)
{
    GW_AUTO_FREE char *text =
        gw_machine_describe(control->machine, &control->settings);
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;

    if (!object) {
        gw_error_set(errp, -ENOMEM, "out of memory");
    }
    return object;
}

json_t *gw_qmp_query_parameters(const struct gw_settings *settings)
{
    const struct gw_parameter_info *info;
    json_t *object = json_object();
    unsigned int i;

    for (i = 0; (info = gw_parameter_info_at(i)); i++) {
        json_t *value;

        switch (info->type) {
        case GW_PARAMETER_BOOL:
            value = json_boolean(gw_settings_get_uint(settings, info));
            break;
        case GW_PARAMETER_ENUM:
        case GW_PARAMETER_STRING:
            value = json_string(gw_settings_get_string(settings, info));
            break;
        default:
            value = gw_qmp_uint(gw_settings_get_uint(settings, info));
            break;
        }
        json_object_set_new(object, info->name, value);
    }
    return object;
}

json_t *gw_qmp_query_capabilities(const struct gw_settings *settings)
{
    json_t *list = json_array();
    unsigned int i;

    for (i = 0; i < GW_CAP_COUNT; i++) {
        json_array_append_new(
            list, json_pack("{s:s, s:b}", "capability",
                            gw_capability_name((enum gw_capability)i), "state",
                            (int)settings->capabilities[i]));
    }
    return list;
}
