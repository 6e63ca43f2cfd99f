/*
 * Section headers and footers.
 */
#include "wire/section.h"

#include <errno.h>

#include "base/util.h"

static const struct {
    uint8_t type;
    const char *name;
} type_names[] = {
    {GW_STREAM_EOF, "end of stream"},
    {GW_SECTION_START, "start"},
    {GW_SECTION_PART, "part"},
    {GW_SECTION_END, "end"},
    {GW_SECTION_FULL, "full"},
    {GW_STREAM_SUBSECTION, "subsection"},
    {GW_STREAM_DESCRIPTION, "description"},
    {GW_STREAM_CONFIGURATION, "configuration"},
    {GW_STREAM_COMMAND, "command"},
    {GW_STREAM_FOOTER, "footer"},
};

const char *gw_stream_type_name(uint8_t type)
{
    size_t i;

    for (i = 0; i < GW_ARRAY_SIZE(type_names); i++) {
        if (type_names[i].type == type) {
            return type_names[i].name;
        }
    }
    return NULL;
}

bool gw_section_kind_is_named(enum gw_section_kind kind)
{
    return kind == GW_SECTION_START || kind == GW_SECTION_FULL;
}

static int decode_kind(struct gw_reader *r, enum gw_section_kind *ret,
                       struct gw_wire_fault *fault)
{
    uint8_t type;

    if (!gw_reader_get_u8(r, &type)) {
        return GW_SHORT;
    }
    if (type < GW_SECTION_START || type > GW_SECTION_FULL) {
        return gw_wire_fault_set(
            fault, -EBADMSG, "type byte 0x%02x is not that of a section", type);
    }
    *ret = (enum gw_section_kind)type;
    return 0;
}

/* Name, instance and version. */
static int decode_identity(struct gw_reader *r,
                           struct gw_section_header *header,
                           struct gw_wire_fault *fault)
{
    int rc = gw_name_decode(r, header->idstr, fault);

    if (rc) {
        return rc;
    }
    if (!header->idstr[0]) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "section %u has an empty name",
                                 header->section_id);
    }
    if (!gw_reader_get_be32(r, &header->instance_id) ||
        !gw_reader_get_be32(r, &header->version)) {
        return GW_SHORT;
    }
    return 0;
}

int gw_section_header_decode(struct gw_reader *r, struct gw_section_header *ret,
                             struct gw_wire_fault *fault)
{
    struct gw_section_header header = {0};
    struct gw_reader at = *r;
    int rc = decode_kind(&at, &header.kind, fault);

    if (rc) {
        return rc;
    }
    if (!gw_reader_get_be32(&at, &header.section_id)) {
        return GW_SHORT;
    }
    if (gw_section_kind_is_named(header.kind)) {
        rc = decode_identity(&at, &header, fault);
        if (rc) {
            return rc;
        }
    }
    *r = at;
    *ret = header;
    return 0;
}

void gw_section_header_encode(struct gw_writer *w,
                              const struct gw_section_header *header)
{
    gw_writer_put_u8(w, (uint8_t)header->kind);
    gw_writer_put_be32(w, header->section_id);
    if (gw_section_kind_is_named(header->kind)) {
        gw_name_encode(w, header->idstr);
        gw_writer_put_be32(w, header->instance_id);
        gw_writer_put_be32(w, header->version);
    }
}

int gw_section_footer_decode(struct gw_reader *r, struct gw_section_footer *ret,
                             struct gw_wire_fault *fault)
{
    struct gw_section_footer footer;
    struct gw_reader at = *r;
    uint8_t mark;

    if (!gw_reader_get_u8(&at, &mark)) {
        return GW_SHORT;
    }
    if (mark != GW_STREAM_FOOTER) {
        return gw_wire_fault_set(fault, -EBADMSG,
                                 "expected a footer (0x%02x), found 0x%02x",
                                 GW_STREAM_FOOTER, mark);
    }
    if (!gw_reader_get_be32(&at, &footer.section_id)) {
        return GW_SHORT;
    }
    *r = at;
    *ret = footer;
    return 0;
}

void gw_section_footer_encode(struct gw_writer *w,
                              const struct gw_section_footer *footer)
{
    gw_writer_put_u8(w, GW_STREAM_FOOTER);
    gw_writer_put_be32(w, footer->section_id);
}
