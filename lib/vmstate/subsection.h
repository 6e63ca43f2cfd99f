/*
 * Which subsection follows in a stream.
 */
#ifndef GW_VMSTATE_SUBSECTION_H
#define GW_VMSTATE_SUBSECTION_H

#include <stdbool.h>

#include <godwit/vmstate.h>

#include "channel/input.h"
#include "vmstate/path.h"

/* No subsection of the vmstate follows. */
enum {
    GW_NO_SUBSECTION = 1
};

/*
 * Which of the vmstate's subsections follows; consumes nothing, and waits for
 * no more bytes than that takes. GW_NO_SUBSECTION if none does. `is_nested`:
 * other fields of the section may follow.
 */
int gw_subsection_peek(struct gw_input *input, bool is_nested,
                       const struct gw_vmstate *vmstate,
                       const struct gw_path *path,
                       const struct gw_vmstate **ret_sub,
                       struct gw_error **errp);

#endif
