/*
 * Sets of descriptors, the inside: what searching a set needs of it.
 */
#ifndef GW_CHANNEL_FDSET_SET_H
#define GW_CHANNEL_FDSET_SET_H

#include <pthread.h>
#include <stddef.h>

#include <godwit/fdset.h>

/* A descriptor in a set. */
struct gw_fdset_member {
    int fd;       /* owned */
    char *opaque; /* owned, or NULL */
};

/* Guarded by the lock of its gw_fdsets. */
struct gw_fdset {
    struct gw_fdset *next; /* one with a lower id */
    int64_t id;
    struct gw_fdset_member *members; /* in the order they were added */
    size_t n_members;                /* of them */
    unsigned int n_users;            /* holds by gw_fdset_use */
};

struct gw_fdsets {
    pthread_mutex_t lock;   /* guards all of it */
    struct gw_fdset *first; /* the one with the highest id */
    unsigned int n_refs;    /* the owner, and each gw_fdset_use */
};

/* The set of that id, or NULL; the lock is held. */
struct gw_fdset *gw_fdsets_find_locked(struct gw_fdsets *fdsets, int64_t id);

/* One user more; the lock is held. */
void gw_fdset_hold_locked(struct gw_fdsets *fdsets, struct gw_fdset *set);

/* One user less: the set goes if it is empty, and all if nobody is left. */
void gw_fdset_release(struct gw_fdsets *fdsets, struct gw_fdset *set);

#endif
