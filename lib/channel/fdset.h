/*
 * Opening /dev/fdset/N: which descriptors of a set serve a migration.
 *
 * A set is searched for a descriptor with the access that one direction needs
 * and with or without O_DIRECT: first for that access alone, as QEMU does,
 * then for read-write; the newest one first. What is found is duplicated, and
 * never changed: a duplicate shares flags and position with the descriptor of
 * whoever handed it over.
 *
 * The duplicates keep the set in being, visible without descriptors, after
 * its own were removed.
 */
#ifndef GW_CHANNEL_FDSET_H
#define GW_CHANNEL_FDSET_H

#include <stdbool.h>

#include <godwit/fdset.h>

struct gw_fdset;

/* Duplicates of a set's descriptors, and the hold on the set. */
struct gw_fdset_use {
    struct gw_fdsets *fdsets; /* one reference; NULL: in no use */
    struct gw_fdset *set;     /* of which this is one user */
    int fd;                   /* for all but pages; owned */
    int page_fd;              /* the same file with O_DIRECT, or -1; owned */
};

/* The path is that of a set, whatever comes after /dev/fdset/. */
bool gw_fdset_is_path(const char *path);

/*
 * Finds the set that a path names and takes what is needed out of it: one
 * descriptor, with `direct` two of the same file. Regular files and block
 * devices only; outgoing: none with O_APPEND. Nothing is written and no
 * position moved; `offset`, where the stream starts, is for texts of errors.
 * `fdsets` may be NULL: there are none then.
 */
int gw_fdset_use_begin(struct gw_fdsets *fdsets, const char *path,
                       uint64_t offset, bool outgoing, bool direct,
                       struct gw_fdset_use *ret_use, struct gw_error **errp)
    GW_MUST_CHECK;

/* Closes what was not moved out (-1), and lets go of the set. */
void gw_fdset_use_end(struct gw_fdset_use *use);

#endif
