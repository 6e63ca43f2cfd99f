/*
 * Commands that the embedder has added, from the inside.
 */
#ifndef GW_MONITOR_ADDED_H
#define GW_MONITOR_ADDED_H

#include <jansson.h>
#include <stdbool.h>

#include <godwit/command.h>

#include "monitor/control.h"
#include "monitor/hmp.h"

/* One call of gw_control_add_commands. */
struct gw_added {
    const struct gw_command *commands; /* lent */
    size_t n;
    void *opaque;
    struct gw_added *next;
};

/* A command, and what its function is called with. */
struct gw_added_command {
    const struct gw_command *command;
    void *opaque;
};

/* Frees the list. */
void gw_added_free(struct gw_control *control);

/* The command number `index`; false past the last. */
bool gw_added_at(struct gw_control *control, unsigned int index,
                 struct gw_added_command *ret);

/* By its name in QMP, or in HMP. */
bool gw_added_find(struct gw_control *control, const char *name, bool is_hmp,
                   struct gw_added_command *ret);

/* Checks the arguments and executes it: a new reference, or NULL and an error.
 * The lock is not held. */
json_t *gw_added_execute(struct gw_control *control,
                         const struct gw_added_command *added,
                         json_t *arguments, struct gw_error **errp);

/* Executes a line of HMP, whose arguments are at `rest`; the lock is held. */
void gw_added_run_line(struct gw_hmp *hmp, const struct gw_added_command *added,
                       const char *rest);

#endif
