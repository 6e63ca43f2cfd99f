/*
 * The reader's insides, shared by its files: reader.c walks the stream,
 * section_reader.c its sections, ram_reader.c the data of RAM sections.
 */
#ifndef GW_STREAM_WALK_H
#define GW_STREAM_WALK_H

#include "stream/reader.h"
#include "wire/fault.h"

/* Limits of ours, far beyond any machine. */
#define GW_STREAM_SECTIONS_MAX 16384u
#define GW_STREAM_BLOCKS_MAX 4096u

/* What a START or FULL has announced. */
struct known_section {
    struct gw_stream_section section; /* of the START or FULL */
    bool ended;                       /* FULL, or its END was read */
};

struct gw_stream_walk {
    /* the caller's; constant */
    const struct gw_stream_ops *ops;
    void *opaque;
    struct gw_input *input;

    /* from the configuration */
    bool mapped;        /* mapped-ram */
    bool ignore_shared; /* entries of the table have an address */

    bool allow_no_end; /* of the caller; constant */

    /* owned array */
    struct known_section *sections;
    size_t n_sections;

    /* the block table: owned array */
    struct gw_stream_block *blocks;
    size_t n_blocks;
    bool has_table;
    /* the block of the last page record; NULL: none yet */
    const struct gw_stream_block *block;
};

/* A decoder of lib/wire with its result as a plain pointer. */
typedef int (*gw_stream_decode_fn)(struct gw_reader *r, void *ret,
                                   struct gw_wire_fault *fault);

/*
 * Decodes from the input what has at least `min` bytes, and consumes it.
 * Never asks the channel for a byte more than needed: on a socket the peer
 * may wait for us before it sends another. `what` names the thing in errors.
 */
int gw_stream_decode(struct gw_input *input, const char *what, size_t min,
                     gw_stream_decode_fn decode, void *ret,
                     struct gw_error **errp);

/* Reads the section whose type byte is next. */
int gw_stream_read_section(struct gw_stream_walk *walk, struct gw_error **errp);

/* Fails if a section was started and not ended, unless that is allowed. */
int gw_stream_check_ended(struct gw_stream_walk *walk, struct gw_error **errp);

/* Reads the data of a RAM section, its end record included. */
int gw_stream_read_ram(struct gw_stream_walk *walk,
                       const struct gw_stream_section *section,
                       struct gw_error **errp);

#endif
