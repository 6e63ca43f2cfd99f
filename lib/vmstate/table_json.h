/*
 * Tables of VM state as JSON, for the description of a machine
 * (control spec 7.1).
 */
#ifndef GW_VMSTATE_TABLE_JSON_H
#define GW_VMSTATE_TABLE_JSON_H

#include <jansson.h>

#include <godwit/vmstate.h>

/*
 * The table with all that it refers to, down to GW_VMSTATE_DEPTH_MAX structs:
 * a new reference, or NULL if memory is short. Looks at no state.
 */
json_t *gw_vmstate_table_json(const struct gw_vmstate *vmstate);

#endif
