/*
 * mapped-ram (stream spec 4.1, 4.3): the header that follows a block's table
 * entry, and the arithmetic of where its bitmap and pages lie in the file.
 */
#ifndef GW_WIRE_MAPPED_H
#define GW_WIRE_MAPPED_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"

#define GW_MAPPED_HEADER_SIZE 28u
#define GW_MAPPED_VERSION 1u
/* Where QEMU starts page areas, of the absolute offset. */
#define GW_MAPPED_PAGES_ALIGNMENT 0x100000u

struct gw_mapped_header {
    uint32_t version;       /* GW_MAPPED_VERSION */
    uint64_t page_size;     /* bytes of a target page */
    uint64_t bitmap_offset; /* absolute, bytes */
    uint64_t pages_offset;  /* absolute, bytes, a multiple of the page size */
};

/* Where the parts of one block lie; offsets are absolute, in bytes. */
struct gw_mapped_layout {
    uint64_t bitmap_offset;
    uint64_t bitmap_size; /* bytes, whole 64-bit words */
    uint64_t pages_offset;
    uint64_t next; /* behind the pages: where the stream goes on */
};

/*
 * -ENOTSUP: a version other than 1. (QEMU takes 0 as well, which nobody has
 * ever written.) -EBADMSG: pages of another size, or a page area that is not
 * page aligned.
 */
int gw_mapped_header_decode(struct gw_reader *r, struct gw_mapped_header *ret,
                            struct gw_wire_fault *fault);
void gw_mapped_header_encode(struct gw_writer *w,
                             const struct gw_mapped_header *header);

/* Bytes of the bitmap of so many pages: whole 64-bit words. */
static inline uint64_t gw_mapped_bitmap_size(uint64_t n_pages)
{
    return (n_pages / 64 + (n_pages % 64 != 0)) * 8;
}

/*
 * The layout of a new block whose header ends at `pos`: bitmap at once
 * behind it, pages at the next multiple of `alignment` (a power of two, at
 * least the page size). -EOVERFLOW if that leaves the range of file offsets.
 */
int gw_mapped_layout_plan(uint64_t pos, uint64_t used_length,
                          uint64_t alignment, struct gw_mapped_layout *ret);

/*
 * The layout that a decoded header gives a block of `used_length` bytes
 * whose header ends at `pos`, in a file of `file_size` bytes (0: not known).
 * The bitmap must lie behind the header, the pages behind the bitmap, and
 * all of it within the file; so no two areas of a file can overlap.
 * -EBADMSG otherwise.
 */
int gw_mapped_layout_check(const struct gw_mapped_header *header, uint64_t pos,
                           uint64_t used_length, uint64_t file_size,
                           struct gw_mapped_layout *ret,
                           struct gw_wire_fault *fault);

#endif
