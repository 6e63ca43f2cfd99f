/*
 * Sets of descriptors that stand for files: /dev/fdset/N in an address.
 *
 * For a program that may not open files itself, or whose manager keeps them
 * open: whoever may open a file hands over descriptors of it, one per kind of
 * access, and a migration to or from `file:/dev/fdset/N` takes duplicates of
 * those that it needs. QMP's add-fd, remove-fd and query-fdsets act on the
 * sets of a control object (gw_control_get_fdsets).
 *
 * For direct I/O a set holds two descriptors of one file, exactly one of them
 * opened with O_DIRECT: that one moves the pages, the other all else. Of a
 * set with one descriptor, without O_DIRECT, the file is opened anew.
 *
 * Any thread may call any of these functions at any time.
 */
#ifndef GW_GODWIT_FDSET_H
#define GW_GODWIT_FDSET_H

#include <godwit/error.h>
#include <stddef.h>
#include <stdint.h>

GW_BEGIN_DECLS

/* A number of sets, told apart by their ids. */
struct gw_fdsets;

/* No sets yet. NULL if memory is short. Since 0.1. */
GW_API struct gw_fdsets *gw_fdsets_new(void);

/*
 * Closes the descriptors. Migrations that use some of them have duplicates
 * and go on. Accepts NULL, returns NULL. Since 0.1.
 */
GW_API struct gw_fdsets *gw_fdsets_free(struct gw_fdsets *fdsets);

/*
 * Adds a descriptor, which is adopted on success, to the set `id`, which is
 * made if there is none; id -1 makes a set with the lowest id that is free.
 * `opaque` is a text for gw_fdsets_query, copied, or NULL. ret_id and ret_fd
 * (each may be NULL) are told the set and the number that gw_fdsets_remove
 * knows the descriptor by. -EINVAL: id below -1, or fd is not open.
 * Since 0.1.
 */
GW_API int gw_fdsets_add(struct gw_fdsets *fdsets, int64_t id, int fd,
                         const char *opaque, int64_t *ret_id, int *ret_fd,
                         struct gw_error **errp) GW_MUST_CHECK;

/*
 * Closes one descriptor of a set, or all (fd -1). The set goes with the last
 * of them, or, if migrations use it, when they have ended. -ENOENT: no such
 * set, or no such descriptor in it. Since 0.1.
 */
GW_API int gw_fdsets_remove(struct gw_fdsets *fdsets, int64_t id, int fd,
                            struct gw_error **errp);

/* One descriptor of a set. */
struct gw_fdsets_entry {
    int64_t id;   /* of the set */
    int fd;       /* -1: the set is empty, and still used by a migration */
    char *opaque; /* as it was added, or NULL; owned by the list */
};

/*
 * A list of all sets as they are now: higher ids first, the descriptors of a
 * set in the order they were added. The list is freed by
 * gw_fdsets_entries_free. -ENOMEM. Since 0.1.
 */
GW_API int gw_fdsets_query(struct gw_fdsets *fdsets,
                           struct gw_fdsets_entry **ret_entries,
                           size_t *ret_n_entries, struct gw_error **errp)
    GW_MUST_CHECK;

/* Frees a list; accepts NULL. Since 0.1. */
GW_API void gw_fdsets_entries_free(struct gw_fdsets_entry *entries,
                                   size_t n_entries);

GW_END_DECLS

#endif
