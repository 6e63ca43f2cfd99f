/*
 * The structured form of addresses (QMP's MigrationAddress).
 */
#ifndef GW_CHANNEL_ADDRESS_JSON_H
#define GW_CHANNEL_ADDRESS_JSON_H

#include <godwit/address.h>

#include "base/schema.h"

/* What a MigrationAddress must look like. */
extern const struct gw_schema gw_address_schema;

/*
 * Makes an address of an object that was checked against the schema. `path`
 * names it in errors, such as "channels[0].addr".
 */
int gw_address_from_json(json_t *object, const char *path,
                         struct gw_address **ret_address,
                         struct gw_error **errp) GW_MUST_CHECK;

#endif
