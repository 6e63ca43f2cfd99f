/*
 * Options of virtio devices: `--disk file=PATH,readonly=on` and so on.
 */
#ifndef VMM_VIRTIO_OPTIONS_H
#define VMM_VIRTIO_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "block.h"
#include "chardev.h"
#include "virtio_slots.h"

enum vmm_virtio_kind {
    VMM_VIRTIO_DISK,
    VMM_VIRTIO_NET,
    VMM_VIRTIO_RNG,
    VMM_VIRTIO_CONSOLE,
    VMM_VIRTIO_BALLOON,
    VMM_VIRTIO_VSOCK,
};

enum vmm_net_kind {
    VMM_NET_TAP,
    VMM_NET_PASST,
};

struct vmm_net_config {
    enum vmm_net_kind kind;
    /* tap: name of the interface, or NULL for a descriptor; owned. */
    char *ifname;
    /* tap: the descriptor; or -1. */
    int fd;
    /* tap: packets have headers of their own, with offloads. */
    bool vnet_header;
    /* passt: the socket; owned. */
    char *path;
    uint8_t mac[6];
};

/* One device, in the order of the command line. */
struct vmm_virtio_option {
    enum vmm_virtio_kind kind;
    /* Slot 0 to 7, or -1: the highest that is free. */
    int slot;
    /* --- disk; and the socket of vsock --- */
    char *file;
    char *serial;
    bool readonly;
    bool direct;
    enum vmm_block_aio aio;
    unsigned int queues;
    /* --- net --- */
    struct vmm_net_config net;
    /* --- console --- */
    struct vmm_chardev chardev;
    /* --- balloon --- */
    bool no_reporting;
    /* --- vsock --- */
    uint32_t cid;
};

struct vmm_virtio_options {
    /* Registers of VIRTIO 1; otherwise those before, QEMU's default. */
    bool modern;
    struct vmm_virtio_option devices[VMM_VIRTIO_SLOTS];
    unsigned int n_devices;
};

/* Adds the device that a value such as "file=PATH,readonly=on" describes. */
int vmm_virtio_options_add(struct vmm_virtio_options *options,
                           enum vmm_virtio_kind kind, const char *value,
                           struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_options_deinit(struct vmm_virtio_options *options);

#endif
