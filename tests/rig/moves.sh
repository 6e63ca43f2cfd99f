# A Linux at work that moves between programs, again and again; source it after
# lib.sh. It needs the scenario's head to ask for godwit, QEMU with its firmware,
# mke2fs, e2fsck, the module tun, and `# level2: load`.

APPEND="console=ttyS0 quiet panic=-1 mitigations=off"
DISK=/tmp/disk.img

# in_qemu NAME OPTION..., in_godwit NAME OPTION...: with the machine's devices
in_qemu()
{
    name=$1
    shift
    set -- -m 128 -smp "$cpus" "$@"
    if [ "$devices" != bare ]; then
        legacy=$([ "$devices" = legacy ] && echo on || echo off)
        set -- -drive id=d0,file=$DISK,format=raw,if=none,cache=writeback \
            -device virtio-blk-device,drive=d0 \
            -netdev tap,id=n0,ifname=tap0,script=no,downscript=no,vhost=off \
            -device virtio-net-device,netdev=n0 \
            -device virtio-rng-device -device virtio-serial-device \
            -chardev "file,id=c0,path=/tmp/$name.hvc" \
            -device virtconsole,chardev=c0 \
            -device virtio-balloon-device,free-page-reporting=on \
            -global "virtio-mmio.force-legacy=$legacy" "$@"
    fi
    qemu_start "$name" "$@"
}

in_godwit()
{
    name=$1
    shift
    set -- -m 128 --smp "$cpus" "$@"
    if [ "$devices" != bare ]; then
        set -- --virtio "$devices" --disk file=$DISK --net tap,ifname=tap0 \
            --rng --virtio-console "file:/tmp/$name.hvc" --balloon "$@"
    fi
    godwit_start "$name" "$@"
}

# move N PROGRAM: from machine N - 1 to N; both formats, in each direction
move()
{
    from=$id.$(($1 - 1))
    format=$([ $(($1 / 2 % 2)) = 0 ] && echo off || echo on)
    vm_save "$from" /tmp/state "$format"
    cat "/tmp/$from.serial" >>/tmp/all.serial
    "in_$2" "$id.$1" -incoming defer
    vm_load "$id.$1" /tmp/state "$format"
    wait_work "$id.$1" 120
    echo "$id.$1, $2, mapped-ram $format: $(grep ^tick "/tmp/$id.$1.serial" | tail -1)"
    rm -f /tmp/state "/tmp/$from".*
}

# finish NAME: the guest is told to end, and what it leaves is whole
finish()
{
    if [ "$devices" = bare ]; then
        hmp "$1" quit
    else
        touch /tmp/end
        wait_for 100 "/tmp/$1.serial" "^unmounted"
    fi
    wait_end "$1" 30
    cat "/tmp/$1.serial" >>/tmp/all.serial
    [ "$devices" = bare ] && return
    wait "$(cat /tmp/answer.pid)" || fail "$(cat /tmp/answer.log)"
    echo "the connection's other end has answered $(cat /tmp/answered) blocks"
    e2fsck -fn $DISK || fail "the file system is not whole"
}

# go_on_and_on MACHINE MOVES PROGRAM...: boots MACHINE (VCPUS:bare,
# VCPUS:legacy or VCPUS:modern, with :elf behind it if the kernel shall be the
# ELF image and not the bzImage) in the first PROGRAM, moves it to the next one,
# and so on in turn, and ends it. After each move all of its work must go on,
# and its kernel have nothing to say.
go_on_and_on()
{
    case $1 in
    *:elf) kernel=vmlinux ;;
    *) kernel=vmlinuz ;;
    esac
    machine=${1%:elf} moves=$2 n=0
    cpus=${machine%:*} devices=${machine#*:}
    shift 2
    id=vm$cpus$devices.$1
    programs=$*
    : >/tmp/all.serial
    if [ "$devices" != bare ]; then
        truncate -s 64M $DISK
        /rig/mke2fs -q -F -t ext4 $DISK || fail "mke2fs"
        answering
    fi
    start=$(cut -d. -f1 /proc/uptime)
    "in_$1" "$id.0" -kernel $kernel -initrd initramfs -append "$APPEND"
    wait_ticks 200 "/tmp/$id.0.serial" 2
    wait_work "$id.0" 60
    booted=$(cut -d. -f1 /proc/uptime)
    while [ $n -lt "$moves" ]; do
        n=$((n + 1))
        shift
        [ $# -gt 0 ] || eval "set -- $programs"
        move $n "$1"
    done
    finish "$id.$n"
    cp /tmp/all.serial "/out/$id.console"
    consecutive $((2 * moves + 2)) /tmp/all.serial
    steady 100 /tmp/all.serial
    echo "$id, $kernel: $moves moves, $(grep -c ^tick /tmp/all.serial) ticks," \
        "boot $((booted - start)) s," \
        "moves $(($(cut -d. -f1 /proc/uptime) - booted)) s"
}
