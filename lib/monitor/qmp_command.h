/*
 * The commands of QMP.
 */
#ifndef GW_MONITOR_QMP_COMMAND_H
#define GW_MONITOR_QMP_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include <godwit/error.h>

#include "base/schema.h"
#include "monitor/control.h"

/* What a command knows about who called it. */
struct gw_qmp_call {
    struct gw_control *control; /* its command_lock is held */
    int *received_fd;           /* came with the request, -1 if none did */
};

struct gw_qmp_command {
    const char *name;
    /* Executes it: a new reference, or NULL and an error. */
    json_t *(*run)(struct gw_qmp_call *call, json_t *arguments,
                   struct gw_error **errp);
    /* Of the arguments. */
    struct gw_schema schema;
    /* Checks the arguments instead, if they have no fixed schema; or NULL. */
    int (*check)(json_t *arguments, struct gw_error **errp);
};

/* The commands about descriptors; a NULL name ends them. */
extern const struct gw_qmp_command gw_qmp_fd_commands[];

/* The commands about migrations; a NULL name ends them. */
extern const struct gw_qmp_command gw_qmp_migration_commands[];

/* The empty object, which most commands return, or NULL if r < 0. */
static inline json_t *gw_qmp_done(int r)
{
    return r < 0 ? NULL : json_object();
}

/* A string among checked arguments; NULL if it was left out. */
static inline const char *gw_qmp_string(const json_t *arguments,
                                        const char *name)
{
    return json_string_value(json_object_get(arguments, name));
}

/*
 * Executes a command by name. `arguments` is an object or NULL. Returns a new
 * reference, or NULL and an error. Takes the command lock.
 */
json_t *gw_qmp_execute(struct gw_control *control, const char *name,
                       json_t *arguments, int *received_fd,
                       struct gw_error **errp);

/* Whether the library has a command of that name. */
bool gw_qmp_has_command(const char *name);

/* {"qemu": {...}, "package": ...}, as in the greeting. */
json_t *gw_qmp_version(void);

/* The answer of query-migrate. */
json_t *gw_qmp_query_migrate(struct gw_control *control);

/* The answer of query-migrate-parameters. */
json_t *gw_qmp_query_parameters(const struct gw_settings *settings);

/* The answer of query-migrate-capabilities. */
json_t *gw_qmp_query_capabilities(const struct gw_settings *settings);

/* The answer of x-query-machine-description; NULL and an error. */
json_t *gw_qmp_query_description(struct gw_control *control,
                                 struct gw_error **errp);

/* An integer that JSON may have to show as a real: 2^63 and above. */
json_t *gw_qmp_uint(uint64_t value);

#endif
