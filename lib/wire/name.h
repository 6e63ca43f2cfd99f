/*
 * Counted names: a length byte and so many bytes, no terminator (`cstr` of
 * the stream spec). Used for idstrs, block names and capabilities.
 */
#ifndef GW_WIRE_NAME_H
#define GW_WIRE_NAME_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"

/* Longest name that a length byte can count. */
#define GW_NAME_MAX 255u
/* The same with a NUL behind it, as we keep names. */
#define GW_STREAM_NAME_SIZE (GW_NAME_MAX + 1u)

/*
 * Takes `size` bytes (at most GW_NAME_MAX) as a name and ends it with a NUL.
 * -EBADMSG for NUL and other control characters: no peer writes them, and
 * names are printed.
 */
int gw_name_take(struct gw_reader *r, uint32_t size,
                 char ret_name[GW_STREAM_NAME_SIZE],
                 struct gw_wire_fault *fault);

/* A length byte and the name; an empty one passes. */
int gw_name_decode(struct gw_reader *r, char ret_name[GW_STREAM_NAME_SIZE],
                   struct gw_wire_fault *fault);

/* Fails the writer if the name is longer than GW_NAME_MAX. */
void gw_name_encode(struct gw_writer *w, const char *name);

#endif
