/*
 * Commands of the stream.
 */
#include "wire/command.h"

#include <errno.h>

#include "base/util.h"
#include "wire/section.h"

struct command_kind {
    uint16_t command; /* enum gw_command_id */
    uint16_t min;     /* bytes of data, least */
    uint16_t max;     /* bytes of data, most */
    const char *name;
};

static const struct command_kind command_kinds[] = {
    {GW_COMMAND_OPEN_RETURN_PATH, 0, 0, "open-return-path"},
    {GW_COMMAND_PING, 4, 4, "ping"},
    {GW_COMMAND_POSTCOPY_ADVISE, 0, 16, "postcopy-advise"},
    {GW_COMMAND_POSTCOPY_LISTEN, 0, 0, "postcopy-listen"},
    {GW_COMMAND_POSTCOPY_RUN, 0, 0, "postcopy-run"},
    {GW_COMMAND_POSTCOPY_RAM_DISCARD, 19, UINT16_MAX, "postcopy-ram-discard"},
    {GW_COMMAND_PACKAGED, 4, 4, "packaged"},
    {GW_COMMAND_ENABLE_COLO, 0, 0, "enable-colo"},
    {GW_COMMAND_POSTCOPY_RESUME, 0, 0, "postcopy-resume"},
    {GW_COMMAND_RECV_BITMAP, 1, 256, "recv-bitmap"},
    {GW_COMMAND_SWITCHOVER_START, 0, 0, "switchover-start"},
};

static const struct command_kind *find_kind(uint16_t command)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(command_kinds); i++) {
        if (command_kinds[i].command == command) {
            return &command_kinds[i];
        }
    }
    return NULL;
}

const char *gw_command_name(uint16_t command)
{
    const struct command_kind *kind = find_kind(command);

    return kind ? kind->name : NULL;
}

static int check_command(const struct gw_command_header *header,
                         struct gw_wire_fault *fault)
{
    const struct command_kind *kind = find_kind(header->command);

    if (!kind) {
        return gw_wire_fault_set(fault, -EBADMSG, "unknown command %u",
                                 header->command);
    }
    if (header->size < kind->min || header->size > kind->max) {
        return gw_wire_fault_set(
            fault, -ERANGE,
            "command %s with %u bytes of data, expected %u to %u", kind->name,
            header->size, kind->min, kind->max);
    }
    return 0;
}

int gw_command_header_decode(struct gw_reader *r, struct gw_command_header *ret,
                             struct gw_wire_fault *fault)
{
    struct gw_command_header header;
    struct gw_reader at = *r;
    uint8_t type;
    int rc;

    if (!gw_reader_get_u8(&at, &type)) {
        return GW_SHORT;
    }
    if (type != GW_STREAM_COMMAND) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "expected a command (0x%02x), found 0x%02x",
                                 GW_STREAM_COMMAND, type);
    }
    if (!gw_reader_get_be16(&at, &header.command) ||
        !gw_reader_get_be16(&at, &header.size)) {
        return GW_SHORT;
    }
    rc = check_command(&header, fault);
    if (rc) {
        return rc;
    }
    *r = at;
    *ret = header;
    return 0;
}

void gw_command_header_encode(struct gw_writer *w,
                              const struct gw_command_header *header)
{
    gw_writer_put_u8(w, GW_STREAM_COMMAND);
    gw_writer_put_be16(w, header->command);
    gw_writer_put_be16(w, header->size);
}
