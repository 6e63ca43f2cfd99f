/*
 * The dry run of `ctl migrate`: could the machine move now, and would it go
 * on at the destination?
 */
#ifndef CLI_CTL_CHECK_H
#define CLI_CTL_CHECK_H

#include "ctl_client.h"
#include "ctl_request.h"

/*
 * Carries out a request that is dry: x-migrate-check, and a comparison with
 * the destination if one is given. Prints reasons, warnings and what cannot be
 * asked; returns the exit status, 1 if there is a reason.
 */
int ctl_check(struct ctl_client *client, const struct ctl_request *request,
              bool wants_json);

#endif
