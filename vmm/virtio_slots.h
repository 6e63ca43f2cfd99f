/*
 * Where virtio-mmio devices are.
 */
#ifndef VMM_VIRTIO_SLOTS_H
#define VMM_VIRTIO_SLOTS_H

/* The first slot of virtio-mmio, its size, how many there are. */
#define VMM_VIRTIO_BASE 0xfeb00000u
#define VMM_VIRTIO_BYTES 0x200u
#define VMM_VIRTIO_SLOTS 8u
/* The interrupt of slot 0, with ACPI and without. */
#define VMM_VIRTIO_GSI_ACPI 16u
#define VMM_VIRTIO_GSI_PLAIN 5u

#endif
