/*
 * Waiting for the end of a migration, with a progress bar on terminals.
 */
#ifndef CLI_CTL_WAIT_H
#define CLI_CTL_WAIT_H

#include "ctl_client.h"

/*
 * Polls until the outgoing migration has ended. Interrupted from the keyboard
 * it cancels the migration. Prints how it ended (or, if `wants_json`, the
 * last reply of query-migrate) and returns the exit status.
 */
int ctl_wait(struct ctl_client *client, bool wants_json);

#endif
