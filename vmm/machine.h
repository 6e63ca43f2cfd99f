/*
 * The virtual machine: RAM, bus, devices, vCPUs and the library's machine
 * object that moves them.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <pthread.h>
#include <stdbool.h>

#include <godwit/error.h>
#include <godwit/machine.h>

#include "accel.h"
#include "acpi.h"
#include "boot_files.h"
#include "bus.h"
#include "clock.h"
#include "console.h"
#include "firmware.h"
#include "fw_cfg.h"
#include "ged.h"
#include "guest_memory.h"
#include "ioapic.h"
#include "isa.h"
#include "memory.h"
#include "monitor_commands.h"
#include "options.h"
#include "power.h"
#include "serial.h"
#include "vcpus.h"
#include "virtio_set.h"

/* How the guest ended by itself. */
enum vmm_end {
    VMM_END_NONE = 0,
    VMM_END_POWER_OFF,
    VMM_END_RESET,
    /* The accelerator cannot go on; it has said why. */
    VMM_END_ERROR,
    /* A monitor has ended it, and said so. */
    VMM_END_CLOSED,
};

struct vmm_machine {
    /* --- constant after init --- */
    struct gw_machine *gw;
    const struct vmm_options *options;
    struct vmm_memory memory;
    struct vmm_firmware firmware;
    struct vmm_guest_memory guest_memory;
    struct vmm_acpi acpi;
    struct vmm_fw_cfg fw_cfg;
    struct vmm_boot_files boot_files;
    struct vmm_ged ged;
    struct vmm_bus bus;
    struct vmm_ioapic ioapic;
    struct vmm_isa isa;
    struct vmm_serial serial;
    struct vmm_console console;
    struct vmm_power power;
    struct vmm_virtio_set virtio;
    struct vmm_clock clock;
    struct vmm_accel *accel;
    struct vmm_vcpus vcpus;
    unsigned int n_cpus;
    struct vmm_cpu_option cpu;
    /* Entries of KVM's dirty rings; 0: none. */
    uint32_t dirty_ring_size;
    /* Bit n: slot n of virtio-mmio has a device; set before the cold start. */
    uint32_t virtio_slots;
    /* Readable when `end` was set, or the main thread was woken. */
    int end_fd;
    /* Held while the machine is stopped or started: one at a time. */
    pthread_mutex_t switch_lock;
    /* --- guarded by switch_lock --- */
    /* The guest wants a reset that had to wait for the end of a migration. */
    bool reset_due;
    struct vmm_balloon_event balloon_event;
    /* --- guarded by lock --- */
    pthread_mutex_t lock;
    enum vmm_end end;
};

/*
 * Builds a machine: paused, in `prelaunch`, with a guest loaded unless it is
 * to come in. The options must outlive it.
 */
int vmm_machine_init(struct vmm_machine *machine,
                     const struct vmm_options *options, struct gw_error **errp)
    GW_MUST_CHECK;

/*
 * Ends the vCPUs and frees everything; the control object is gone already.
 * Accepts a zeroed or half-built object.
 */
void vmm_machine_deinit(struct vmm_machine *machine);

/*
 * The guest ends by itself: stops the vCPUs soon and makes end_fd readable.
 * Any thread; the first one counts.
 */
void vmm_machine_request_end(struct vmm_machine *machine, enum vmm_end end);

/*
 * Stops all that runs, for good; read_state: for those who look or save
 * afterwards, as far as it can be read. Not on a vCPU's thread.
 */
void vmm_machine_halt(struct vmm_machine *machine, bool read_state);

/* Makes end_fd readable, for nothing else. Any thread. */
void vmm_machine_wake(struct vmm_machine *machine);

/*
 * Main thread, after end_fd became readable: tells the library and its
 * listeners. A guest that wants a reset gets it, unless the machine was told
 * otherwise. Returns how it ended, or VMM_END_NONE: it goes on.
 */
enum vmm_end vmm_machine_finish_end(struct vmm_machine *machine);

/* The program was asked to end: pauses and sends the SHUTDOWN event. */
void vmm_machine_shut_down(struct vmm_machine *machine, const char *reason);

#endif
