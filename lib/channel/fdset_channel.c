/*
 * Channels over the descriptors of a set: in place, with a hold on the set.
 */
#include "channel/fdset_channel.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "channel/fdset.h"

struct fdset_channel {
    struct gw_channel base;
    /* its descriptors are the channel's */
    struct gw_fdset_use use;
};

static int fdset_finish(struct gw_channel *channel, struct gw_error **errp)
{
    int r = gw_channel_sync(channel, errp);

    return r < 0 ? r : gw_channel_seek_end(channel, errp);
}

static void fdset_close(struct gw_channel *channel)
{
    struct fdset_channel *fdset = (struct fdset_channel *)channel;

    gw_fdset_use_end(&fdset->use);
}

static const struct gw_channel_ops fdset_ops = {
    .finish = fdset_finish,
    .close = fdset_close,
};

/* Takes the use, and its descriptors, on success. */
static int channel_new(struct gw_fdset_use *use,
                       struct fdset_channel **ret_channel,
                       struct gw_error **errp)
{
    GW_AUTO_FREE struct fdset_channel *channel = calloc(1, sizeof(*channel));
    int r;

    if (!channel) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    r = gw_channel_init(&channel->base, &fdset_ops, "file", use->fd, errp);
    if (r < 0) {
        return r;
    }
    channel->base.page_fd = gw_take_fd(&use->page_fd);
    gw_take_fd(&use->fd);
    channel->use = *use;
    *ret_channel = gw_take(&channel);
    return 0;
}

static int check_offset(uint64_t offset, bool outgoing, struct gw_error **errp)
{
    if (offset <= INT64_MAX) {
        return 0;
    }
    return outgoing
               ? gw_error_set(errp, -EINVAL,
                              "failed to truncate migration file to "
                              "offset %llx: Invalid argument",
                              (unsigned long long)offset)
               : gw_error_set(errp, -EINVAL, "offset %llx is beyond any file",
                              (unsigned long long)offset);
}

static int init_direction(struct gw_channel *channel, uint64_t offset,
                          bool outgoing, struct gw_error **errp)
{
    if (outgoing) {
        return gw_channel_begin_in_place(channel, offset, errp);
    }
    channel->features |= GW_CHANNEL_SEEKABLE;
    channel->start = offset;
    return 0;
}

int gw_fdset_channel_open(struct gw_fdsets *fdsets, const char *path,
                          uint64_t offset, bool outgoing, bool direct,
                          struct gw_channel **ret_channel,
                          struct gw_error **errp)
{
    struct gw_fdset_use use;
    struct fdset_channel *channel = NULL;
    int r = check_offset(offset, outgoing, errp);

    if (r == 0) {
        r = gw_fdset_use_begin(fdsets, path, offset, outgoing, direct, &use,
                               errp);
    }
    if (r < 0) {
        return r;
    }
    r = channel_new(&use, &channel, errp);
    if (r < 0) {
        gw_fdset_use_end(&use);
        return r;
    }
    r = init_direction(&channel->base, offset, outgoing, errp);
    if (r < 0) {
        gw_channel_free(&channel->base);
        return r;
    }
    *ret_channel = &channel->base;
    return 0;
}
