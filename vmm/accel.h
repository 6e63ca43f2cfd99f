/*
 * Accelerators: what runs the guest. `kvm` runs its code on virtual CPUs,
 * `thread` runs the workload of `beat` on host threads.
 */
#ifndef VMM_ACCEL_H
#define VMM_ACCEL_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "boot.h"
#include "i8259.h"
#include "ioapic.h"
#include "options.h"
#include "vcpus.h"

struct vmm_machine;
struct vmm_accel;

/* Every member is filled. Functions run on the main thread unless stated. */
struct vmm_accel_ops {
    const char *name;
    /* Guests are x86 code: their machine has what a PC has (platform.h). */
    bool is_pc;
    /*
     * Makes the accelerator for a machine whose memory and bus are there.
     * -ENOTSUP or a host error with a reason if it is not usable here.
     */
    int (*create)(struct vmm_machine *machine, struct vmm_accel **ret_accel,
                  struct gw_error **errp);
    /* All of RAM and of firmware is there: maps them and makes vCPUs. */
    int (*attach)(struct vmm_accel *accel, struct gw_error **errp);
    /* Frees it; the vCPU threads have ended. */
    void (*destroy)(struct vmm_accel *accel);
    /* Adds the sections of the vCPUs; those that follow the I/O APIC's. */
    int (*add_cpus)(struct vmm_accel *accel, struct gw_error **errp);
    int (*add_clock)(struct vmm_accel *accel, struct gw_error **errp);
    /*
     * Gives the machine, whose blocks are there, a dirty tracker. A failure
     * is no reason not to run: the guest is stopped while it is saved.
     */
    int (*add_tracker)(struct vmm_accel *accel, struct gw_error **errp);
    /* Gives the vCPUs, which are parked, the state of a reset; any thread. */
    void (*reset)(struct vmm_accel *accel);
    /*
     * Prepares a start with an image and a command line: the cold one, or on
     * any thread one after a reset, with RAM as the guest left it.
     */
    int (*boot)(struct vmm_accel *accel, const struct vmm_options *options,
                struct gw_error **errp);
    /*
     * From now on a write of `value`, of `bytes` bytes, to gpa makes the
     * eventfd readable and does not reach the bus. -ENOTSUP: it reaches the
     * bus, as others do.
     */
    int (*add_notify)(struct vmm_accel *accel, uint64_t gpa, unsigned int bytes,
                      uint64_t value, int fd);
    /*
     * The sections were loaded: whether vCPUs with this state can run here.
     * A migration's thread, vCPUs parked.
     */
    int (*check)(struct vmm_accel *accel, struct gw_error **errp);
    /*
     * The vCPUs are about to run: brings the saved state into the
     * accelerator, if it was loaded or set. Any thread, vCPUs parked.
     */
    int (*start)(struct vmm_accel *accel, struct gw_error **errp);
    /* The vCPUs are parked: reads the state into what the sections send. */
    int (*stop)(struct vmm_accel *accel, struct gw_error **errp);
    /* The threads' side; opaque is the struct vmm_accel. */
    struct vmm_vcpu_ops vcpu;
    /* The I/O APIC's side; opaque is the struct vmm_accel. */
    struct vmm_ioapic_ops ioapic;
    /* The interrupt controllers' side; opaque is the struct vmm_accel. */
    struct vmm_i8259_ops pic;
};

struct vmm_accel {
    const struct vmm_accel_ops *ops;
};

extern const struct vmm_accel_ops vmm_accel_kvm;
extern const struct vmm_accel_ops vmm_accel_thread;

/*
 * Makes the accelerator that was asked for. `auto` takes KVM if it is usable
 * and says on standard error which it took and why.
 */
int vmm_accel_choose(struct vmm_machine *machine, enum vmm_accel_kind kind,
                     struct vmm_accel **ret_accel, struct gw_error **errp)
    GW_MUST_CHECK;

#endif
