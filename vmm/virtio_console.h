/*
 * virtio-console: one port, which is a console, beside the serial line.
 */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "chardev.h"
#include "console.h"
#include "virtio.h"
#include "virtio_element.h"

struct vmm_virtio_console_config {
    struct vmm_virtio_config virtio;
    struct vmm_chardev chardev;
};

struct vmm_virtio_console {
    struct vmm_virtio device;
    struct vmm_console backend;
    /* The guest has opened the port. */
    uint8_t guest_connected;
    /* Output that the backend did not take whole: how far it is. */
    uint32_t has_pending;
    struct vmm_virtio_chain pending;
    size_t pending_done;

    /* --- what is sent, partly of the above in another form --- */
    uint16_t cols;
    uint16_t rows;
    uint32_t max_ports;
    uint32_t port_map;
    uint32_t n_ports;
    uint32_t port_id;
    uint8_t host_connected;
    uint32_t sent_part;
    uint64_t sent_offset;
    uint8_t sent_element[VMM_VIRTIO_ELEMENT_BYTES];
};

extern const struct gw_vmstate vmm_virtio_console_vmstate;

int vmm_virtio_console_init(struct vmm_virtio_console *console,
                            const struct vmm_virtio_console_config *config,
                            struct gw_error **errp) GW_MUST_CHECK;
void vmm_virtio_console_deinit(struct vmm_virtio_console *console);

#endif
