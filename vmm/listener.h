/*
 * A unix socket at a path, on which the machine is waited for.
 *
 * Nothing of it waits. One thread uses it.
 */
#ifndef VMM_LISTENER_H
#define VMM_LISTENER_H

#include <sys/types.h>

#include <godwit/error.h>

struct vmm_listener {
    int fd;
    /* Owned. */
    char *path;
    /* The socket that was made: another may be at its path by now. */
    dev_t device;
    ino_t inode;
};

#define VMM_LISTENER_CLOSED \
    {                       \
        .fd = -1            \
    }

/*
 * Listens at the path; a socket that is left there from an earlier run is
 * replaced, a file is not. `spare` bytes are kept free behind the longest path,
 * for names made from it.
 */
int vmm_listener_open(struct vmm_listener *listener, const char *path,
                      size_t spare, int backlog, struct gw_error **errp)
    GW_MUST_CHECK;

/* The path goes if it is still ours. Accepts one that is closed. */
void vmm_listener_close(struct vmm_listener *listener);

/* The next one who connects, not blocking; or -1. */
int vmm_listener_accept(const struct vmm_listener *listener);

#endif
