/*
 * The configuration section (stream spec 1.2): the machine's name and the
 * few facts that both ends compare. It follows the file header and has
 * neither section id nor footer.
 */
#ifndef GW_WIRE_CONFIG_H
#define GW_WIRE_CONFIG_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"
#include "wire/name.h"

/* Room that any configuration fits in when encoded. */
#define GW_CONFIG_MAX 512u

struct gw_stream_config {
    bool present;                           /* the section was there */
    char machine_name[GW_STREAM_NAME_SIZE]; /* "" if not present */
    bool mapped_ram;                        /* capability listed */
    bool ignore_shared;                     /* capability listed */
    bool has_uuid;
    uint8_t uuid[16];   /* in the order of its text */
    uint32_t page_bits; /* 0: not sent, the minimum (12) */
};

/*
 * Decodes the whole section, type byte included; `present` is set. Its end
 * shows only in the byte behind it, which must be at hand (GW_SHORT) and
 * stays in the reader. -EOVERFLOW: a machine name beyond GW_NAME_MAX, more
 * capabilities than exist. -ENOENT: an unknown subsection. -ENOTSUP: an
 * unknown capability or subsection version. -EPROTO: a subsection twice.
 */
int gw_config_decode(struct gw_reader *r, struct gw_stream_config *ret,
                     struct gw_wire_fault *fault);

/*
 * Encodes the section; nothing if it is not `present`. Subsections appear as
 * QEMU has them: each only if it says something, in a fixed order.
 */
void gw_config_encode(struct gw_writer *w,
                      const struct gw_stream_config *config);

#endif
