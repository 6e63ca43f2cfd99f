/*
 * The file header: magic and version.
 */
#include "wire/header.h"

#include <errno.h>

static int check_version(uint32_t version, struct gw_wire_fault *fault)
{
    if (version == GW_FILE_VERSION) {
        return 0;
    }
    if (version == GW_FILE_VERSION_OBSOLETE) {
        return gw_wire_fault_set(fault, -ENOTSUP,
                                 "the obsolete stream version %u, expected %u",
                                 version, GW_FILE_VERSION);
    }
    return gw_wire_fault_set(fault, -ENOTSUP,
                             "unknown stream version %u, expected %u", version,
                             GW_FILE_VERSION);
}

int gw_file_header_decode(struct gw_reader *r, struct gw_file_header *ret,
                          struct gw_wire_fault *fault)
{
    struct gw_reader at = *r;
    struct gw_file_header header;
    uint32_t magic;
    int rc;

    if (!gw_reader_get_be32(&at, &magic)) {
        return GW_SHORT;
    }
    if (magic != GW_FILE_MAGIC) {
        return gw_wire_fault_set(
            fault, -EBADMSG,
            "not a migration stream: magic 0x%08x, expected 0x%08x (\"QEVM\")",
            magic, GW_FILE_MAGIC);
    }
    if (!gw_reader_get_be32(&at, &header.version)) {
        return GW_SHORT;
    }
    rc = check_version(header.version, fault);
    if (rc) {
        return rc;
    }
    *r = at;
    *ret = header;
    return 0;
}

void gw_file_header_encode(struct gw_writer *w,
                           const struct gw_file_header *header)
{
    gw_writer_put_be32(w, GW_FILE_MAGIC);
    gw_writer_put_be32(w, header->version);
}
