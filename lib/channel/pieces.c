/*
 * Bytes in several pieces.
 */
#include "channel/pieces.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/util.h"

struct gw_pieces gw_pieces_of(struct iovec *iov, const void *data, size_t size)
{
    *iov = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    return (struct gw_pieces){.iov = iov, .n = size > 0};
}

size_t gw_pieces_size(const struct gw_pieces *pieces)
{
    size_t size = 0;
    size_t i;

    for (i = 0; i < pieces->n; i++) {
        size += pieces->iov[i].iov_len;
    }
    return size;
}

int gw_pieces_per_call(const struct gw_pieces *pieces)
{
    return (int)gw_min_u64(pieces->n, IOV_MAX);
}

void gw_pieces_skip(struct gw_pieces *pieces, size_t size)
{
    size_t n;

    for (; size > 0; size -= n) {
        assert(pieces->n > 0);
        n = gw_min_u64(size, pieces->iov->iov_len);
        pieces->iov->iov_base = (uint8_t *)pieces->iov->iov_base + n;
        pieces->iov->iov_len -= n;
        if (pieces->iov->iov_len == 0) {
            pieces->iov++;
            pieces->n--;
        }
    }
}

void gw_pieces_take(struct gw_pieces *pieces, void *data, size_t size)
{
    uint8_t *to = data;
    size_t n;

    for (; size > 0; size -= n) {
        assert(pieces->n > 0);
        n = gw_min_u64(size, pieces->iov->iov_len);
        memcpy(to, pieces->iov->iov_base, n);
        gw_pieces_skip(pieces, n);
        to += n;
    }
}
