/*
 * The frame of the VM description.
 */
#include "wire/description.h"

#include <errno.h>

#include "wire/section.h"

int gw_description_header_decode(struct gw_reader *r,
                                 struct gw_description_header *ret,
                                 struct gw_wire_fault *fault)
{
    struct gw_description_header header;
    struct gw_reader at = *r;
    uint8_t type;

    if (!gw_reader_get_u8(&at, &type)) {
        return GW_SHORT;
    }
    if (type != GW_STREAM_DESCRIPTION) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "expected a description (0x%02x), found "
                                 "0x%02x",
                                 GW_STREAM_DESCRIPTION, type);
    }
    if (!gw_reader_get_be32(&at, &header.size)) {
        return GW_SHORT;
    }
    *r = at;
    *ret = header;
    return 0;
}

void gw_description_header_encode(struct gw_writer *w,
                                  const struct gw_description_header *header)
{
    gw_writer_put_u8(w, GW_STREAM_DESCRIPTION);
    gw_writer_put_be32(w, header->size);
}
