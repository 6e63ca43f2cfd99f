/*
 * The structured form of addresses: a table of what is allowed, and the way
 * from a checked object to an address.
 */
#include "channel/address_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const char *const transports[] = {"socket", "exec", "rdma", "file",
                                         NULL};
static const char *const socket_types[] = {"inet", "unix", "vsock", "fd", NULL};

static const struct gw_schema_member inet_members[] = {
    GW_SCHEMA_REQUIRED("host", GW_SCHEMA_STRING),
    GW_SCHEMA_REQUIRED("port", GW_SCHEMA_STRING),
    GW_SCHEMA_OPTIONAL("numeric", GW_SCHEMA_BOOL),
    GW_SCHEMA_OPTIONAL("to", GW_SCHEMA_UINT16),
    GW_SCHEMA_OPTIONAL("ipv4", GW_SCHEMA_BOOL),
    GW_SCHEMA_OPTIONAL("ipv6", GW_SCHEMA_BOOL),
    GW_SCHEMA_OPTIONAL("keep-alive", GW_SCHEMA_BOOL),
    GW_SCHEMA_OPTIONAL("mptcp", GW_SCHEMA_BOOL),
};
static const struct gw_schema inet_schema = GW_SCHEMA_OF(inet_members);

static const struct gw_schema_member unix_members[] = {
    GW_SCHEMA_REQUIRED("path", GW_SCHEMA_STRING),
    GW_SCHEMA_OPTIONAL("abstract", GW_SCHEMA_BOOL),
    GW_SCHEMA_OPTIONAL("tight", GW_SCHEMA_BOOL),
};
static const struct gw_schema unix_schema = GW_SCHEMA_OF(unix_members);

static const struct gw_schema_member vsock_members[] = {
    GW_SCHEMA_REQUIRED("cid", GW_SCHEMA_STRING),
    GW_SCHEMA_REQUIRED("port", GW_SCHEMA_STRING),
};
static const struct gw_schema vsock_schema = GW_SCHEMA_OF(vsock_members);

static const struct gw_schema_member fd_members[] = {
    GW_SCHEMA_REQUIRED("str", GW_SCHEMA_STRING),
};
static const struct gw_schema fd_schema = GW_SCHEMA_OF(fd_members);

static const struct gw_schema *const socket_variants[] = {
    &inet_schema, &unix_schema, &vsock_schema, &fd_schema};
static const struct gw_schema_member socket_members[] = {
    {.name = "type", .type = GW_SCHEMA_ENUM, .choices = socket_types},
};
static const struct gw_schema socket_schema = {
    .members = socket_members,
    .n_members = GW_ARRAY_SIZE(socket_members),
    .tag = "type",
    .variants = socket_variants,
};

static const struct gw_schema_member string_element = {.type =
                                                           GW_SCHEMA_STRING};
static const struct gw_schema_member exec_members[] = {
    {.name = "args", .type = GW_SCHEMA_ARRAY, .element = &string_element},
};
static const struct gw_schema exec_schema = GW_SCHEMA_OF(exec_members);

static const struct gw_schema_member file_members[] = {
    GW_SCHEMA_REQUIRED("filename", GW_SCHEMA_STRING),
    GW_SCHEMA_REQUIRED("offset", GW_SCHEMA_UINT64),
};
static const struct gw_schema file_schema = GW_SCHEMA_OF(file_members);

static const struct gw_schema *const address_variants[] = {
    &socket_schema, &exec_schema, &inet_schema, &file_schema};
static const struct gw_schema_member address_members[] = {
    {.name = "transport", .type = GW_SCHEMA_ENUM, .choices = transports},
};
const struct gw_schema gw_address_schema = {
    .members = address_members,
    .n_members = GW_ARRAY_SIZE(address_members),
    .tag = "transport",
    .variants = address_variants,
};

static const char *get_string(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static enum gw_on_off_auto get_flag(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!value) {
        return GW_AUTO;
    }
    return json_is_true(value) ? GW_ON : GW_OFF;
}

/* Copies the string member `name`; false if memory is short. */
static bool copy_string(char **to, const json_t *object, const char *name)
{
    *to = strdup(get_string(object, name));
    return *to != NULL;
}

static bool fill_inet(struct gw_address *address, const json_t *object)
{
    address->numeric = json_is_true(json_object_get(object, "numeric"));
    address->to = (uint16_t)json_integer_value(json_object_get(object, "to"));
    address->ipv4 = get_flag(object, "ipv4");
    address->ipv6 = get_flag(object, "ipv6");
    address->keep_alive = get_flag(object, "keep-alive");
    address->mptcp = get_flag(object, "mptcp");
    return copy_string(&address->host, object, "host") &&
           copy_string(&address->port, object, "port");
}

static bool fill_unix(struct gw_address *address, const json_t *object)
{
    address->is_abstract = get_flag(object, "abstract") == GW_ON;
    address->tight = get_flag(object, "tight") != GW_OFF;
    return copy_string(&address->path, object, "path");
}

static bool fill_socket(struct gw_address *address, const json_t *object)
{
    const char *type = get_string(object, "type");

    if (strcmp(type, "inet") == 0) {
        address->transport = GW_TRANSPORT_TCP;
        return fill_inet(address, object);
    }
    if (strcmp(type, "unix") == 0) {
        address->transport = GW_TRANSPORT_UNIX;
        return fill_unix(address, object);
    }
    if (strcmp(type, "vsock") == 0) {
        address->transport = GW_TRANSPORT_VSOCK;
        return copy_string(&address->host, object, "cid") &&
               copy_string(&address->port, object, "port");
    }
    address->transport = GW_TRANSPORT_FD;
    return copy_string(&address->fd_name, object, "str");
}

static bool fill_exec(struct gw_address *address, const json_t *object)
{
    const json_t *args = json_object_get(object, "args");
    size_t n = json_array_size(args);
    size_t i;

    address->transport = GW_TRANSPORT_EXEC;
    address->args = calloc(n + 1, sizeof(*address->args));
    for (i = 0; address->args && i < n; i++) {
        address->args[i] = strdup(json_string_value(json_array_get(args, i)));
        if (!address->args[i]) {
            return false;
        }
    }
    return address->args != NULL;
}

static bool fill_file(struct gw_address *address, const json_t *object)
{
    address->transport = GW_TRANSPORT_FILE;
    address->offset = gw_schema_uint64(json_object_get(object, "offset"));
    return copy_string(&address->path, object, "filename");
}

static bool fill(struct gw_address *address, const json_t *object)
{
    const char *transport = get_string(object, "transport");

    if (strcmp(transport, "socket") == 0) {
        return fill_socket(address, object);
    }
    if (strcmp(transport, "exec") == 0) {
        return fill_exec(address, object);
    }
    if (strcmp(transport, "file") == 0) {
        return fill_file(address, object);
    }
    address->transport = GW_TRANSPORT_RDMA;
    return fill_inet(address, object);
}

int gw_address_from_json(json_t *object, const char *path,
                         struct gw_address **ret_address,
                         struct gw_error **errp)
{
    const json_t *args = json_object_get(object, "args");
    struct gw_address *address;

    /* QEMU 10.0 crashes here. */
    if (args && json_array_size(args) == 0) {
        return gw_error_set(errp, -EINVAL,
                            "Parameter '%s%sargs' expects a command", path,
                            *path ? "." : "");
    }
    address = calloc(1, sizeof(*address));
    if (!address || !fill(address, object)) {
        gw_address_free(address);
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    *ret_address = address;
    return 0;
}

int gw_address_parse_json(const char *json, struct gw_address **ret_address,
                          struct gw_error **errp)
{
    json_error_t error;
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    int r;

    if (!object) {
        return gw_error_set(errp, -EINVAL,
                            "address is not JSON: %s (line %d, column %d)",
                            error.text, error.line, error.column);
    }
    if (!json_is_object(object)) {
        r = gw_error_set(errp, -EINVAL, "address must be a JSON object");
    } else {
        r = gw_schema_check(&gw_address_schema, object, "", errp);
    }
    if (r >= 0) {
        r = gw_address_from_json(object, "", ret_address, errp);
    }
    json_decref(object);
    return r;
}
