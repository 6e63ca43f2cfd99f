/*
 * The commands of QMP about descriptors: by name, and in sets.
 */
#include "monitor/qmp_command.h"

#include <errno.h>
#include <limits.h>

#include "base/cleanup.h"

static json_t *getfd(struct gw_qmp_call *call, json_t *arguments,
                     struct gw_error **errp)
{
    return gw_qmp_done(gw_control_getfd(call->control,
                                        gw_qmp_string(arguments, "fdname"),
                                        call->received_fd, errp));
}

static json_t *closefd(struct gw_qmp_call *call, json_t *arguments,
                       struct gw_error **errp)
{
    return gw_qmp_done(gw_control_closefd(
        call->control, gw_qmp_string(arguments, "fdname"), errp));
}

/* One descriptor, with a text if it was given one. */
static json_t *json_of_entry(const struct gw_fdsets_entry *entry)
{
    json_t *object = json_pack("{s:i}", "fd", entry->fd);

    if (entry->opaque) {
        json_object_set_new(object, "opaque", json_string(entry->opaque));
    }
    return object;
}

static json_t *add_fd(struct gw_qmp_call *call, json_t *arguments,
                      struct gw_error **errp)
{
    GW_AUTO_FD int received = gw_take_fd(call->received_fd);
    json_t *given = json_object_get(arguments, "fdset-id");
    int64_t id = given ? json_integer_value(given) : -1;
    int fd;

    if (received < 0) {
        gw_error_set(errp, -EINVAL,
                     "No file descriptor supplied via SCM_RIGHTS");
        return NULL;
    }
    if (given && id < 0) {
        gw_error_set(errp, -EINVAL,
                     "Parameter 'fdset-id' expects a non-negative value");
        return NULL;
    }
    if (gw_fdsets_add(call->control->fdsets, id, received,
                      gw_qmp_string(arguments, "opaque"), &id, &fd, errp) < 0) {
        return NULL;
    }
    gw_take_fd(&received);
    return json_pack("{s:i, s:I}", "fd", fd, "fdset-id", (json_int_t)id);
}

static json_t *remove_fd(struct gw_qmp_call *call, json_t *arguments,
                         struct gw_error **errp)
{
    json_int_t id = json_integer_value(json_object_get(arguments, "fdset-id"));
    json_t *given = json_object_get(arguments, "fd");
    json_int_t fd = given ? json_integer_value(given) : -1;

    if (given && (fd < 0 || fd > INT_MAX)) {
        gw_error_set(errp, -ENOENT,
                     "File descriptor named 'fdset-id:%lld, fd:%lld' not "
                     "found",
                     (long long)id, (long long)fd);
        return NULL;
    }
    return gw_qmp_done(
        gw_fdsets_remove(call->control->fdsets, id, (int)fd, errp));
}

/* Entries of one set follow each other. */
static json_t *json_of_entries(const struct gw_fdsets_entry *entries, size_t n)
{
    json_t *sets = json_array();
    json_t *fds = NULL;
    size_t i;

    for (i = 0; i < n; i++) {
        if (i == 0 || entries[i].id != entries[i - 1].id) {
            fds = json_array();
            json_array_append_new(sets, json_pack("{s:o, s:I}", "fds", fds,
                                                  "fdset-id",
                                                  (json_int_t)entries[i].id));
        }
        if (entries[i].fd >= 0) {
            json_array_append_new(fds, json_of_entry(&entries[i]));
        }
    }
    return sets;
}

static json_t *query_fdsets(struct gw_qmp_call *call, json_t *arguments,
                            struct gw_error **errp)
{
    struct gw_fdsets_entry *entries;
    size_t n;
    json_t *sets;

    (void)arguments;
    if (gw_fdsets_query(call->control->fdsets, &entries, &n, errp) < 0) {
        return NULL;
    }
    sets = json_of_entries(entries, n);
    gw_fdsets_entries_free(entries, n);
    return sets;
}

static const struct gw_schema_member fdname_members[] = {
    GW_SCHEMA_REQUIRED("fdname", GW_SCHEMA_STRING),
};
static const struct gw_schema_member add_members[] = {
    GW_SCHEMA_OPTIONAL("fdset-id", GW_SCHEMA_INT),
    GW_SCHEMA_OPTIONAL("opaque", GW_SCHEMA_STRING),
};
static const struct gw_schema_member remove_members[] = {
    GW_SCHEMA_REQUIRED("fdset-id", GW_SCHEMA_INT),
    GW_SCHEMA_OPTIONAL("fd", GW_SCHEMA_INT),
};

const struct gw_qmp_command gw_qmp_fd_commands[] = {
    {"add-fd", add_fd, GW_SCHEMA_OF(add_members), NULL},
    {"closefd", closefd, GW_SCHEMA_OF(fdname_members), NULL},
    {"getfd", getfd, GW_SCHEMA_OF(fdname_members), NULL},
    {"query-fdsets", query_fdsets, {0}, NULL},
    {"remove-fd", remove_fd, GW_SCHEMA_OF(remove_members), NULL},
    {NULL, NULL, {0}, NULL},
};
