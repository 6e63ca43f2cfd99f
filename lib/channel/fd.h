/*
 * Channels over a descriptor that somebody handed over.
 */
#ifndef GW_CHANNEL_FD_H
#define GW_CHANNEL_FD_H

#include "channel/channel.h"

/*
 * A channel over fd, which it takes on success. Regular files and block
 * devices become seekable channels that start at the descriptor's position;
 * nothing else can do `direct` I/O. A refusal leaves a file as it was.
 */
int gw_fd_channel_open(int fd, bool outgoing, bool direct,
                       struct gw_channel **ret_channel, struct gw_error **errp);

/* -EBADF unless the descriptor is open, and for the direction's access. */
int gw_fd_check_mode(int fd, bool outgoing, struct gw_error **errp);

/* -EINVAL if a file is open with O_APPEND: no write would go to its place. */
int gw_fd_check_append(int fd, struct gw_error **errp);

/* The error of a descriptor that is no file, where direct I/O is wanted. */
int gw_fd_not_direct(int fd, struct gw_error **errp);

#endif
