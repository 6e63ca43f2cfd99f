/*
 * The file header (stream spec 1.1): what every stream starts with.
 */
#ifndef GW_WIRE_HEADER_H
#define GW_WIRE_HEADER_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"

#define GW_FILE_MAGIC 0x5145564du /* "QEVM" */
#define GW_FILE_VERSION 3u
#define GW_FILE_VERSION_OBSOLETE 2u
#define GW_FILE_HEADER_SIZE 8u

struct gw_file_header {
    uint32_t version; /* GW_FILE_VERSION */
};

/*
 * -EBADMSG: not a migration stream. -ENOTSUP: another version of it.
 */
int gw_file_header_decode(struct gw_reader *r, struct gw_file_header *ret,
                          struct gw_wire_fault *fault);

void gw_file_header_encode(struct gw_writer *w,
                           const struct gw_file_header *header);

#endif
