/*
 * Giving up what the program does not need once its machine is built.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>

#include <godwit/error.h>

/* System calls can be filtered in this build. */
bool vmm_sandbox_has_filter(void);

/*
 * For all threads, for ever: no new privileges, and only the system calls
 * that running, saving and restoring a machine need; others fail with EPERM.
 * No programs can be started, no other process traced, no modules loaded, no
 * file systems mounted, no identity changed.
 */
int vmm_sandbox_enter(struct gw_error **errp) GW_MUST_CHECK;

#endif
