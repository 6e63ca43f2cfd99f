/*
 * The frame of the VM description (stream spec 1.8): a type byte, a length,
 * and so many bytes of JSON, which are not this file's business.
 */
#ifndef GW_WIRE_DESCRIPTION_H
#define GW_WIRE_DESCRIPTION_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"

/* Type byte and length. */
#define GW_DESCRIPTION_HEADER_SIZE 5u

struct gw_description_header {
    uint32_t size; /* bytes of JSON that follow */
};

/* -EBADMSG: not a description's type byte. */
int gw_description_header_decode(struct gw_reader *r,
                                 struct gw_description_header *ret,
                                 struct gw_wire_fault *fault);
void gw_description_header_encode(struct gw_writer *w,
                                  const struct gw_description_header *header);

#endif
