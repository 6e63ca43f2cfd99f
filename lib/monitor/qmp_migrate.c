/*
 * The commands of QMP about migrations.
 */
#include "monitor/qmp_command.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/address_json.h"
#include "migrate/settings.h"

/* The only one of a list of channels, which must be of type main. */
static int address_of_channels(json_t *channels,
                               struct gw_address **ret_address,
                               struct gw_error **errp)
{
    const char *found = NULL;
    size_t main_index = 0;
    char path[64];
    size_t i;

    for (i = 0; i < json_array_size(channels); i++) {
        const char *type =
            gw_qmp_string(json_array_get(channels, i), "channel-type");

        if (strcmp(type, "main") != 0) {
            return gw_error_set(errp, -ENOTSUP,
                                "migration channels of type '%s' are not "
                                "supported yet",
                                type);
        }
        if (found) {
            return gw_error_set(errp, -EINVAL,
                                "Channel list has more than one main entry");
        }
        found = type;
        main_index = i;
    }
    snprintf(path, sizeof(path), "channels[%zu].addr", main_index);
    return gw_address_from_json(
        json_object_get(json_array_get(channels, main_index), "addr"), path,
        ret_address, errp);
}

/* The address out of `uri` or `channels`, of which one must be given. */
static int address_of(json_t *arguments, struct gw_address **ret_address,
                      struct gw_error **errp)
{
    const char *uri = gw_qmp_string(arguments, "uri");
    json_t *channels = json_object_get(arguments, "channels");
    bool has_channels = json_array_size(channels) > 0;

    if (!uri == !has_channels) {
        return gw_error_set(errp, -EINVAL,
                            "need either 'uri' or 'channels' argument");
    }
    return uri ? gw_address_parse(uri, ret_address, errp)
               : address_of_channels(channels, ret_address, errp);
}

static json_t *migrate(struct gw_qmp_call *call, json_t *arguments,
                       struct gw_error **errp)
{
    struct gw_address *address = NULL;
    int r = address_of(arguments, &address, errp);

    if (r >= 0 && json_is_true(json_object_get(arguments, "resume"))) {
        r = gw_error_set(errp, -EINVAL,
                         "Cannot resume if there is no paused migration");
    }
    if (r >= 0) {
        r = gw_control_migrate(call->control, address, errp);
    }
    gw_address_free(address);
    return gw_qmp_done(r);
}

static void add_reason(void *opaque, const char *reason)
{
    json_array_append_new(opaque, json_string(reason));
}

/* An address that cannot be understood is a reason like any other. */
static json_t *migrate_check(struct gw_qmp_call *call, json_t *arguments,
                             struct gw_error **errp)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_address *address = NULL;
    json_t *reasons = json_array();

    (void)errp;
    if (address_of(arguments, &address, &error) < 0) {
        add_reason(reasons, gw_error_text(error));
    }
    if (json_is_true(json_object_get(arguments, "resume"))) {
        add_reason(reasons, "Cannot resume if there is no paused migration");
    }
    gw_control_migrate_check(call->control, address, add_reason, reasons);
    gw_address_free(address);
    return reasons;
}

static json_t *migrate_incoming(struct gw_qmp_call *call, json_t *arguments,
                                struct gw_error **errp)
{
    bool exit_on_error =
        !json_is_false(json_object_get(arguments, "exit-on-error"));
    struct gw_address *address = NULL;
    int r = gw_control_check_incoming(call->control, errp);

    if (r >= 0) {
        r = address_of(arguments, &address, errp);
    }
    if (r >= 0) {
        r = gw_control_migrate_incoming(call->control, address, exit_on_error,
                                        errp);
    }
    gw_address_free(address);
    return gw_qmp_done(r);
}

static json_t *migrate_cancel(struct gw_qmp_call *call, json_t *arguments,
                              struct gw_error **errp)
{
    (void)arguments;
    (void)errp;
    gw_control_migrate_cancel(call->control);
    return json_object();
}

static const char *const status_names[] = {
    "none",
    "setup",
    "cancelling",
    "cancelled",
    "active",
    "postcopy-active",
    "postcopy-paused",
    "postcopy-recover-setup",
    "postcopy-recover",
    "completed",
    "failed",
    "colo",
    "pre-switchover",
    "device",
    "wait-unplug",
    NULL,
};

static json_t *migrate_continue(struct gw_qmp_call *call, json_t *arguments,
                                struct gw_error **errp)
{
    int state =
        gw_schema_choice(status_names, gw_qmp_string(arguments, "state"));

    return gw_qmp_done(gw_control_migrate_continue(
        call->control, (enum gw_migration_status)state, errp));
}

static json_t *query_migrate(struct gw_qmp_call *call, json_t *arguments,
                             struct gw_error **errp)
{
    (void)arguments;
    (void)errp;
    return gw_qmp_query_migrate(call->control);
}

static json_t *query_description(struct gw_qmp_call *call, json_t *arguments,
                                 struct gw_error **errp)
{
    (void)arguments;
    return gw_qmp_query_description(call->control, errp);
}

static json_t *set_capabilities(struct gw_qmp_call *call, json_t *arguments,
                                struct gw_error **errp)
{
    json_t *list = json_object_get(arguments, "capabilities");
    bool on[GW_CAP_COUNT];
    size_t i;

    memcpy(on, call->control->settings.capabilities, sizeof(on));
    for (i = 0; i < json_array_size(list); i++) {
        json_t *entry = json_array_get(list, i);
        int capability = gw_schema_choice(gw_capability_names,
                                          gw_qmp_string(entry, "capability"));

        on[capability] = json_is_true(json_object_get(entry, "state"));
    }
    return gw_qmp_done(gw_control_set_capabilities(call->control, on, errp));
}

static json_t *query_capabilities(struct gw_qmp_call *call, json_t *arguments,
                                  struct gw_error **errp)
{
    (void)arguments;
    (void)errp;
    return gw_qmp_query_capabilities(&call->control->settings);
}

static int put_parameter(struct gw_settings *settings,
                         const struct gw_parameter_info *info,
                         const json_t *value, struct gw_error **errp)
{
    switch (info->type) {
    case GW_PARAMETER_STRING:
        return gw_settings_put_string(
            settings, info, json_is_null(value) ? "" : json_string_value(value),
            errp);
    case GW_PARAMETER_ENUM:
        gw_settings_put_uint(settings, info,
                             (uint64_t)gw_schema_choice(
                                 info->choices, json_string_value(value)));
        return 0;
    case GW_PARAMETER_BOOL:
        gw_settings_put_uint(settings, info, json_is_true(value));
        return 0;
    default:
        gw_settings_put_uint(settings, info, gw_schema_uint64(value));
        return 0;
    }
}

static json_t *set_parameters(struct gw_qmp_call *call, json_t *arguments,
                              struct gw_error **errp)
{
    struct gw_settings changed;
    const char *name;
    json_t *value;
    int r = gw_settings_copy(&changed, &call->control->settings);

    if (r < 0) {
        gw_error_set(errp, r, "out of memory");
        return NULL;
    }
    json_object_foreach(arguments, name, value)
    {
        r = put_parameter(&changed, gw_parameter_info_find(name), value, errp);
        if (r < 0) {
            gw_settings_deinit(&changed);
            return NULL;
        }
    }
    return gw_qmp_done(
        gw_control_set_parameters(call->control, &changed, errp));
}

static json_t *query_parameters(struct gw_qmp_call *call, json_t *arguments,
                                struct gw_error **errp)
{
    (void)arguments;
    (void)errp;
    return gw_qmp_query_parameters(&call->control->settings);
}

/* The schema that the table of parameters stands for. */
static int check_parameters(json_t *arguments, struct gw_error **errp)
{
    static const enum gw_schema_type types[] = {
        [GW_PARAMETER_BOOL] = GW_SCHEMA_BOOL,
        [GW_PARAMETER_UINT8] = GW_SCHEMA_UINT8,
        [GW_PARAMETER_UINT32] = GW_SCHEMA_UINT32,
        [GW_PARAMETER_UINT64] = GW_SCHEMA_UINT64,
        [GW_PARAMETER_SIZE] = GW_SCHEMA_UINT64,
        [GW_PARAMETER_ENUM] = GW_SCHEMA_ENUM,
        [GW_PARAMETER_STRING] = GW_SCHEMA_STRING_OR_NULL,
    };
    struct gw_schema_member members[64];
    struct gw_schema schema = {.members = members};
    const struct gw_parameter_info *info;

    while (schema.n_members < GW_ARRAY_SIZE(members) &&
           (info = gw_parameter_info_at((unsigned int)schema.n_members))) {
        members[schema.n_members++] = (struct gw_schema_member){
            .name = info->name,
            .type = types[info->type],
            .optional = true,
            .choices = info->choices,
        };
    }
    if (json_object_get(arguments, "block-bitmap-mapping")) {
        return gw_error_set(errp, -ENOTSUP,
                            "parameter 'block-bitmap-mapping' is not "
                            "supported yet");
    }
    return gw_schema_check(&schema, arguments, "", errp);
}

static const char *const channel_types[] = {"main", "cpr", NULL};
static const struct gw_schema_member channel_members[] = {
    {.name = "channel-type", .type = GW_SCHEMA_ENUM, .choices = channel_types},
    {.name = "addr", .type = GW_SCHEMA_OBJECT, .schema = &gw_address_schema},
};
static const struct gw_schema channel_schema = GW_SCHEMA_OF(channel_members);
static const struct gw_schema_member channel_element = {
    .type = GW_SCHEMA_OBJECT, .schema = &channel_schema};

static const struct gw_schema_member migrate_members[] = {
    GW_SCHEMA_OPTIONAL("uri", GW_SCHEMA_STRING),
    {.name = "channels",
     .type = GW_SCHEMA_ARRAY,
     .optional = true,
     .element = &channel_element},
    GW_SCHEMA_OPTIONAL("detach", GW_SCHEMA_BOOL),
    GW_SCHEMA_OPTIONAL("resume", GW_SCHEMA_BOOL),
};
static const struct gw_schema_member incoming_members[] = {
    GW_SCHEMA_OPTIONAL("uri", GW_SCHEMA_STRING),
    {.name = "channels",
     .type = GW_SCHEMA_ARRAY,
     .optional = true,
     .element = &channel_element},
    GW_SCHEMA_OPTIONAL("exit-on-error", GW_SCHEMA_BOOL),
};
static const struct gw_schema_member continue_members[] = {
    {.name = "state", .type = GW_SCHEMA_ENUM, .choices = status_names},
};

static const struct gw_schema_member capability_members[] = {
    {.name = "capability",
     .type = GW_SCHEMA_ENUM,
     .choices = gw_capability_names},
    GW_SCHEMA_REQUIRED("state", GW_SCHEMA_BOOL),
};
static const struct gw_schema capability_schema =
    GW_SCHEMA_OF(capability_members);
static const struct gw_schema_member capability_element = {
    .type = GW_SCHEMA_OBJECT, .schema = &capability_schema};
static const struct gw_schema_member capabilities_members[] = {
    {.name = "capabilities",
     .type = GW_SCHEMA_ARRAY,
     .element = &capability_element},
};

const struct gw_qmp_command gw_qmp_migration_commands[] = {
    {"migrate", migrate, GW_SCHEMA_OF(migrate_members), NULL},
    {"migrate-continue", migrate_continue, GW_SCHEMA_OF(continue_members),
     NULL},
    {"migrate-incoming", migrate_incoming, GW_SCHEMA_OF(incoming_members),
     NULL},
    {"migrate-set-capabilities", set_capabilities,
     GW_SCHEMA_OF(capabilities_members), NULL},
    {"migrate-set-parameters", set_parameters, {0}, check_parameters},
    {"migrate_cancel", migrate_cancel, {0}, NULL},
    {"query-migrate", query_migrate, {0}, NULL},
    {"query-migrate-capabilities", query_capabilities, {0}, NULL},
    {"query-migrate-parameters", query_parameters, {0}, NULL},
    {"x-migrate-check", migrate_check, GW_SCHEMA_OF(migrate_members), NULL},
    {"x-query-machine-description", query_description, {0}, NULL},
    {NULL, NULL, {0}, NULL},
};
