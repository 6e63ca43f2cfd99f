/*
 * Bytes that lie in several places, one piece after the other, and what is
 * left of them while they are moved.
 */
#ifndef GW_CHANNEL_PIECES_H
#define GW_CHANNEL_PIECES_H

#include <stddef.h>
#include <sys/uio.h>

struct gw_pieces {
    /* those that are left, none of them empty; borrowed, and changed */
    struct iovec *iov;
    size_t n;
};

/* Memory in one place, as a piece that the caller has room for. */
struct gw_pieces gw_pieces_of(struct iovec *iov, const void *data, size_t size);

/* Bytes in all. */
size_t gw_pieces_size(const struct gw_pieces *pieces);

/* How many of them one system call takes. */
int gw_pieces_per_call(const struct gw_pieces *pieces);

/* Takes bytes off the front, which were moved; so many there must be. */
void gw_pieces_skip(struct gw_pieces *pieces, size_t size);

/* The same, and copies them. */
void gw_pieces_take(struct gw_pieces *pieces, void *data, size_t size);

#endif
