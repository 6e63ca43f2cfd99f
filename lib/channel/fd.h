/*
 * Channels over a descriptor that somebody handed over.
 */
#ifndef GW_CHANNEL_FD_H
#define GW_CHANNEL_FD_H

#include "channel/channel.h"

/*
 * A channel over fd, which it takes on success. Regular files become seekable
 * channels that start at the descriptor's position.
 */
int gw_fd_channel_open(int fd, bool outgoing, struct gw_channel **ret_channel,
                       struct gw_error **errp);

#endif
