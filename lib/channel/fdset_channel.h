/*
 * Channels over the descriptors of a set.
 */
#ifndef GW_CHANNEL_FDSET_CHANNEL_H
#define GW_CHANNEL_FDSET_CHANNEL_H

#include "channel/channel.h"

/*
 * Opens a path of the form /dev/fdset/N for a stream that starts at `offset`.
 * A save is made where the file is, and valid last; what is before the offset
 * stays. Afterwards the position is the end of the stream.
 */
int gw_fdset_channel_open(struct gw_fdsets *fdsets, const char *path,
                          uint64_t offset, bool outgoing, bool direct,
                          struct gw_channel **ret_channel,
                          struct gw_error **errp);

#endif
