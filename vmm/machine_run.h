/*
 * What the library's machine object asks of the machine: that it pauses, goes
 * on, and looks at what was loaded. The opaque is a struct vmm_machine.
 */
#ifndef VMM_MACHINE_RUN_H
#define VMM_MACHINE_RUN_H

#include <godwit/machine.h>

extern const struct gw_machine_ops vmm_machine_ops;

#endif
