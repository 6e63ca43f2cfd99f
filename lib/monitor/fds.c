/*
 * Descriptors by name.
 */
#include "monitor/fds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gw_named_fd {
    struct gw_named_fd *next; /* an older one */
    char *name;               /* owned */
    int fd;                   /* owned */
};

int gw_fds_take(struct gw_fds *fds, const char *name)
{
    struct gw_named_fd **at;

    for (at = &fds->first; *at; at = &(*at)->next) {
        struct gw_named_fd *found = *at;

        if (strcmp(found->name, name) == 0) {
            int fd = found->fd;

            *at = found->next;
            free(found->name);
            free(found);
            return fd;
        }
    }
    return -1;
}

int gw_fds_find(const struct gw_fds *fds, const char *name)
{
    const struct gw_named_fd *each;

    for (each = fds->first; each; each = each->next) {
        if (strcmp(each->name, name) == 0) {
            return each->fd;
        }
    }
    return -1;
}

int gw_fds_adopt(struct gw_fds *fds, const char *name, int fd)
{
    struct gw_named_fd *added = malloc(sizeof(*added));
    char *copy = strdup(name);
    int old;

    if (!added || !copy) {
        free(added);
        free(copy);
        return -ENOMEM;
    }
    old = gw_fds_take(fds, name);
    if (old >= 0) {
        close(old);
    }
    *added = (struct gw_named_fd){.next = fds->first, .name = copy, .fd = fd};
    fds->first = added;
    return 0;
}

void gw_fds_deinit(struct gw_fds *fds)
{
    while (fds->first) {
        close(gw_fds_take(fds, fds->first->name));
    }
}
