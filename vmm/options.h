/*
 * The command line of `godwit run`, in the habits of QEMU's users: one or two
 * dashes, values as separate words or after "=".
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <godwit/error.h>

#include "chardev.h"
#include "cpu_option.h"
#include "fdset_option.h"
#include "machine_options.h"
#include "virtio_options.h"

/* The most monitors (QMP and HMP together) one command line may have. */
#define VMM_MAX_MONITORS 8
/* The most vCPUs: LAPIC ids have 8 bits, 255 is the broadcast. */
#define VMM_MAX_CPUS 64

enum vmm_accel_kind {
    VMM_ACCEL_AUTO,
    VMM_ACCEL_KVM,
    VMM_ACCEL_THREAD,
};

/* A monitor that was asked for. */
struct vmm_monitor_option {
    /* QMP; otherwise HMP. */
    bool qmp;
    struct vmm_chardev chardev;
};

/* What was asked for. Plain strings point into argv. */
struct vmm_options {
    /* Guest RAM in bytes, a multiple of 4 KiB. */
    uint64_t memory_bytes;
    /* vCPUs, 1 to VMM_MAX_CPUS. */
    unsigned int smp;
    /* Which CPU they see. */
    struct vmm_cpu_option cpu;
    /* What the machine is made of. */
    struct vmm_machine_options machine;
    /* A bzImage or ELF file to boot, or NULL for `beat`. */
    const char *kernel;
    /* Its initial RAM disk, or NULL. */
    const char *initrd;
    /* A firmware that starts it, or NULL. */
    const char *bios;
    /* Room for a firmware in bytes, 0, 64 KiB or 128 KiB, if it was given. */
    uint64_t firmware_bytes;
    bool has_firmware_size;
    /* The guest's command line, or NULL. */
    const char *append;
    /* Name of the VM for people, or NULL. */
    const char *name;
    /* UUID of the machine, if has_uuid. */
    uint8_t uuid[16];
    bool has_uuid;
    /* The first serial port. */
    struct vmm_chardev serial;
    bool has_serial;
    struct vmm_monitor_option monitors[VMM_MAX_MONITORS];
    unsigned int n_monitors;
    /* URI of an incoming migration, "defer", or NULL. */
    const char *incoming;
    /* Descriptors for /dev/fdset/N. */
    struct vmm_fdset_options fdsets;
    /* Do not start the guest. */
    bool paused;
    /* File that backs the guest's RAM, or NULL. */
    const char *mem_path;
    /* Map guest RAM shared (a memfd without mem_path). */
    bool share;
    enum vmm_accel_kind accel;
    /* Entries of KVM's dirty rings, a power of two; 0: the log is used. */
    uint32_t dirty_ring_size;
    /* Devices on virtio-mmio. */
    struct vmm_virtio_options virtio;
    /* A guest that resets the machine ends the program. */
    bool no_reboot;
    /* Drop privileges and system calls before the guest runs. */
    bool sandbox;
    /* --help was given. */
    bool help;
};

/* Defaults. */
void vmm_options_init(struct vmm_options *options);
void vmm_options_deinit(struct vmm_options *options);

/*
 * Parses argv[1..argc). -EINVAL with a text that names the option. argv must
 * outlive the options. Call it before anything is opened: the descriptors of
 * --add-fd are taken over and closed where they were.
 */
int vmm_options_parse(struct vmm_options *options, int argc, char **argv,
                      struct gw_error **errp) GW_MUST_CHECK;

/* Prints the list of options. */
void vmm_options_print(FILE *to);

#endif
