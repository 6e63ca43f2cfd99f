"""A Linux that talks to its host over vsock without a pause, both ways."""

from linux import initramfs as image

MODULES = ["virtio_ring", "virtio", "virtio_mmio", "vsock",
           "vmw_vsock_virtio_transport_common", "vmw_vsock_virtio_transport"]

# Its port 1024 answers; it asks port 5000 of the host. What both say is in
# tests/rig/vsock-peer.c.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r module; do
    insmod "/modules/$module.ko" || echo "MODULE ERROR $module"
done </modules/order
for device in /sys/bus/virtio/devices/*; do
    echo "virtio $(cat "$device/device") $(cat "$device/features")"
done
vsock-peer echo vsock 1024 &
vsock-peer ask vsock 2 5000 &
n=0
while :; do
    n=$((n + 1))
    echo "tick $n ok"
    dmesg | grep -E 'nobody cared|hung task' | sed 's/^/ERROR: /'
    sleep 1
done
"""


def initramfs(vsock_peer):
    """Path of the guest's initramfs; `vsock_peer` is that of its program."""
    return image.initramfs("vsock", INIT, MODULES, vsock_peer)
