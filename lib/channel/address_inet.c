/*
 * "HOST:PORT,option..." as QEMU reads it: host and port by length, options by
 * searching for their names anywhere in the rest, so that unknown ones pass.
 */
#include "channel/address_inet.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_LEN_MAX = 64,
    PORT_LEN_MAX = 32,
};

/* Copies the leading characters that are not in `stop`; moves the cursor. */
static size_t take_until(const char **at, const char *stop, size_t len_max,
                         char **ret)
{
    size_t len = strcspn(*at, stop);

    len = len < len_max ? len : len_max;
    *ret = strndup(*at, len);
    *at += len;
    return len;
}

static bool take_char(const char **at, char c)
{
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

/* Reads a port; what exceeds its length counts as options, as with QEMU. */
static bool take_port(const char **at, struct gw_address *address)
{
    return take_char(at, ':') &&
           take_until(at, ",", PORT_LEN_MAX, &address->port) > 0;
}

static int parse_host_port(const char **at, struct gw_address *address,
                           struct gw_error **errp)
{
    const char *text = *at;

    if (*text == ':') {
        address->host = strdup("");
        if (!take_port(at, address)) {
            return gw_error_set(errp, -EINVAL,
                                "error parsing port in address '%s'", text);
        }
    } else if (take_char(at, '[')) {
        if (!take_until(at, "]", HOST_LEN_MAX, &address->host) ||
            !take_char(at, ']') || !take_port(at, address)) {
            return gw_error_set(errp, -EINVAL,
                                "error parsing IPv6 address '%s'", text);
        }
    } else if (!take_until(at, ":", HOST_LEN_MAX, &address->host) ||
               !take_port(at, address)) {
        return gw_error_set(errp, -EINVAL, "error parsing address '%s'", text);
    }
    return address->host && address->port ? 0 : -ENOMEM;
}

/* ",to=PORT": the last port that a listener tries. */
static int parse_to(const char *options, struct gw_address *address,
                    struct gw_error **errp)
{
    const char *value = strstr(options, ",to=");
    char *end;
    long to;

    if (!value) {
        return 0;
    }
    value += strlen(",to=");
    errno = 0;
    to = strtol(value, &end, 10);
    if (end == value || (*end && *end != ',') || errno || to < 0 ||
        to > UINT16_MAX) {
        return gw_error_set(errp, -EINVAL, "error parsing to= argument");
    }
    address->to = (uint16_t)to;
    return 0;
}

/* ",name", ",name=on" or ",name=off". */
static int parse_flag(const char *options, const char *name,
                      enum gw_on_off_auto *flag, struct gw_error **errp)
{
    const char *at = options;
    size_t len;

    do {
        at = strchr(at, ',');
        if (!at) {
            return 0;
        }
        at++;
    } while (strncmp(at, name, strlen(name)) != 0);
    at += strlen(name);
    len = strcspn(at, ",");
    if (strncmp(at + len, ",,", 2) == 0) {
        len = SIZE_MAX; /* two commas in a row: no value is good */
    }
    if (len == 0 || (len == 3 && strncmp(at, "=on", len) == 0)) {
        *flag = GW_ON;
        return 0;
    }
    if (len == 4 && strncmp(at, "=off", len) == 0) {
        *flag = GW_OFF;
        return 0;
    }
    return gw_error_set(errp, -EINVAL, "error parsing '%s' flag '%s'", name,
                        at);
}

int gw_address_parse_inet(struct gw_address *address, const char *text,
                          struct gw_error **errp)
{
    const struct {
        const char *name;
        enum gw_on_off_auto *flag;
    } flags[] = {
        {"ipv4", &address->ipv4},
        {"ipv6", &address->ipv6},
        {"keep-alive", &address->keep_alive},
        {"mptcp", &address->mptcp},
    };
    size_t i;
    int r;

    r = parse_host_port(&text, address, errp);
    if (r < 0) {
        return r;
    }
    r = parse_to(text, address, errp);
    for (i = 0; r >= 0 && i < sizeof(flags) / sizeof(flags[0]); i++) {
        r = parse_flag(text, flags[i].name, flags[i].flag, errp);
    }
    return r;
}

int gw_address_parse_vsock(struct gw_address *address, const char *text,
                           struct gw_error **errp)
{
    const char *at = text;

    if (!take_until(&at, ":", HOST_LEN_MAX, &address->host) ||
        !take_port(&at, address)) {
        return gw_error_set(errp, -EINVAL, "error parsing address '%s'", text);
    }
    if (*at) {
        return gw_error_set(errp, -EINVAL,
                            "trailing characters in address '%s'", text);
    }
    return address->host && address->port ? 0 : -ENOMEM;
}
