/*
 * Walks a migration stream from its header to its end and hands each part to
 * a handler: an incoming migration loads it, an image indexes or copies it.
 *
 * The reader owns the order of things (stream spec 1): header, configuration,
 * sections with footers, commands, EOF, description. It refuses what is
 * malformed or out of order, so a handler sees only parts that are valid by
 * themselves, and must check them against its machine. Errors name the
 * section and the absolute offset.
 */
#ifndef GW_STREAM_READER_H
#define GW_STREAM_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "channel/input.h"
#include "wire/config.h"
#include "wire/section.h"

struct gw_stream_section {
    enum gw_section_kind kind;
    uint32_t section_id;
    char idstr[GW_STREAM_NAME_SIZE]; /* PART, END: of the START */
    uint32_t instance_id;
    uint32_t version;
    uint64_t offset;      /* of the type byte, absolute */
    uint64_t data_offset; /* of the data, absolute */
    uint64_t data_end;    /* of the footer, absolute; in section_end only */
};

/* One entry of the RAM section's block table. */
struct gw_stream_block {
    size_t index; /* in the table, from 0 */
    char idstr[GW_STREAM_NAME_SIZE];
    uint64_t used_length;   /* bytes, page aligned */
    uint64_t address;       /* with x-ignore-shared */
    bool mapped;            /* the next three are valid */
    uint64_t bitmap_offset; /* absolute */
    uint64_t bitmap_size;   /* bytes */
    uint64_t pages_offset;  /* absolute */
};

/*
 * Each returns 0 or a negative errno, which ends the walk. Every member is
 * filled.
 */
struct gw_stream_ops {
    int (*config)(void *opaque, const struct gw_stream_config *config,
                  struct gw_error **errp);
    /* Before the data of any section, RAM included. */
    int (*section_begin)(void *opaque, const struct gw_stream_section *section,
                         struct gw_error **errp);
    /*
     * A device's data (FULL, or START/PART/END of one that is not RAM):
     * consumes exactly the section's data.
     */
    int (*device)(void *opaque, const struct gw_stream_section *section,
                  struct gw_input *input, struct gw_error **errp);
    /* After the footer; data_end is set. */
    int (*section_end)(void *opaque, const struct gw_stream_section *section,
                       struct gw_error **errp);
    /*
     * An entry of the block table, checked by itself: lengths aligned, names
     * not twice; mapped: header version, page size, offsets and ranges
     * against the file and each other. For mapped blocks the pages are the
     * handler's to read, here, by gw_input_pread; the reader goes on behind
     * them.
     */
    int (*ram_block)(void *opaque, const struct gw_stream_block *block,
                     struct gw_input *input, struct gw_error **errp);
    /* The table is complete. */
    int (*ram_table_end)(void *opaque, struct gw_error **errp);
    /* A page with data; consumes exactly one page (4096) from the input. */
    int (*ram_page)(void *opaque, const struct gw_stream_block *block,
                    uint64_t offset, struct gw_input *input,
                    struct gw_error **errp);
    /* A page that is all zero. */
    int (*ram_zero)(void *opaque, const struct gw_stream_block *block,
                    uint64_t offset, struct gw_error **errp);
    /* A command of the stream that is allowed in precopy. */
    int (*command)(void *opaque, uint16_t command, const uint8_t *data,
                   uint16_t size, uint64_t offset, struct gw_error **errp);
    /* The EOF byte was read; `offset` is behind it. */
    int (*eof)(void *opaque, uint64_t offset, struct gw_error **errp);
    /*
     * The VM description, complete (len bytes of JSON text, not checked).
     * Not called if there is none.
     */
    int (*description)(void *opaque, const char *json, uint32_t len,
                       uint64_t offset, struct gw_error **errp);
};

struct gw_stream_reader {
    const struct gw_stream_ops *ops;
    void *opaque;
    /* x-ignore-shared was agreed: entries carry an address word. */
    bool ignore_shared;
    /*
     * Started sections need not end. QEMU's background snapshots have no END;
     * but neither has what lost it, so this is for those who only look.
     */
    bool allow_no_end;
};

/*
 * Reads a stream from the input's position to its end. *ret_trailing_bytes
 * is what the channel holds behind the end (files only). On failure the
 * input's position says how far it came.
 */
int gw_stream_read(const struct gw_stream_reader *reader,
                   struct gw_input *input, uint64_t *ret_trailing_bytes,
                   struct gw_error **errp);

/*
 * Reads the bitmap of a mapped block and refuses bits beyond the block. The
 * result has one bit per page, bit k of byte k/8 first, and is malloc'ed.
 */
int gw_stream_read_bitmap(struct gw_input *input,
                          const struct gw_stream_block *block,
                          uint8_t **ret_bitmap, struct gw_error **errp);

#endif
