/*
 * The dry run of `ctl migrate`: could the machine move now, and would it go
 * on at the destination?
 */
#ifndef CLI_CTL_CHECK_H
#define CLI_CTL_CHECK_H

#include "ctl_client.h"

/*
 * `check` is the request x-migrate-check; `with` a description of the
 * destination (see compat.h), or NULL. Prints reasons, warnings and what
 * cannot be asked; returns the exit status, 1 if there is a reason.
 */
int ctl_check(struct ctl_client *client, json_t *check, const char *with,
              bool wants_json);

#endif
