/*
 * Direct I/O: a second open file description with O_DIRECT for the pages,
 * beside the buffered one for everything else.
 *
 * All checks are made before anything is written: a file system or device
 * without O_DIRECT, or one that asks for a larger alignment than a page, is
 * refused.
 */
#ifndef GW_CHANNEL_DIRECT_H
#define GW_CHANNEL_DIRECT_H

#include <stdbool.h>

#include <godwit/error.h>

/*
 * Opens the file behind `fd` anew, with O_DIRECT and the access that one
 * direction needs (outgoing: write only). `fd` may have no name any more; its
 * own flags and position stay as they are. Owned by the caller; a negative
 * errno with an error that says why it cannot be.
 */
int gw_direct_reopen(int fd, bool outgoing, struct gw_error **errp);

/*
 * Checks that pages can be moved through an O_DIRECT descriptor, whose
 * alignment may not be larger than a page.
 */
int gw_direct_check(int fd, struct gw_error **errp) GW_MUST_CHECK;

/* The descriptor is open with O_DIRECT. */
bool gw_direct_is_on(int fd);

#endif
