/*
 * Reads sections: who they are, whether they may come now, and their
 * footers. The data of RAM sections is read in ram_reader.c, that of devices
 * by the handler.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stream/walk.h"
#include "wire/ram.h"

/* The codecs in the form that gw_stream_decode runs. */
static int decode_section(struct gw_reader *r, void *ret,
                          struct gw_wire_fault *fault)
{
    return gw_section_header_decode(r, ret, fault);
}

static int decode_footer(struct gw_reader *r, void *ret,
                         struct gw_wire_fault *fault)
{
    return gw_section_footer_decode(r, ret, fault);
}

static struct known_section *find_section(struct gw_stream_walk *walk,
                                          uint32_t section_id)
{
    size_t i;

    for (i = 0; i < walk->n_sections; i++) {
        if (walk->sections[i].section.section_id == section_id) {
            return &walk->sections[i];
        }
    }
    return NULL;
}

static int check_new_section(struct gw_stream_walk *walk,
                             const struct gw_stream_section *section,
                             struct gw_error **errp)
{
    const struct gw_stream_section *other;
    size_t i;

    for (i = 0; i < walk->n_sections; i++) {
        other = &walk->sections[i].section;
        if (other->instance_id == section->instance_id &&
            strcmp(other->idstr, section->idstr) == 0) {
            return gw_error_set(errp, -EPROTO,
                                "it comes twice, first at offset 0x%" PRIx64,
                                other->offset);
        }
        if (other->section_id == section->section_id) {
            return gw_error_set(errp, -EPROTO,
                                "section id %u is that of section '%s' at "
                                "offset 0x%" PRIx64 " already",
                                section->section_id, other->idstr,
                                other->offset);
        }
    }
    if (walk->n_sections == GW_STREAM_SECTIONS_MAX) {
        return gw_error_set(errp, -EOVERFLOW, "more than %u sections",
                            GW_STREAM_SECTIONS_MAX);
    }
    return 0;
}

static int add_section(struct gw_stream_walk *walk,
                       const struct gw_stream_section *section,
                       struct gw_error **errp)
{
    struct known_section *sections;
    int rc = check_new_section(walk, section, errp);

    if (rc) {
        return rc;
    }
    sections =
        reallocarray(walk->sections, walk->n_sections + 1, sizeof(*sections));
    if (!sections) {
        return gw_error_set(errp, -ENOMEM, "out of memory");
    }
    walk->sections = sections;
    sections[walk->n_sections++] = (struct known_section){
        .section = *section, .ended = section->kind == GW_SECTION_FULL};
    return 0;
}

/* PART and END: takes over the identity from their START. */
static int continue_section(struct gw_stream_walk *walk,
                            struct gw_stream_section *section,
                            struct gw_error **errp)
{
    struct known_section *known = find_section(walk, section->section_id);

    if (!known) {
        return gw_error_set(errp, -EPROTO,
                            "section id %u was not started before",
                            section->section_id);
    }
    memcpy(section->idstr, known->section.idstr, sizeof(section->idstr));
    section->instance_id = known->section.instance_id;
    section->version = known->section.version;
    if (known->ended) {
        return gw_error_set(errp, -EPROTO, "section '%s' has ended already",
                            known->section.idstr);
    }
    known->ended = section->kind == GW_SECTION_END;
    return 0;
}

static bool is_ram(const struct gw_stream_section *section)
{
    return strcmp(section->idstr, GW_RAM_IDSTR) == 0;
}

static int check_ram_identity(const struct gw_stream_section *section,
                              struct gw_error **errp)
{
    if (section->kind == GW_SECTION_FULL) {
        return gw_error_set(errp, -EPROTO,
                            "RAM in a full section, expected a start");
    }
    if (section->instance_id != 0) {
        return gw_error_set(errp, -EPROTO, "RAM instance %u, expected 0",
                            section->instance_id);
    }
    if (section->version != GW_RAM_VERSION) {
        return gw_error_set(errp, -ENOTSUP, "RAM version %u, expected %u",
                            section->version, GW_RAM_VERSION);
    }
    return 0;
}

static int read_footer(struct gw_stream_walk *walk,
                       const struct gw_stream_section *section,
                       struct gw_error **errp)
{
    uint64_t offset = gw_input_offset(walk->input);
    struct gw_section_footer footer;
    int rc =
        gw_stream_decode(walk->input, "section footer", GW_SECTION_FOOTER_SIZE,
                         decode_footer, &footer, errp);

    if (rc) {
        return rc;
    }
    if (footer.section_id != section->section_id) {
        return gw_error_set(errp, -EBADMSG,
                            "section footer at offset 0x%" PRIx64
                            ": section id %u, expected %u",
                            offset, footer.section_id, section->section_id);
    }
    return 0;
}

/* What is common to all sections, in order. */
static int read_section_body(struct gw_stream_walk *walk,
                             struct gw_stream_section *section,
                             struct gw_error **errp)
{
    int rc;

    rc = gw_section_kind_is_named(section->kind)
             ? add_section(walk, section, errp)
             : continue_section(walk, section, errp);
    if (rc) {
        return rc;
    }
    rc = is_ram(section) ? check_ram_identity(section, errp) : 0;
    if (rc) {
        return rc;
    }
    rc = walk->ops->section_begin(walk->opaque, section, errp);
    if (rc) {
        return rc;
    }
    rc = is_ram(section)
             ? gw_stream_read_ram(walk, section, errp)
             : walk->ops->device(walk->opaque, section, walk->input, errp);
    if (rc) {
        return rc;
    }
    section->data_end = gw_input_offset(walk->input);
    rc = read_footer(walk, section, errp);
    if (rc) {
        return rc;
    }
    return walk->ops->section_end(walk->opaque, section, errp);
}

int gw_stream_read_section(struct gw_stream_walk *walk, struct gw_error **errp)
{
    struct gw_stream_section section = {0};
    struct gw_section_header header;
    int rc;

    section.offset = gw_input_offset(walk->input);
    rc = gw_stream_decode(walk->input, "section header", 5, decode_section,
                          &header, errp);
    if (rc) {
        return rc;
    }
    section.kind = header.kind;
    section.section_id = header.section_id;
    memcpy(section.idstr, header.idstr, sizeof(section.idstr));
    section.instance_id = header.instance_id;
    section.version = header.version;
    section.data_offset = gw_input_offset(walk->input);
    rc = read_section_body(walk, &section, errp);
    if (rc && section.idstr[0]) {
        return gw_error_prefix(
            errp, rc, "section '%s' instance %u (%s) at offset 0x%" PRIx64,
            section.idstr, section.instance_id,
            gw_stream_type_name((uint8_t)section.kind), section.offset);
    }
    if (rc) {
        return gw_error_prefix(errp, rc, "section (%s) at offset 0x%" PRIx64,
                               gw_stream_type_name((uint8_t)section.kind),
                               section.offset);
    }
    return 0;
}

int gw_stream_check_ended(struct gw_stream_walk *walk, struct gw_error **errp)
{
    size_t i;

    for (i = 0; i < walk->n_sections && !walk->allow_no_end; i++) {
        if (!walk->sections[i].ended) {
            return gw_error_set(errp, -EPROTO,
                                "the stream ends at offset 0x%" PRIx64
                                ", but section '%s' has no end",
                                gw_input_offset(walk->input),
                                walk->sections[i].section.idstr);
        }
    }
    return 0;
}
