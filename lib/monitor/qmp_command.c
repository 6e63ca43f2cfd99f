/*
 * The commands of QMP: a table of names, arguments and functions.
 *
 * Arguments are checked against the table before anything happens.
 */
#include "monitor/qmp_command.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/schema.h"
#include "base/util.h"
#include "monitor/added.h"
#include "monitor/hmp.h"

static json_t *query_version(struct gw_qmp_call *call, json_t *arguments,
                             struct gw_error **errp)
{
    (void)call;
    (void)arguments;
    (void)errp;
    return gw_qmp_version();
}

static json_t *query_status(struct gw_qmp_call *call, json_t *arguments,
                            struct gw_error **errp)
{
    struct gw_machine *machine = call->control->machine;

    (void)arguments;
    (void)errp;
    return json_pack("{s:s, s:b}", "status",
                     gw_run_state_name(gw_machine_run_state(machine)),
                     "running", (int)gw_machine_is_running(machine));
}

static json_t *stop(struct gw_qmp_call *call, json_t *arguments,
                    struct gw_error **errp)
{
    (void)arguments;
    return gw_qmp_done(gw_machine_stop(call->control->machine, errp));
}

static json_t *cont(struct gw_qmp_call *call, json_t *arguments,
                    struct gw_error **errp)
{
    (void)arguments;
    return gw_qmp_done(gw_machine_cont(call->control->machine, errp));
}

static json_t *quit(struct gw_qmp_call *call, json_t *arguments,
                    struct gw_error **errp)
{
    (void)arguments;
    (void)errp;
    gw_control_quit(call->control);
    return json_object();
}

/* QMP shows the lines of HMP with CR LF. */
static json_t *json_of_text(const struct gw_buffer *text)
{
    GW_AUTO_BUFFER struct gw_buffer lines = {0};
    json_t *string;
    size_t i;

    for (i = 0; i < text->size; i++) {
        if (text->data[i] == '\n') {
            gw_buffer_put_u8(&lines, '\r');
        }
        gw_buffer_put_u8(&lines, text->data[i]);
    }
    string = json_stringn(lines.data ? (char *)lines.data : "", lines.size);
    if (!string) {
        /* A character was cut, or is of somebody's own encoding. */
        for (i = 0; i < lines.size; i++) {
            lines.data[i] = lines.data[i] < 0x80 ? lines.data[i] : '?';
        }
        string = json_stringn((char *)lines.data, lines.size);
    }
    return string;
}

static json_t *human_monitor_command(struct gw_qmp_call *call,
                                     json_t *arguments, struct gw_error **errp)
{
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    struct gw_hmp hmp = {
        .control = call->control,
        .received_fd = call->received_fd,
        .wait_fd = -1,
        .out = &text,
    };

    /* There are no CPUs to choose from in what is built so far. */
    if (json_integer_value(json_object_get(arguments, "cpu-index")) != 0) {
        gw_error_set(errp, -EINVAL,
                     "Parameter 'cpu-index' expects a CPU number");
        return NULL;
    }
    gw_hmp_run(&hmp, gw_qmp_string(arguments, "command-line"));
    return json_of_text(&text);
}

static const struct gw_schema_member hmp_members[] = {
    GW_SCHEMA_REQUIRED("command-line", GW_SCHEMA_STRING),
    GW_SCHEMA_OPTIONAL("cpu-index", GW_SCHEMA_INT),
};

static json_t *query_commands(struct gw_qmp_call *call, json_t *arguments,
                              struct gw_error **errp);

static const struct gw_qmp_command commands[] = {
    {"cont", cont, {0}, NULL},
    {"human-monitor-command", human_monitor_command, GW_SCHEMA_OF(hmp_members),
     NULL},
    {"query-commands", query_commands, {0}, NULL},
    {"query-status", query_status, {0}, NULL},
    {"query-version", query_version, {0}, NULL},
    {"quit", quit, {0}, NULL},
    {"stop", stop, {0}, NULL},
    {NULL, NULL, {0}, NULL},
};

static const struct gw_qmp_command *const tables[] = {
    commands, gw_qmp_fd_commands, gw_qmp_migration_commands};

static void add_name(json_t *list, const char *name)
{
    json_array_append_new(list, json_pack("{s:s}", "name", name));
}

static json_t *query_commands(struct gw_qmp_call *call, json_t *arguments,
                              struct gw_error **errp)
{
    json_t *list = json_array();
    struct gw_added_command added;
    unsigned int n;
    size_t i, j;

    (void)arguments;
    (void)errp;
    for (i = 0; i < GW_ARRAY_SIZE(tables); i++) {
        for (j = 0; tables[i][j].name; j++) {
            add_name(list, tables[i][j].name);
        }
    }
    for (n = 0; gw_added_at(call->control, n, &added); n++) {
        if (added.command->name) {
            add_name(list, added.command->name);
        }
    }
    /* The session answers this one. */
    add_name(list, "qmp_capabilities");
    return list;
}

static json_t *run(const struct gw_qmp_command *command,
                   struct gw_qmp_call *call, json_t *arguments,
                   struct gw_error **errp)
{
    json_t *reply = NULL;
    int r = command->check
                ? command->check(arguments, errp)
                : gw_schema_check(&command->schema, arguments, "", errp);

    if (r >= 0) {
        pthread_mutex_lock(&call->control->command_lock);
        reply = command->run(call, arguments, errp);
        pthread_mutex_unlock(&call->control->command_lock);
    }
    return reply;
}

static const struct gw_qmp_command *find_command(const char *name)
{
    size_t i, j;

    for (i = 0; i < GW_ARRAY_SIZE(tables); i++) {
        for (j = 0; tables[i][j].name; j++) {
            if (strcmp(tables[i][j].name, name) == 0) {
                return &tables[i][j];
            }
        }
    }
    return NULL;
}

bool gw_qmp_has_command(const char *name)
{
    return find_command(name) || strcmp(name, "qmp_capabilities") == 0;
}

json_t *gw_qmp_execute(struct gw_control *control, const char *name,
                       json_t *arguments, int *received_fd,
                       struct gw_error **errp)
{
    struct gw_qmp_call call = {.control = control, .received_fd = received_fd};
    const struct gw_qmp_command *command = find_command(name);
    struct gw_added_command added;
    json_t *given;
    json_t *reply;

    if (!command && !gw_added_find(control, name, false, &added)) {
        gw_error_set_class(errp, GW_ERROR_COMMAND_NOT_FOUND, -ENOENT,
                           "The command %s has not been found", name);
        return NULL;
    }
    given = arguments ? json_incref(arguments) : json_object();
    reply = command ? run(command, &call, given, errp)
                    : gw_added_execute(control, &added, given, errp);
    json_decref(given);
    return reply;
}
