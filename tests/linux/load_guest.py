"""A Linux that works all the time, and says when anything is lost.

Its memory, vector registers, a file system under virtio-blk and a TCP
connection over virtio-net are written and checked by processes of their own
(`guest-work.c`); it works with what devices there are.
"""

from linux import initramfs as image

MODULES = ["virtio_ring", "virtio", "virtio_mmio", "virtio_blk", "failover",
           "net_failover", "virtio_net", "virtio_console", "virtio-rng",
           "virtio_balloon"]

# Words of the kernel's command line: `ticks=N` ends it after N ticks, `shell`
# gives a shell on the serial line in place of the work. Each tick shows how far
# all work has come, and what the kernel has said since the second one: as an
# error, but for how long an emulated CPU took (SLOW), and for the TSC if that
# alone, not its skew, is why the kernel gives it up. When the peer of the TCP
# connection says so, the disk is unmounted and the machine switched off.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
SLOW='hrtimer: interrupt took\\|read-back delay\\|Long readout interval'
mount -t devtmpfs devtmpfs /dev
mkdir -p /proc /sys /disk /run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for word in $(cat /proc/cmdline); do
    case $word in
    ticks=*|shell) eval "${word%%=*}=${word#*=}" ;;
    esac
done
while read -r module; do
    insmod "/modules/$module.ko" || echo "ERROR: module $module"
done </modules/order
for device in /sys/bus/virtio/devices/*; do
    [ ! -e "$device" ] ||
        echo "virtio $(cat "$device/device") $(cat "$device/features")"
done
disks=
if [ -e /dev/vda ]; then
    mount -t ext4 -o errors=panic /dev/vda /disk || echo "ERROR: mount"
    disks="disk1 disk2"
fi
talk=
if [ -e /sys/class/net/eth0 ]; then
    ip addr add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    talk=talk
fi
case $(cat /sys/class/misc/hw_random/rng_current) in
virtio*) [ "$(head -c 64 /dev/hwrng | wc -c)" = 64 ] || echo "ERROR: rng" ;;
esac
[ ! -e /dev/hvc0 ] || echo "hello from hvc0" >/dev/hvc0
if [ -n "$shell" ]; then
    setsid cttyhack sh
    poweroff -f
fi
cpus=$(nproc)
work="memory $disks $talk"
kernel_words()
{
    dmesg -c >/run/dmesg
    # The lines that follow may be of the next second.
    if grep -q "read-back delay of .* marking unstable" /run/dmesg; then
        SLOW="$SLOW\\|Marking TSC unstable due to clocksource watchdog"
    fi
    sed -e "/$SLOW/s/^/slow: /" -e t \
        -e "s/^/ERROR: the kernel says: /" /run/dmesg
}
guest-work memory /run/memory 4 &
cpu=0
while [ $cpu -lt "$cpus" ]; do
    taskset -c $cpu guest-work registers /run/registers$cpu $cpu &
    work="$work registers$cpu"
    cpu=$((cpu + 1))
done
for disk in $disks; do
    guest-work disk /run/$disk /disk/$disk &
done
[ -z "$talk" ] || { guest-work talk /run/talk 10.0.2.2 7 && touch /run/end; } &
n=0
while :; do
    sleep 1
    n=$((n + 1))
    read -r uptime rest </proc/uptime
    line="tick $n ok at $uptime"
    for one in $work; do
        read -r count <"/run/$one"
        line="$line $one $count"
    done
    echo "$line"
    [ $n != 2 ] || dmesg -c >/dev/null
    [ $n -le 2 ] || kernel_words
    [ "$n" != "$ticks" ] || touch /run/end
    if [ -e /run/end ]; then
        killall guest-work
        wait
        [ -z "$disks" ] || umount /disk || echo "ERROR: umount"
        echo "unmounted"
        poweroff -f
    fi
done
"""


def initramfs(guest_work):
    """Path of the guest's initramfs; `guest_work` is that of its program."""
    return image.initramfs("load", INIT, MODULES, guest_work)
