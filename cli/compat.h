/*
 * What `godwit compat` and the dry run of `godwit ctl` share.
 */
#ifndef CLI_COMPAT_H
#define CLI_COMPAT_H

#include <jansson.h>
#include <stdbool.h>

#include <godwit/compat.h>

#include "ctl_client.h"

/* How descriptions are got. */
struct cli_compat_way {
    const char *command; /* of godwit's, for messages */
    bool may_pause;      /* a QEMU's guest may be stopped for a moment */
};

/*
 * Reads the description that a word stands for: a file (path, or
 * file:PATH,offset=N) or the QMP socket of a godwit or QEMU (path, or
 * unix:PATH). Returns 0, or a negative value after a message that begins with
 * "godwit <command>: "; like the next one.
 */
int cli_compat_read(const struct cli_compat_way *way, const char *word,
                    struct gw_compat_machine **ret_machine);

/* Asks a monitor. */
int cli_compat_ask(const struct cli_compat_way *way, struct ctl_client *client,
                   struct gw_compat_machine **ret_machine);

/*
 * Prints the remarks, one per line; what stops comes first. Blockers are left
 * out where they were told before.
 */
void cli_compat_print(const struct gw_compat_report *report,
                      bool with_blockers);

/* The same as an array of objects; a new reference. */
json_t *cli_compat_json(const struct gw_compat_report *report,
                        bool with_blockers);

#endif
