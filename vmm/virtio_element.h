/*
 * A chain that is not answered yet, as QEMU saves one: raw bytes in the
 * host's order (docs/spec/virtio.md, 2).
 */
#ifndef VMM_VIRTIO_ELEMENT_H
#define VMM_VIRTIO_ELEMENT_H

#include <stdint.h>

#include "virtio_queue.h"

#define VMM_VIRTIO_ELEMENT_BYTES 49168

/* The chain's head: enough to read it again from guest memory. */
uint16_t
vmm_virtio_element_head(const uint8_t element[VMM_VIRTIO_ELEMENT_BYTES]);

void vmm_virtio_element_encode(const struct vmm_virtio_chain *chain,
                               const struct vmm_guest_memory *memory,
                               uint8_t ret_element[VMM_VIRTIO_ELEMENT_BYTES]);

#endif
