/*
 * Reads device state as its table says (stream spec 2).
 */
#ifndef GW_VMSTATE_LOAD_H
#define GW_VMSTATE_LOAD_H

#include <stdint.h>

#include <godwit/error.h>
#include <godwit/vmstate.h>

#include "channel/input.h"

/*
 * Reads the state of a section of the given version, subsections included,
 * and consumes exactly its bytes. Runs the hooks. The input is hostile: what
 * it can allocate is bounded by the maxima in the table, and every loop
 * consumes input or is bounded by the table.
 *
 * After a failure part of the state may be from the stream. Errors name the
 * field, the offset, the expected and the found value. -ENODATA the data
 * ended early; -EBADMSG malformed; -EPROTO a value, version or subsection
 * that does not fit this machine; -EOVERFLOW beyond a maximum of the table;
 * -EINVAL the state does not fit the table; else what a hook gave.
 */
int gw_vmstate_load(const struct gw_vmstate *vmstate, void *state,
                    uint32_t version, struct gw_input *input,
                    struct gw_error **errp);

#endif
