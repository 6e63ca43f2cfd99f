/*
 * Could an address be opened for writing? Asked before a migration: nothing
 * is created, written, cut off or taken, and no position is moved.
 */
#ifndef GW_CHANNEL_PROBE_H
#define GW_CHANNEL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/address.h>
#include <godwit/error.h>
#include <godwit/fdset.h>

/* What is known of a target that could be opened. */
struct gw_probe {
    bool is_seekable;    /* a regular file or a block device */
    bool is_fixed;       /* a block device: no holes, does not grow */
    uint64_t free_bytes; /* that can be written; UINT64_MAX: not known */
};

/*
 * Probes a file:, a set of descriptors (`fdsets` may be NULL), or, for an
 * address of transport fd, the descriptor `fd` (lent). With `direct`, also
 * whether O_DIRECT works there, as far as it can be seen without a file. The
 * errors are those of the opening itself; -ENOTSUP for other transports.
 */
int gw_channel_probe(const struct gw_address *address, struct gw_fdsets *fdsets,
                     int fd, bool direct, struct gw_probe *ret_probe,
                     struct gw_error **errp) GW_MUST_CHECK;

#endif
