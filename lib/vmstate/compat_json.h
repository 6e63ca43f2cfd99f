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

/* Fill in a machine from a parsed text. */
int gw_compat_from_description(json_t *object,
                               struct gw_compat_machine *machine,
                               struct gw_error **errp);
int gw_compat_from_dump(json_t *object, struct gw_compat_machine *machine,
                        struct gw_error **errp);

#endif
