/*
 * Which transport an address is opened by.
 */
#include "channel/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "channel/fd.h"
#include "channel/fdset.h"
#include "channel/fdset_channel.h"
#include "channel/file.h"

int gw_channel_not_supported(const struct gw_address *address,
                             struct gw_error **errp)
{
    return gw_error_set(errp, -ENOTSUP,
                        "migration over '%s' is not supported yet",
                        gw_transport_name(address->transport));
}

/* A descriptor by name, or (incoming only, as QEMU) by number. */
static int take_fd(const struct gw_address *address,
                   const struct gw_migration_options *options,
                   bool allow_number, struct gw_error **errp)
{
    const char *name = address->fd_name;
    int fd = -1;
    char *end;
    long number;

    if (options && options->take_fd) {
        fd = options->take_fd(options->opaque, name);
    }
    if (fd < 0 && allow_number && name[0] >= '0' && name[0] <= '9') {
        number = strtol(name, &end, 10);
        if (*end == '\0' && number >= 0 && number <= INT32_MAX) {
            fd = (int)number;
        }
    }
    if (fd < 0) {
        return gw_error_set(errp, -ENOENT,
                            "File descriptor named '%s' has not been found",
                            name);
    }
    return fd;
}

static int open_fd(const struct gw_address *address,
                   const struct gw_migration_options *options, bool outgoing,
                   bool direct, struct gw_channel **ret_channel,
                   struct gw_error **errp)
{
    bool numbers = !outgoing || !options || !options->take_fd;
    GW_AUTO_FD int fd = take_fd(address, options, numbers, errp);
    int r;

    if (fd < 0) {
        return fd;
    }
    r = gw_fd_channel_open(fd, outgoing, direct, ret_channel, errp);
    if (r == 0) {
        gw_take_fd(&fd);
    }
    return r;
}

static int open_file(const struct gw_address *address,
                     const struct gw_migration_options *options, bool outgoing,
                     bool direct, struct gw_channel **ret_channel,
                     struct gw_error **errp)
{
    if (gw_fdset_is_path(address->path)) {
        return gw_fdset_channel_open(options ? options->fdsets : NULL,
                                     address->path, address->offset, outgoing,
                                     direct, ret_channel, errp);
    }
    return outgoing ? gw_file_open_outgoing(address->path, address->offset,
                                            direct, ret_channel, errp)
                    : gw_file_open_incoming(address->path, address->offset,
                                            direct, ret_channel, errp);
}

static int open_address(const struct gw_address *address,
                        const struct gw_migration_options *options,
                        bool outgoing, bool direct,
                        struct gw_channel **ret_channel, struct gw_error **errp)
{
    switch (address->transport) {
    case GW_TRANSPORT_FILE:
        return open_file(address, options, outgoing, direct, ret_channel, errp);
    case GW_TRANSPORT_FD:
        return open_fd(address, options, outgoing, direct, ret_channel, errp);
    default:
        return gw_channel_not_supported(address, errp);
    }
}

int gw_channel_open_outgoing(const struct gw_address *address,
                             const struct gw_migration_options *options,
                             bool direct, struct gw_channel **ret_channel,
                             struct gw_error **errp)
{
    return open_address(address, options, true, direct, ret_channel, errp);
}

int gw_channel_open_incoming(const struct gw_address *address,
                             const struct gw_migration_options *options,
                             bool direct, struct gw_channel **ret_channel,
                             struct gw_error **errp)
{
    return open_address(address, options, false, direct, ret_channel, errp);
}
