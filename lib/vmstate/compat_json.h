/*
 * From JSON to descriptions of machines: what both forms share.
 */
#ifndef GW_VMSTATE_COMPAT_JSON_H
#define GW_VMSTATE_COMPAT_JSON_H

#include <jansson.h>

#include "vmstate/compat.h"

/* The error that the text at `where` is not as it should be. */
int gw_compat_bad(struct gw_error **errp, const char *where, const char *what);

/* A member that must be a string; lent by the object. */
int gw_compat_get_string(const json_t *object, const char *key,
                         const char *where, const char **ret,
                         struct gw_error **errp);

/* A member that must be an integer from 0 to `max`; *ret stays if absent. */
int gw_compat_get_uint(const json_t *object, const char *key, const char *where,
                       uint64_t max, uint64_t *ret, struct gw_error **errp);

/* The same for those of 32 bits. */
int gw_compat_get_u32(const json_t *object, const char *key, const char *where,
                      uint32_t *ret, struct gw_error **errp);

/*
 * A member that must be an array of at most `max`, or absent: *ret_items has
 * room for so many items of `size` bytes, zeroed, and is owned by the caller.
 */
int gw_compat_get_array(const json_t *object, const char *key,
                        const char *where, size_t max, size_t size,
                        const json_t **ret_array, void *ret_items,
                        struct gw_error **errp);

/* How a form calls what all have, and what it leaves out. */
struct gw_compat_spelling {
    const char *field;
    const char *type; /* NULL: it does not tell types */
    const char *since;
    const char *count;
    const char *inner; /* the description of a struct in a field */
    const char *conditional_field;
    const char *fields;
    const char *subsections;
    const char *version;
    const char *min_version;
    /* What a field without a count has; GW_COMPAT_NO_SIZE: nobody knows. */
    uint64_t count_unless_said;
    bool sizes_in_memory;
    /* What is left out is not there: fields and a least version always are,
     * and each subsection may be absent. */
    bool is_complete;
};

/* A vmstate with all below it; what was filled in is the caller's to free,
 * after an error as well. */
int gw_compat_parse_vmstate(const struct gw_compat_spelling *as,
                            const json_t *object,
                            struct gw_compat_vmstate *vmstate,
                            struct gw_error **errp);

/* Fill in a machine from a parsed text. */
int gw_compat_from_description(json_t *object,
                               struct gw_compat_machine *machine,
                               struct gw_error **errp);
int gw_compat_from_dump(json_t *object, struct gw_compat_machine *machine,
                        struct gw_error **errp);

#endif
