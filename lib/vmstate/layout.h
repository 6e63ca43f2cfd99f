/*
 * Reads a VM description (stream spec 1.8): what the device sections of a
 * stream hold, for those who have no tables for them.
 *
 * The text is hostile: its size, nesting and number of values are bounded,
 * every size is checked, and the sums that it implies must fit. Descriptions
 * of wrapper types have duplicate keys; these are tolerated, the last one
 * counts, and where the parts do not add up to the whole, only the whole is
 * believed.
 */
#ifndef GW_VMSTATE_LAYOUT_H
#define GW_VMSTATE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/image.h>

/* Longest text that is parsed, bytes. A guest of 255 vCPUs has about 5 MiB. */
#define GW_LAYOUT_TEXT_MAX (16u * 1024 * 1024)

/* Most values (objects, arrays, members) in a text. */
#define GW_LAYOUT_VALUES_MAX (2u * 1024 * 1024)

/* Deepest nesting of brackets. */
#define GW_LAYOUT_DEPTH_MAX 256

/* Most fields that one walk reports. */
#define GW_LAYOUT_WALK_MAX (16u * 1024 * 1024)

struct gw_layout_vmstate;

/* A FIELD: elements of one size, one after the other. */
struct gw_layout_field {
    const char *name; /* as described, "[k]" included; lent */
    const char *type; /* the encoder's name; lent */
    uint64_t size;    /* of one element, bytes */
    uint64_t n;       /* elements that it stands for, 1 or more */
    int64_t index;    /* of an element described alone, or -1 */
    struct gw_layout_vmstate *inner; /* its parts, or NULL */
};

struct gw_layout_vmstate {
    const char *name; /* lent */
    uint32_t version;
    uint64_t size; /* fields, and subsections with their heads, bytes */
    struct gw_layout_field *fields;
    size_t n_fields;
    struct gw_layout_vmstate *subsections;
    size_t n_subsections;
};

struct gw_layout_device {
    const char *idstr; /* lent */
    uint32_t instance_id;
    /* Its size is the length of the section's data (stream spec 1.9). */
    struct gw_layout_vmstate vmstate;
};

struct gw_layout {
    uint64_t page_size;               /* 0: not stated */
    struct gw_layout_device *devices; /* in stream order */
    size_t n_devices;
    void *json; /* private: owns the strings */
};

/*
 * Whether a hostile JSON text is worth to be parsed: its size, nesting and
 * number of values are within the limits above. `what` begins the errors.
 * -EOVERFLOW.
 */
int gw_layout_check_bounds(const char *text, size_t size, const char *what,
                           struct gw_error **errp) GW_MUST_CHECK;

/*
 * Parses a text (no NUL needed). -EBADMSG if it is not a description;
 * -EOVERFLOW beyond a limit above. Freed by gw_layout_free.
 */
int gw_layout_parse(const char *text, size_t size,
                    struct gw_layout **ret_layout, struct gw_error **errp);

/* Frees; accepts NULL; returns NULL. */
struct gw_layout *gw_layout_free(struct gw_layout *layout);

/* The first device of this identity, or NULL. */
const struct gw_layout_device *gw_layout_find(const struct gw_layout *layout,
                                              const char *idstr,
                                              uint32_t instance_id);

/* As of gw_image_fields. */
typedef int (*gw_layout_field_fn)(void *opaque,
                                  const struct gw_image_field *field);

/*
 * Calls fn for every field in the data of a device's section, in stream
 * order: elements of arrays one by one, structs before their fields,
 * subsections (their head included) after the fields that they follow.
 * `offset` is the absolute position of the data. -EBADMSG if the data is not
 * as described; a non-zero result of fn ends the walk and is returned, with
 * *errp unset.
 */
int gw_layout_walk(const struct gw_layout_device *device, const uint8_t *data,
                   size_t size, uint64_t offset, gw_layout_field_fn fn,
                   void *opaque, struct gw_error **errp);

#endif
