/*
 * The section `globalstate`: the run state that the guest had at the source.
 */
#ifndef GW_MIGRATE_GLOBALSTATE_H
#define GW_MIGRATE_GLOBALSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/machine.h>
#include <godwit/vmstate.h>

#define GW_GLOBALSTATE_IDSTR "globalstate"

struct gw_globalstate {
    uint32_t size; /* of the name, with its NUL */
    uint8_t name[32];
    bool has_was_suspended; /* the next one is valid */
    bool was_suspended;
};

/* The section's description; the state is a struct gw_globalstate. */
extern const struct gw_vmstate gw_globalstate_vmstate;

/* Fills in what is sent for a run state. */
void gw_globalstate_set(struct gw_globalstate *state,
                        enum gw_run_state run_state);

/* The run state that was received; -EBADMSG for a name that is none. */
int gw_globalstate_get(const struct gw_globalstate *state,
                       enum gw_run_state *ret_run_state,
                       struct gw_error **errp);

#endif
