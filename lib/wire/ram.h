/*
 * Records of the RAM section (stream spec 3.1 to 3.4): a word that is an
 * offset with flags in its low bits, then what the flags say.
 */
#ifndef GW_WIRE_RAM_H
#define GW_WIRE_RAM_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"
#include "wire/name.h"

#define GW_RAM_IDSTR "ram"
#define GW_RAM_VERSION 4u

/* Bytes of a target page, and the bits that its offsets leave for flags. */
#define GW_RAM_PAGE_SIZE 4096u
#define GW_RAM_FLAGS_MASK (GW_RAM_PAGE_SIZE - 1u)

/* Exactly one of these, but for CONTINUE, which joins page records. */
#define GW_RAM_FLAG_FULL 0x001u     /* obsolete */
#define GW_RAM_FLAG_ZERO 0x002u     /* a page that is all zero */
#define GW_RAM_FLAG_MEM_SIZE 0x004u /* the block table */
#define GW_RAM_FLAG_PAGE 0x008u     /* a page's contents */
#define GW_RAM_FLAG_EOS 0x010u      /* end of this section's data */
#define GW_RAM_FLAG_CONTINUE 0x020u /* the block of the record before */
#define GW_RAM_FLAG_XBZRLE 0x040u   /* a delta to the page's contents */
#define GW_RAM_FLAG_HOOK 0x080u     /* RDMA control */
#define GW_RAM_FLAG_COMPRESS 0x100u /* removed in QEMU 9.1 */
#define GW_RAM_FLAG_MULTIFD_FLUSH 0x200u

enum gw_ram_record_kind {
    GW_RAM_RECORD_ZERO = GW_RAM_FLAG_ZERO,
    GW_RAM_RECORD_MEM_SIZE = GW_RAM_FLAG_MEM_SIZE,
    GW_RAM_RECORD_PAGE = GW_RAM_FLAG_PAGE,
    GW_RAM_RECORD_EOS = GW_RAM_FLAG_EOS,
    GW_RAM_RECORD_MULTIFD_FLUSH = GW_RAM_FLAG_MULTIFD_FLUSH,
};

/* A word, a name, the byte of a zero page. */
#define GW_RAM_RECORD_MAX (8u + GW_STREAM_NAME_SIZE + 1u)
/* A name, length, page size, address. */
#define GW_RAM_BLOCK_ENTRY_MAX (GW_STREAM_NAME_SIZE + 3u * 8u)

struct gw_ram_record {
    enum gw_ram_record_kind kind;
    bool same_block; /* ZERO, PAGE: CONTINUE is set, no name */
    /* ZERO, PAGE: offset within the block. MEM_SIZE: total of lengths. */
    uint64_t offset;
    char idstr[GW_STREAM_NAME_SIZE]; /* ZERO, PAGE without CONTINUE */
};

/* Optional words of a block table entry, which nothing in it tells. */
struct gw_ram_block_layout {
    bool page_size; /* postcopy, and the block has huge pages */
    bool address;   /* x-ignore-shared */
};

struct gw_ram_block_entry {
    char idstr[GW_STREAM_NAME_SIZE]; /* not empty */
    uint64_t used_length;            /* bytes, a multiple of the page size */
    uint64_t page_size;              /* of the host, bytes; 0 if not sent */
    uint64_t address;                /* 0 if not sent */
};

/* "zero page", "block table", ... */
const char *gw_ram_record_name(enum gw_ram_record_kind kind);

/*
 * Decodes a record up to, and not including, a PAGE's contents or the
 * MEM_SIZE's entries. -ENOTSUP: XBZRLE, RDMA and compressed pages, by name.
 * -EBADMSG: other flags, a zero page's byte that is not zero, an empty name.
 * EOS and MULTIFD_FLUSH ignore the offset and CONTINUE.
 */
int gw_ram_record_decode(struct gw_reader *r, struct gw_ram_record *ret,
                         struct gw_wire_fault *fault);
void gw_ram_record_encode(struct gw_writer *w,
                          const struct gw_ram_record *record);

/*
 * The reader stands at the contents of the page at `offset`: how many pages
 * come one after the other, as the bytes at hand tell. That is this page, and
 * each after it that continues the block and whose record is there; its
 * contents need not be.
 */
uint64_t gw_ram_count_run(const struct gw_reader *r, uint64_t offset);

/*
 * One entry of the block table; a mapped header that may follow is not part
 * of it. -EBADMSG: an empty name, a length that is not whole pages.
 */
int gw_ram_block_entry_decode(struct gw_reader *r,
                              const struct gw_ram_block_layout *layout,
                              struct gw_ram_block_entry *ret,
                              struct gw_wire_fault *fault);
void gw_ram_block_entry_encode(struct gw_writer *w,
                               const struct gw_ram_block_layout *layout,
                               const struct gw_ram_block_entry *entry);

#endif
