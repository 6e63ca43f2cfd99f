/*
 * Descriptors by name, as handed over with getfd.
 */
#ifndef GW_MONITOR_FDS_H
#define GW_MONITOR_FDS_H

#include <stdbool.h>

struct gw_named_fd;

struct gw_fds {
    struct gw_named_fd *first; /* the latest one; owned */
};

/* Adopts fd under the name; one of that name before is closed. -ENOMEM. */
int gw_fds_adopt(struct gw_fds *fds, const char *name, int fd);

/* Takes a descriptor out: owned by the caller; -1 if there is none. */
int gw_fds_take(struct gw_fds *fds, const char *name);

/* Lends a descriptor: it stays; -1 if there is none. */
int gw_fds_find(const struct gw_fds *fds, const char *name);

/* Closes all. */
void gw_fds_deinit(struct gw_fds *fds);

#endif
