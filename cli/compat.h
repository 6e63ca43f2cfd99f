/*
 * What `godwit compat` and the dry run of `godwit ctl` share.
 */
#ifndef CLI_COMPAT_H
#define CLI_COMPAT_H

#include <jansson.h>
#include <stdbool.h>

#include <godwit/compat.h>

#include "ctl_client.h"

/*
 * Reads the description that a word stands for: a file (path, or
 * file:PATH,offset=N) or the QMP socket of a running godwit (path, or
 * unix:PATH). Returns 0, or a negative value after a message that begins with
 * "godwit <command>: "; like the next one.
 */
int cli_compat_read(const char *command, const char *word,
                    struct gw_compat_machine **ret_machine);

/* Asks a monitor. Positive, without a message: it does not know how to. */
int cli_compat_ask(const char *command, struct ctl_client *client,
                   struct gw_compat_machine **ret_machine);

/* Prints the remarks, one per line; what stops comes first. */
void cli_compat_print(const struct gw_compat_report *report);

/* The same as an array of objects; a new reference. */
json_t *cli_compat_json(const struct gw_compat_report *report);

#endif
