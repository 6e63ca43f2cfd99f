/*
 * The embedder's commands: the list of them, and a call from QMP or HMP.
 */
#include "monitor/added.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/schema.h"
#include "monitor/hmp_args.h"
#include "monitor/qmp_command.h"

struct gw_reply {
    bool is_hmp;
    struct gw_buffer text; /* JSON, or lines */
};

GW_PRINTF(2, 0)
static void put_text(struct gw_buffer *to, const char *fmt, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, fmt, args);

    if (len >= 0) {
        gw_buffer_put_bytes(to, text, (size_t)len);
        free(text);
    }
}

void gw_reply_json(struct gw_reply *reply, const char *fmt, ...)
{
    va_list args;

    if (reply->is_hmp) {
        return;
    }
    reply->text.size = 0;
    va_start(args, fmt);
    put_text(&reply->text, fmt, args);
    va_end(args);
}

void gw_reply_text(struct gw_reply *reply, const char *fmt, ...)
{
    va_list args;

    if (!reply->is_hmp) {
        return;
    }
    va_start(args, fmt);
    put_text(&reply->text, fmt, args);
    va_end(args);
}

/* ---- the list ---- */

bool gw_added_at(struct gw_control *control, unsigned int index,
                 struct gw_added_command *ret)
{
    struct gw_added *added;

    for (added = control->added; added; added = added->next) {
        if (index < added->n) {
            *ret = (struct gw_added_command){&added->commands[index],
                                             added->opaque};
            return true;
        }
        index -= (unsigned int)added->n;
    }
    return false;
}

bool gw_added_find(struct gw_control *control, const char *name, bool is_hmp,
                   struct gw_added_command *ret)
{
    struct gw_added_command at;
    unsigned int i;

    for (i = 0; gw_added_at(control, i, &at); i++) {
        const char *its = is_hmp ? at.command->hmp_name : at.command->name;

        if (its && strcmp(its, name) == 0) {
            *ret = at;
            return true;
        }
    }
    return false;
}

static bool is_taken(struct gw_control *control, const char *name, bool is_hmp)
{
    struct gw_added_command at;

    return name &&
           ((is_hmp ? gw_hmp_has_command(name) : gw_qmp_has_command(name)) ||
            gw_added_find(control, name, is_hmp, &at));
}

static int check(struct gw_control *control, const struct gw_command *command,
                 struct gw_error **errp)
{
    const char *name = command->name ? command->name : command->hmp_name;

    if (!name || command->n_arguments > GW_ARGUMENTS_MAX) {
        return gw_error_set(errp, -EINVAL,
                            "command '%s' with %zu arguments, expected a name "
                            "and at most %d",
                            name ? name : "", command->n_arguments,
                            GW_ARGUMENTS_MAX);
    }
    if (is_taken(control, command->name, false) ||
        is_taken(control, command->hmp_name, true)) {
        return gw_error_set(errp, -EEXIST, "there is a command '%s' already",
                            name);
    }
    return 0;
}

static bool has_monitors(struct gw_control *control)
{
    bool has;

    pthread_mutex_lock(&control->monitors_lock);
    has = control->monitors != NULL;
    pthread_mutex_unlock(&control->monitors_lock);
    return has;
}

int gw_control_add_commands(struct gw_control *control,
                            const struct gw_command *commands, size_t n,
                            void *opaque, struct gw_error **errp)
{
    struct gw_added *added;
    size_t i;

    if (has_monitors(control)) {
        return gw_error_set(errp, -EBUSY,
                            "commands are added before monitors are attached");
    }
    for (i = 0; i < n; i++) {
        int r = check(control, &commands[i], errp);

        if (r < 0) {
            return r;
        }
    }
    added = calloc(1, sizeof(*added));
    if (!added) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    *added = (struct gw_added){commands, n, opaque, control->added};
    control->added = added;
    return 0;
}

void gw_added_free(struct gw_control *control)
{
    while (control->added) {
        struct gw_added *next = control->added->next;

        free(control->added);
        control->added = next;
    }
}

/* ---- QMP ---- */

static enum gw_schema_type schema_type(enum gw_argument_type type)
{
    switch (type) {
    case GW_ARGUMENT_STRING:
        return GW_SCHEMA_STRING;
    case GW_ARGUMENT_BOOL:
        return GW_SCHEMA_BOOL;
    case GW_ARGUMENT_INT:
    case GW_ARGUMENT_MEMORY:
        break;
    }
    return GW_SCHEMA_INT;
}

static int check_arguments(const struct gw_command *command, json_t *arguments,
                           struct gw_error **errp)
{
    struct gw_schema_member members[GW_ARGUMENTS_MAX];
    struct gw_schema schema = {.members = members,
                               .n_members = command->n_arguments};
    size_t i;

    for (i = 0; i < command->n_arguments; i++) {
        const struct gw_argument *argument = &command->arguments[i];

        members[i] =
            (struct gw_schema_member){.name = argument->name,
                                      .type = schema_type(argument->type),
                                      .optional = argument->optional};
    }
    return gw_schema_check(&schema, arguments, "", errp);
}

static struct gw_value value_of(const json_t *json)
{
    return (struct gw_value){.given = json != NULL,
                             .boolean = json_is_true(json),
                             .integer = json_integer_value(json),
                             .string = json_string_value(json)};
}

/* What the command said, or {}. */
static json_t *object_of(const struct gw_command *command,
                         const struct gw_reply *reply, struct gw_error **errp)
{
    json_t *object;

    if (reply->text.size == 0 && gw_buffer_ok(&reply->text)) {
        return json_object();
    }
    object =
        json_loadb((const char *)reply->text.data, reply->text.size, 0, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        gw_error_set(errp, -EINVAL, "the answer of %s is no JSON object",
                     command->name);
        return NULL;
    }
    return object;
}

json_t *gw_added_execute(struct gw_control *control,
                         const struct gw_added_command *added,
                         json_t *arguments, struct gw_error **errp)
{
    const struct gw_command *command = added->command;
    struct gw_value values[GW_ARGUMENTS_MAX] = {0};
    struct gw_reply reply = {.is_hmp = false};
    json_t *object = NULL;
    size_t i;
    int r;

    if (check_arguments(command, arguments, errp) < 0) {
        return NULL;
    }
    for (i = 0; i < command->n_arguments; i++) {
        values[i] =
            value_of(json_object_get(arguments, command->arguments[i].name));
    }
    pthread_mutex_lock(&control->command_lock);
    r = command->run(added->opaque, values, &reply, errp);
    pthread_mutex_unlock(&control->command_lock);
    if (r >= 0) {
        object = object_of(command, &reply, errp);
    }
    gw_buffer_deinit(&reply.text);
    return object;
}

/* ---- HMP ---- */

/* "info balloon" is "balloon" where QEMU complains about its arguments. */
static const char *short_name(const struct gw_command *command)
{
    const char *last = strrchr(command->hmp_name, ' ');

    return last ? last + 1 : command->hmp_name;
}

static int parse_number(struct gw_hmp *hmp, enum gw_argument_type type,
                        const char **at, int64_t *ret)
{
    const bool is_memory = type == GW_ARGUMENT_MEMORY;

    if (gw_hmp_next_number(at, ret, hmp->out) < 0) {
        return -EINVAL;
    }
    if (!is_memory) {
        return 0;
    }
    if (*ret < 0) {
        gw_buffer_printf(hmp->out, "enter a positive value\n");
        return -EINVAL;
    }
    if (*ret > INT64_MAX >> 20) {
        gw_buffer_printf(hmp->out, "number too large\n");
        return -EINVAL;
    }
    *ret <<= 20;
    return 0;
}

static int parse_word(struct gw_hmp *hmp, const struct gw_command *command,
                      enum gw_argument_type type, const char **at,
                      struct gw_buffer *word, struct gw_value *value)
{
    int r = gw_hmp_next_word(at, word, hmp->out);

    if (r <= 0) {
        gw_buffer_printf(hmp->out, "%s: string expected\n",
                         short_name(command));
        return -EINVAL;
    }
    value->string = (const char *)word->data;
    value->boolean = strcmp(value->string, "on") == 0;
    if (type == GW_ARGUMENT_BOOL && !value->boolean &&
        strcmp(value->string, "off") != 0) {
        gw_buffer_printf(hmp->out, "Expected 'on' or 'off'\n");
        return -EINVAL;
    }
    return 0;
}

static int parse_value(struct gw_hmp *hmp, const struct gw_command *command,
                       size_t index, const char **at, struct gw_buffer *word,
                       struct gw_value *value)
{
    const struct gw_argument *argument = &command->arguments[index];

    if (argument->optional && gw_hmp_at_end(at)) {
        return 0;
    }
    value->given = true;
    if (argument->type == GW_ARGUMENT_INT ||
        argument->type == GW_ARGUMENT_MEMORY) {
        return parse_number(hmp, argument->type, at, &value->integer);
    }
    return parse_word(hmp, command, argument->type, at, word, value);
}

static int parse_line(struct gw_hmp *hmp, const struct gw_command *command,
                      const char *rest,
                      struct gw_buffer words[GW_ARGUMENTS_MAX],
                      struct gw_value values[GW_ARGUMENTS_MAX])
{
    size_t i;

    for (i = 0; i < command->n_arguments; i++) {
        if (parse_value(hmp, command, i, &rest, &words[i], &values[i]) < 0) {
            return -EINVAL;
        }
    }
    if (!gw_hmp_at_end(&rest)) {
        gw_buffer_printf(hmp->out,
                         "%s: extraneous characters at the end of line\n",
                         short_name(command));
        return -EINVAL;
    }
    return 0;
}

void gw_added_run_line(struct gw_hmp *hmp, const struct gw_added_command *added,
                       const char *rest)
{
    const struct gw_command *command = added->command;
    struct gw_buffer words[GW_ARGUMENTS_MAX] = {0};
    struct gw_value values[GW_ARGUMENTS_MAX] = {0};
    struct gw_reply reply = {.is_hmp = true};
    struct gw_error *error = NULL;
    size_t i;

    if (parse_line(hmp, command, rest, words, values) < 0) {
        gw_buffer_printf(hmp->out, "Try \"help %s\" for more information\n",
                         command->hmp_name);
    } else if (command->run(added->opaque, values, &reply, &error) < 0) {
        gw_hmp_print_error(hmp, error);
    } else {
        gw_buffer_put_bytes(hmp->out, reply.text.data, reply.text.size);
    }
    gw_buffer_deinit(&reply.text);
    for (i = 0; i < GW_ARGUMENTS_MAX; i++) {
        gw_buffer_deinit(&words[i]);
    }
}
