/*
 * Stale pages of mapped-ram files: a live save clears the bit of a page that
 * has become zero and leaves its older bytes where they are.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "channel/channel.h"
#include "image/index.h"
#include "ram/zero.h"
#include "wire/mapped_bitmap.h"

#define CHUNK_SIZE (256u * 1024)

/* The part of [begin, end) from the first byte of data on; holes are not. */
static uint64_t next_data(int fd, uint64_t begin, uint64_t end,
                          uint64_t *ret_end)
{
    off_t data = lseek(fd, (off_t)begin, SEEK_DATA);
    off_t hole;

    *ret_end = end;
    if (data < 0) {
        /* ENXIO: no data up to the end. Else holes are not known here. */
        return errno == ENXIO ? end : begin;
    }
    if ((uint64_t)data >= end) {
        return end;
    }
    hole = lseek(fd, data, SEEK_HOLE);
    if (hole > data) {
        *ret_end = gw_min_u64((uint64_t)hole, end);
    }
    return (uint64_t)data;
}

/* Counts the pages of [begin, end), page aligned, that are not zero. */
static int count_in(struct gw_channel *channel, uint8_t *chunk, uint64_t begin,
                    uint64_t end, uint64_t *count, struct gw_error **errp)
{
    ssize_t got;
    size_t want;
    size_t at;

    for (; begin < end; begin += want) {
        want = gw_min_u64(CHUNK_SIZE, end - begin);
        got = gw_channel_pread(channel, chunk, want, begin);
        if (got < 0 || (size_t)got < want) {
            return gw_error_set(errp, got < 0 ? (int)got : -ENODATA,
                                "cannot read %zu bytes at offset 0x%" PRIx64,
                                want, begin);
        }
        for (at = 0; at < want; at += GW_RAM_PAGE_SIZE) {
            *count += !gw_page_is_zero(chunk + at);
        }
    }
    return 0;
}

/* The same with holes left out. */
static int count_data(struct gw_channel *channel, uint8_t *chunk,
                      uint64_t begin, uint64_t end, uint64_t *count,
                      struct gw_error **errp)
{
    uint64_t first = begin;
    uint64_t data_end;
    uint64_t data;
    int rc;

    while (begin < end) {
        data = next_data(channel->fd, begin, end, &data_end);
        if (data >= end) {
            break;
        }
        /* Whole pages around the data, none of them twice. */
        data = gw_max_u64(begin, data - (data - first) % GW_RAM_PAGE_SIZE);
        data_end = first + gw_align_up(data_end - first, GW_RAM_PAGE_SIZE);
        data_end = gw_min_u64(data_end, end);
        rc = count_in(channel, chunk, data, data_end, count, errp);
        if (rc) {
            return rc;
        }
        begin = data_end;
    }
    return 0;
}

int gw_image_count_stale(struct gw_channel *channel,
                         const struct gw_page_map *pages, uint64_t *ret_count,
                         struct gw_error **errp)
{
    GW_AUTO_FREE uint8_t *chunk = aligned_alloc(GW_RAM_PAGE_SIZE, CHUNK_SIZE);
    uint64_t count = 0;
    uint64_t first = 0;
    uint64_t end;
    int rc;

    if (!chunk) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    while (first < pages->n_pages) {
        first =
            gw_mapped_bitmap_find(pages->bitmap, pages->n_pages, first, false);
        end = gw_mapped_bitmap_find(pages->bitmap, pages->n_pages, first, true);
        rc = count_data(
            channel, chunk, pages->pages_offset + first * GW_RAM_PAGE_SIZE,
            pages->pages_offset + end * GW_RAM_PAGE_SIZE, &count, errp);
        if (rc) {
            return rc;
        }
        first = end;
    }
    *ret_count = count;
    return 0;
}
