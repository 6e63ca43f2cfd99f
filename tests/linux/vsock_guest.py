"""A Linux that talks to its host over vsock without a pause, both ways."""

import hashlib
import os

from linux.archive import Archive
from linux.cache import cache_dir, locked
from linux.kernel import kernel

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


def digest_of(program, release):
    with open(program, "rb") as file:
        digest = hashlib.sha256(file.read())
    digest.update((INIT + release).encode())
    return digest.hexdigest()[:12]


def initramfs(program):
    """Path of the guest's initramfs, built once per version of its parts;
    `program` is the path of vsock-peer."""
    linux = kernel()
    digest = digest_of(program, linux.release)
    path = os.path.join(cache_dir(), f"vsock-{digest}.cpio")
    with locked("vsock"):
        if not os.path.exists(path):
            archive = Archive()
            archive.console()
            archive.busybox()
            archive.directory("dev")
            archive.program("bin/vsock-peer", program)
            for name in MODULES:
                archive.data(f"modules/{name}.ko", linux.module(name))
            archive.text("modules/order", "".join(f"{m}\n" for m in MODULES))
            archive.text("init", INIT, 0o755)
            archive.write(path + ".new")
            os.rename(path + ".new", path)
    return path
