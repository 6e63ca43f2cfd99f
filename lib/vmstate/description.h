/*
 * Builds the VM description: the JSON text behind the end of a stream that
 * says what the device sections hold (stream spec 1.8). One line, formatted
 * as QEMU formats it.
 *
 * Calls come in the order of the text: begin, configuration, page_size, for
 * each device device_begin / gw_vmstate_save / device_end, end. Failures to
 * allocate are remembered and reported by gw_description_end.
 */
#ifndef GW_VMSTATE_DESCRIPTION_H
#define GW_VMSTATE_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/vmstate.h>

#include "base/buffer.h"

/* Zero bytes are a valid, unused description. */
struct gw_description {
    struct gw_buffer text; /* the JSON so far, without a NUL */
    bool need_comma;       /* the enclosing object or array has a member */
};

/* Frees the text. */
void gw_description_deinit(struct gw_description *description);

#define GW_AUTO_DESCRIPTION __attribute__((cleanup(gw_description_deinit)))

/* Starts the text. */
void gw_description_begin(struct gw_description *description);

/* What the configuration section holds. */
struct gw_description_config {
    const char *machine_name;
    /* The capabilities sent, in order; NULL-terminated, or NULL for none. */
    const char *const *capabilities;
    bool has_page_bits; /* the subsection with the page size was sent */
    bool has_uuid;      /* the subsection with the UUID was sent */
};

/* Describes the configuration section; only if one was sent. */
void gw_description_configuration(struct gw_description *description,
                                  const struct gw_description_config *config);

/* The target page size, bytes; opens the list of devices. */
void gw_description_page_size(struct gw_description *description,
                              uint32_t page_size);

/* A device section; gw_vmstate_save adds the rest. */
void gw_description_device_begin(struct gw_description *description,
                                 const char *idstr, uint32_t instance_id);
void gw_description_device_end(struct gw_description *description);

/*
 * Ends the text: *ret_text lives as long as the description, has no NUL.
 * -ENOMEM if memory was short at any point.
 */
int gw_description_end(struct gw_description *description,
                       const char **ret_text, size_t *ret_size,
                       struct gw_error **errp);

/*
 * ---- For the saver; every call takes NULL and then does nothing ----
 */

/* "vmsd_name", "version", and the opening of "fields". */
void gw_description_fields_begin(struct gw_description *description,
                                 const char *name, uint32_t version);
void gw_description_fields_end(struct gw_description *description);

/* Around subsections; each is an object with fields. */
void gw_description_subsections_begin(struct gw_description *description);
void gw_description_subsections_end(struct gw_description *description);
void gw_description_subsection_begin(struct gw_description *description);
void gw_description_subsection_end(struct gw_description *description);

/* One element, or a run of equal ones, of a field. */
struct gw_description_element {
    const struct gw_field *fields; /* the table that it is in */
    const struct gw_field *field;
    size_t n;        /* elements from this one to the end of the run */
    size_t index;    /* of this one in the field */
    bool compressed; /* it stands for all n */
    bool null;       /* a NULL pointer */
};

/* Opens a FIELD, and its "struct". */
void gw_description_element_begin(struct gw_description *description,
                                  const struct gw_description_element *element);

/* Closes both; `size` is what one element took in the stream, bytes. */
void gw_description_element_end(struct gw_description *description,
                                const struct gw_description_element *element,
                                size_t size);

/*
 * True if all elements of the field take the same number of bytes, so that
 * the first can stand for all. Depends on the table alone.
 */
bool gw_description_can_compress(const struct gw_field *field);

#endif
