/*
 * Addresses as URIs again, for messages and for `info migrate`.
 */
#include <godwit/address.h>

#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"

static void put_flag(struct gw_buffer *out, const char *name,
                     enum gw_on_off_auto flag)
{
    if (flag != GW_AUTO) {
        gw_buffer_printf(out, ",%s=%s", name, flag == GW_ON ? "on" : "off");
    }
}

static void put_inet(struct gw_buffer *out, const struct gw_address *address)
{
    /* What would end the host, or begin one in brackets, needs them. */
    bool needs_brackets = strchr(address->host, ':') || *address->host == '[';

    gw_buffer_printf(out, needs_brackets ? "[%s]:%s" : "%s:%s", address->host,
                     address->port);
    if (address->to) {
        gw_buffer_printf(out, ",to=%u", address->to);
    }
    put_flag(out, "ipv4", address->ipv4);
    put_flag(out, "ipv6", address->ipv6);
    put_flag(out, "keep-alive", address->keep_alive);
    put_flag(out, "mptcp", address->mptcp);
}

/* One word of a shell command. */
static void put_quoted(struct gw_buffer *out, const char *text)
{
    gw_buffer_put_u8(out, '\'');
    for (; *text; text++) {
        if (*text == '\'') {
            gw_buffer_printf(out, "'\\''");
        } else {
            gw_buffer_put_u8(out, (uint8_t)*text);
        }
    }
    gw_buffer_put_u8(out, '\'');
}

static void put_exec(struct gw_buffer *out, char *const *args)
{
    size_t i;

    if (args[0] && args[1] && args[2] && !args[3] &&
        strcmp(args[0], "/bin/sh") == 0 && strcmp(args[1], "-c") == 0) {
        gw_buffer_printf(out, "%s", args[2]);
        return;
    }
    for (i = 0; args[i]; i++) {
        if (i) {
            gw_buffer_put_u8(out, ' ');
        }
        put_quoted(out, args[i]);
    }
}

char *gw_address_to_uri(const struct gw_address *address)
{
    struct gw_buffer out = {0};

    gw_buffer_printf(&out, "%s:", gw_transport_name(address->transport));
    switch (address->transport) {
    case GW_TRANSPORT_FILE:
        gw_buffer_printf(&out, "%s", address->path);
        if (address->offset) {
            gw_buffer_printf(&out, ",offset=%" PRIu64, address->offset);
        }
        break;
    case GW_TRANSPORT_FD:
        gw_buffer_printf(&out, "%s", address->fd_name);
        break;
    case GW_TRANSPORT_UNIX:
        gw_buffer_printf(&out, "%s", address->path);
        break;
    case GW_TRANSPORT_VSOCK:
        gw_buffer_printf(&out, "%s:%s", address->host, address->port);
        break;
    case GW_TRANSPORT_TCP:
    case GW_TRANSPORT_RDMA:
        put_inet(&out, address);
        break;
    case GW_TRANSPORT_EXEC:
        put_exec(&out, address->args);
        break;
    }
    gw_buffer_put_u8(&out, '\0');
    if (!gw_buffer_ok(&out)) {
        gw_buffer_deinit(&out);
        return NULL;
    }
    return (char *)out.data;
}
