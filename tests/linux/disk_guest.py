"""A Linux that writes to a disk under virtio without a pause, and checks it."""

import hashlib
import os

from linux.archive import Archive
from linux.cache import cache_dir, locked
from linux.kernel import kernel

MODULES = ["virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "failover",
           "net_failover", "virtio_net", "virtio_console", "virtio-rng",
           "virtio_balloon"]

# /dev/vda has an ext4 file system. One process overwrites a file in it all the
# time; beside it, each tick writes one of four pieces, syncs, drops the page
# cache and proves all four, read from the disk, against their checksums.
# `ticks=N` on the kernel's command line ends it after N ticks: it unmounts the
# file system and switches itself off.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
mkdir -p /proc /sys /disk
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for word in $(cat /proc/cmdline); do
    case $word in
    ticks=*) eval "$word" ;;
    esac
done
while read -r module; do
    insmod "/modules/$module.ko" || echo "MODULE ERROR $module"
done </modules/order
for device in /sys/bus/virtio/devices/*; do
    echo "virtio $(cat "$device/device") $(cat "$device/features")"
done
mount -t ext4 -o errors=panic /dev/vda /disk || echo "MOUNT ERROR"
[ ! -e /dev/hwrng ] || [ "$(head -c 64 /dev/hwrng | wc -c)" = 64 ] ||
    echo "RNG ERROR"
[ ! -e /dev/hvc0 ] || echo "hello from hvc0" >/dev/hvc0
for card in /sys/class/net/eth*; do
    [ ! -e "$card" ] || ip link set "${card##*/}" up
done
while :; do
    dd if=/dev/zero of=/disk/load bs=64k count=64 conv=notrunc,fsync \\
        2>/dev/null || echo "LOAD ERROR"
    echo >>/tmp.loads
done &
load=$!
cd /disk || echo "DISK ERROR"
for i in 0 1 2 3; do
    head -c 262144 /dev/urandom >piece$i
    md5sum piece$i >sum$i
done
n=0
while :; do
    n=$((n + 1))
    i=$((n % 4))
    head -c 262144 /dev/urandom >piece$i
    md5sum piece$i >sum$i
    sync
    echo 3 >/proc/sys/vm/drop_caches
    if cat sum0 sum1 sum2 sum3 | md5sum -c >/check 2>&1; then
        echo "tick $n ok, $(wc -l </tmp.loads) loads"
    else
        echo "tick $n DISK ERROR"
        cat /check
    fi
    dmesg | grep -E 'I/O error|EXT4-fs error|nobody cared|hung task' |
        sed 's/^/ERROR: /'
    if [ "$n" = "$ticks" ]; then
        kill $load
        wait $load 2>/dev/null
        cd /
        # What the loop had begun last may still be at work.
        tries=0
        while ! umount /disk 2>/dev/null && [ $tries -lt 30 ]; do
            tries=$((tries + 1))
            sleep 1
        done
        grep -q " /disk " /proc/mounts || echo "unmounted"
        poweroff -f
    fi
    sleep 1
done
"""


def initramfs():
    """Path of the guest's initramfs, built once per version of its script."""
    linux = kernel()
    digest = hashlib.sha256((INIT + linux.release).encode()).hexdigest()[:12]
    path = os.path.join(cache_dir(), f"disk-{digest}.cpio")
    with locked("disk"):
        if not os.path.exists(path):
            archive = Archive()
            archive.console()
            archive.busybox()
            archive.directory("dev")
            for name in MODULES:
                archive.data(f"modules/{name}.ko", linux.module(name))
            archive.text("modules/order", "".join(f"{m}\n" for m in MODULES))
            archive.text("init", INIT, 0o755)
            archive.write(path + ".new")
            os.rename(path + ".new", path)
    return path
