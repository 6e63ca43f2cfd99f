/*
 * The section `globalstate` (stream spec 8.1).
 */
#include "migrate/globalstate.h"

#include <errno.h>
#include <string.h>

#include "machine/machine.h"

const struct gw_vmstate gw_globalstate_vmstate = {
    .name = GW_GLOBALSTATE_IDSTR,
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct gw_globalstate),
    .fields =
        (const struct gw_field[]){
            GW_FIELD_U32(struct gw_globalstate, size),
            GW_FIELD_BUFFER(struct gw_globalstate, name),
            GW_FIELD_BOOL(struct gw_globalstate, has_was_suspended),
            GW_FIELD_BOOL(struct gw_globalstate, was_suspended),
            GW_FIELD_UNUSED(66),
            GW_FIELD_END,
        },
};

void gw_globalstate_set(struct gw_globalstate *state,
                        enum gw_run_state run_state)
{
    const char *name = gw_run_state_name(run_state);

    memset(state, 0, sizeof(*state));
    state->size = (uint32_t)strlen(name) + 1;
    memcpy(state->name, name, state->size);
    state->has_was_suspended = true;
}

int gw_globalstate_get(const struct gw_globalstate *state,
                       enum gw_run_state *ret_run_state, struct gw_error **errp)
{
    const char *name = (const char *)state->name;

    if (strnlen(name, sizeof(state->name)) == sizeof(state->name) ||
        gw_run_state_parse(name, ret_run_state) < 0) {
        return gw_error_set(errp, -EBADMSG,
                            "globalstate: '%.*s' is not a run state",
                            (int)sizeof(state->name), name);
    }
    return 0;
}
