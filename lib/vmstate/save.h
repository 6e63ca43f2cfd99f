/*
 * Writes device state as its table says (stream spec 2).
 */
#ifndef GW_VMSTATE_SAVE_H
#define GW_VMSTATE_SAVE_H

#include <stdbool.h>

#include <godwit/error.h>
#include <godwit/vmstate.h>

#include "base/buffer.h"
#include "vmstate/description.h"

/*
 * Appends the state, subsections included, at the vmstate's own version; no
 * section header or footer. With a description, its part of a device is
 * added there. Runs the hooks. On failure `out` and `description` hold a
 * part, of no use. -EINVAL, -EOVERFLOW: the state does not fit the table;
 * -ENOMEM; else what a hook gave.
 */
int gw_vmstate_save(const struct gw_vmstate *vmstate, void *state,
                    struct gw_buffer *out, struct gw_description *description,
                    struct gw_error **errp);

/* True if the section is to be sent at all. */
bool gw_vmstate_is_needed(const struct gw_vmstate *vmstate, const void *state);

#endif
