/*
 * Sections (stream spec 1.3, 1.4): type bytes, section headers, footers.
 * Section data has no length; the footer alone says that its reader stopped
 * at the right place.
 */
#ifndef GW_WIRE_SECTION_H
#define GW_WIRE_SECTION_H

#include <stdint.h>

#include "base/bytes.h"
#include "wire/fault.h"
#include "wire/name.h"

/* Type bytes that are not sections. */
#define GW_STREAM_EOF 0x00u
#define GW_STREAM_SUBSECTION 0x05u
#define GW_STREAM_DESCRIPTION 0x06u
#define GW_STREAM_CONFIGURATION 0x07u
#define GW_STREAM_COMMAND 0x08u
#define GW_STREAM_FOOTER 0x7eu

/* Values are the type bytes of the stream. */
enum gw_section_kind {
    GW_SECTION_START = 1,
    GW_SECTION_PART = 2,
    GW_SECTION_END = 3,
    GW_SECTION_FULL = 4,
};

/* Type byte, id, name, instance, version. */
#define GW_SECTION_HEADER_MAX (1u + 4u + GW_STREAM_NAME_SIZE + 4u + 4u)
#define GW_SECTION_FOOTER_SIZE 5u

struct gw_section_header {
    enum gw_section_kind kind;
    uint32_t section_id; /* any number; 0 is legal */
    /* The rest is on the wire in START and FULL only; else "" and 0. */
    char idstr[GW_STREAM_NAME_SIZE]; /* not empty */
    uint32_t instance_id;
    uint32_t version;
};

struct gw_section_footer {
    uint32_t section_id;
};

/* "start", "footer", ...; NULL for a byte that is no type. */
const char *gw_stream_type_name(uint8_t type);

/* Whether sections of this kind carry name, instance and version. */
bool gw_section_kind_is_named(enum gw_section_kind kind);

/* -EBADMSG: not a section's type byte, or an empty name. */
int gw_section_header_decode(struct gw_reader *r, struct gw_section_header *ret,
                             struct gw_wire_fault *fault);
void gw_section_header_encode(struct gw_writer *w,
                              const struct gw_section_header *header);

/* -EBADMSG: not a footer. The id is for the caller to compare. */
int gw_section_footer_decode(struct gw_reader *r, struct gw_section_footer *ret,
                             struct gw_wire_fault *fault);
void gw_section_footer_encode(struct gw_writer *w,
                              const struct gw_section_footer *footer);

#endif
