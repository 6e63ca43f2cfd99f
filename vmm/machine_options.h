/*
 * `--machine microvm,NAME=VALUE,...`: QEMU's names for what its machine is
 * made of. What is not built yet is refused by name.
 */
#ifndef VMM_MACHINE_OPTIONS_H
#define VMM_MACHINE_OPTIONS_H

#include <stdbool.h>

#include <godwit/error.h>

struct vmm_machine_options {
    /* ACPI tables, and the event device. */
    bool acpi;
    /* Without ACPI the kernel is told of virtio devices on its command line. */
    bool auto_kernel_cmdline;
    /* Two 8259A, an 8254, an MC146818. */
    bool pic;
    bool pit;
    bool rtc;
    /* A firmware gets an option ROM that starts the kernel. */
    bool option_roms;
};

/* Defaults. */
void vmm_machine_options_init(struct vmm_machine_options *options);

/* -EINVAL for unknown words, and for what is known and not built. */
int vmm_machine_options_parse(struct vmm_machine_options *options,
                              const char *text, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
