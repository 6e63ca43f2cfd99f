/*
 * The description of a machine that QEMU runs.
 */
#ifndef CLI_COMPAT_QEMU_H
#define CLI_COMPAT_QEMU_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl_client.h"

/*
 * Asks QEMU for what it tells of its machine, and puts it into the form of
 * x-query-machine-description: a new reference in *ret_description. Members
 * for which QEMU has no answer are left out.
 *
 * Devices are known only from a save of their state, for which QEMU stops a
 * guest that runs: for some milliseconds, with the events STOP and RESUME.
 * That is done if `may_pause`; else a note on standard error says why devices
 * are left out. A guest that does not run is not disturbed, nor one that is
 * waited for (-incoming).
 *
 * Returns 0, or a negative value after a message on standard error.
 */
int cli_compat_ask_qemu(struct ctl_client *client, bool may_pause,
                        json_t **ret_description);

#endif
