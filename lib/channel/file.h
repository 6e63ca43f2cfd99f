/*
 * File channels.
 *
 * A save to a path is atomic: it goes to an unnamed file beside it, which is
 * flushed and takes the name at the end. What cannot be replaced (a device, a
 * part of an existing file behind an offset) is written in place and made
 * valid last.
 */
#ifndef GW_CHANNEL_FILE_H
#define GW_CHANNEL_FILE_H

#include "channel/channel.h"

/*
 * Opens a path to write a stream that starts at `offset`; with `direct`, and a
 * page_fd. What cannot do that is refused before anything is written.
 */
int gw_file_open_outgoing(const char *path, uint64_t offset, bool direct,
                          struct gw_channel **ret_channel,
                          struct gw_error **errp);

/* Opens a path to read a stream that starts at `offset`; `direct` as above. */
int gw_file_open_incoming(const char *path, uint64_t offset, bool direct,
                          struct gw_channel **ret_channel,
                          struct gw_error **errp);

/* The error of a target that cannot be made; returns `code`. */
int gw_file_cannot_create(const char *path, int code, struct gw_error **errp);

#endif
