/*
 * Commands (stream spec 6.2): a type byte, a number, a length, and so many
 * bytes. A command has no footer.
 */
#ifndef GW_WIRE_COMMAND_H
#define GW_WIRE_COMMAND_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"

enum gw_command_id {
    GW_COMMAND_OPEN_RETURN_PATH = 1,
    GW_COMMAND_PING = 2,
    GW_COMMAND_POSTCOPY_ADVISE = 3,
    GW_COMMAND_POSTCOPY_LISTEN = 4,
    GW_COMMAND_POSTCOPY_RUN = 5,
    GW_COMMAND_POSTCOPY_RAM_DISCARD = 6,
    GW_COMMAND_PACKAGED = 7,
    GW_COMMAND_ENABLE_COLO = 8,
    GW_COMMAND_POSTCOPY_RESUME = 9,
    GW_COMMAND_RECV_BITMAP = 10,
    GW_COMMAND_SWITCHOVER_START = 11,
};

/* Type byte, number, length. */
#define GW_COMMAND_HEADER_SIZE 5u

struct gw_command_header {
    uint16_t command; /* enum gw_command_id */
    uint16_t size;    /* bytes of data that follow */
};

/* "switchover-start", ...; NULL for a number that is no command. */
const char *gw_command_name(uint16_t command);

/*
 * Decodes the header; the data stays in the reader. -EBADMSG: not a
 * command's type byte, or an unknown number. -ERANGE: a size that this
 * command never has.
 */
int gw_command_header_decode(struct gw_reader *r, struct gw_command_header *ret,
                             struct gw_wire_fault *fault);
void gw_command_header_encode(struct gw_writer *w,
                              const struct gw_command_header *header);

#endif
