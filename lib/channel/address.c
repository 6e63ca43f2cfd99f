/*
 * Addresses: the URI form, and the life of the object.
 *
 * Texts of errors are QEMU 10.0's, observed. The options of tcp: are in
 * address_inet.c, the structured form in address_json.c.
 */
#include <godwit/address.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "channel/address_inet.h"

#define OFFSET_OPTION ",offset="

static void cleanup_address(struct gw_address **address)
{
    gw_address_free(*address);
}

static void free_args(char **args)
{
    size_t i;

    for (i = 0; args && args[i]; i++) {
        free(args[i]);
    }
    free(args);
}

struct gw_address *gw_address_free(struct gw_address *address)
{
    if (address) {
        free(address->path);
        free(address->fd_name);
        free(address->host);
        free(address->port);
        free_args(address->args);
        free(address);
    }
    return NULL;
}

/* Copies a string, NULL to NULL; false if memory is short. */
static bool dup_string(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

static bool dup_args(char ***to, char *const *from)
{
    size_t n = 0;
    size_t i;

    if (!from) {
        return true;
    }
    while (from[n]) {
        n++;
    }
    *to = calloc(n + 1, sizeof(**to));
    for (i = 0; *to && i < n; i++) {
        if (!dup_string(&(*to)[i], from[i])) {
            return false;
        }
    }
    return *to != NULL;
}

struct gw_address *gw_address_dup(const struct gw_address *address)
{
    __attribute__((cleanup(cleanup_address))) struct gw_address *copy =
        malloc(sizeof(*copy));

    if (!copy) {
        return NULL;
    }
    *copy = *address;
    copy->path = copy->fd_name = copy->host = copy->port = NULL;
    copy->args = NULL;
    if (!dup_string(&copy->path, address->path) ||
        !dup_string(&copy->fd_name, address->fd_name) ||
        !dup_string(&copy->host, address->host) ||
        !dup_string(&copy->port, address->port) ||
        !dup_args(&copy->args, address->args)) {
        return NULL;
    }
    return gw_take(&copy);
}

/*
 * The first ",offset=" ends the file name, and all after it is one size. The
 * name may be empty: opening it is what fails.
 */
static int parse_file(struct gw_address *address, const char *text,
                      struct gw_error **errp)
{
    const char *option = strstr(text, OFFSET_OPTION);
    const char *size;
    int r;

    if (!option) {
        return dup_string(&address->path, text) ? 0 : -ENOMEM;
    }
    size = option + strlen(OFFSET_OPTION);
    r = gw_size_parse(size, 1, &address->offset);
    if (r < 0) {
        return gw_error_set_errno(errp, r, "file URI has bad offset %s", size);
    }
    address->path = strndup(text, (size_t)(option - text));
    return address->path ? 0 : -ENOMEM;
}

static int parse_unix(struct gw_address *address, const char *text,
                      struct gw_error **errp)
{
    if (!*text) {
        return gw_error_set(errp, -EINVAL, "invalid Unix socket address");
    }
    return dup_string(&address->path, text) ? 0 : -ENOMEM;
}

static int parse_fd(struct gw_address *address, const char *text,
                    struct gw_error **errp)
{
    if (!*text) {
        return gw_error_set(errp, -EINVAL, "invalid file descriptor address");
    }
    return dup_string(&address->fd_name, text) ? 0 : -ENOMEM;
}

/* A shell runs the command, as with QEMU. */
static int parse_exec(struct gw_address *address, const char *text,
                      struct gw_error **errp)
{
    char shell[] = "/bin/sh";
    char option[] = "-c";
    GW_AUTO_FREE char *command = strdup(text);
    char *args[] = {shell, option, command, NULL};

    (void)errp;
    return command && dup_args(&address->args, args) ? 0 : -ENOMEM;
}

static int parse_tcp(struct gw_address *address, const char *text,
                     struct gw_error **errp)
{
    return gw_address_parse_inet(address, text, errp);
}

static int parse_vsock(struct gw_address *address, const char *text,
                       struct gw_error **errp)
{
    return gw_address_parse_vsock(address, text, errp);
}

static const struct scheme {
    const char *prefix; /* with the colon */
    enum gw_transport transport;
    /* Fills in the address; -ENOMEM leaves the error to the caller. */
    int (*parse)(struct gw_address *address, const char *text,
                 struct gw_error **errp);
} schemes[] = {
    {"file:", GW_TRANSPORT_FILE, parse_file},
    {"fd:", GW_TRANSPORT_FD, parse_fd},
    {"tcp:", GW_TRANSPORT_TCP, parse_tcp},
    {"unix:", GW_TRANSPORT_UNIX, parse_unix},
    {"vsock:", GW_TRANSPORT_VSOCK, parse_vsock},
    {"exec:", GW_TRANSPORT_EXEC, parse_exec},
    {"rdma:", GW_TRANSPORT_RDMA, parse_tcp},
};

static const struct scheme *find_scheme(const char *uri)
{
    size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(uri, schemes[i].prefix, strlen(schemes[i].prefix)) == 0) {
            return &schemes[i];
        }
    }
    return NULL;
}

int gw_address_parse(const char *uri, struct gw_address **ret_address,
                     struct gw_error **errp)
{
    const struct scheme *scheme = find_scheme(uri);
    __attribute__((cleanup(cleanup_address))) struct gw_address *address = NULL;
    int r;

    if (!scheme) {
        return gw_error_set(errp, -EINVAL, "unknown migration protocol: %s",
                            uri);
    }
    address = calloc(1, sizeof(*address));
    if (!address) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    address->transport = scheme->transport;
    address->tight = scheme->transport == GW_TRANSPORT_UNIX;
    r = scheme->parse(address, uri + strlen(scheme->prefix), errp);
    if (r == -ENOMEM) {
        return gw_error_set(errp, r, "out of memory");
    }
    if (r < 0) {
        return r;
    }
    *ret_address = gw_take(&address);
    return 0;
}
