# Helpers for scenarios; source it: . /rig/lib.sh

fail()
{
    echo "FAILED: $*"
    exit 1
}

# stuck NAME TEXT...: say what a VM and its threads are doing, and fail
stuck()
{
    name=$1
    shift
    pid=$(cat "/tmp/$name.pid")
    echo "$name: $*"
    hmp "$name" info status
    hmp "$name" info migrate
    sleep 1
    cp "/tmp/$name.serial" "/tmp/$name.monitor" "/tmp/$name.stderr" /out
    for file in monitor stderr serial; do
        echo "$name.$file ends in:"
        tail -8 "/tmp/$name.$file" 2>/dev/null
    done
    if [ ! -d "/proc/$pid" ]; then
        wait "$pid"
        fail "$name: it ended with status $?; kernel: $(dmesg | tail -3)"
    fi
    for task in /proc/"$pid"/task/*; do
        echo "$(cat "$task/comm") $(grep State "$task/status")" \
            "in $(cat "$task/wchan"), system call $(cat "$task/syscall")"
        cat "$task/stack"
    done
    cp "/proc/$pid/maps" "/out/$name.maps"
    fail "$name: $*"
}

# vm_of FILE: the name of the VM whose serial port or monitor goes to FILE
vm_of()
{
    of=$(basename "$1")
    echo "${of%.*}"
}

# wait_end NAME SECONDS: until its process has ended; it must end well
wait_end()
{
    wait_until "$1" "$2" "does not end in $2 s" has_ended "$1"
    wait "$(cat "/tmp/$1.pid")" || fail "$1 ended badly: $(tail -5 "/tmp/$1.stderr")"
}

# running NAME: its process has not ended
running()
{
    grep -q 'State:.[^Z]' "/proc/$(cat "/tmp/$1.pid")/status" 2>/dev/null
}

has_ended()
{
    ! running "$1"
}

# wait_until NAME SECONDS TEXT COMMAND...: until the command succeeds; TEXT
# says what is amiss if it does not, or can no longer because NAME has ended
wait_until()
{
    of=$1
    tries=$(($2 * 5))
    amiss=$3
    shift 3
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || stuck "$of" "$amiss"
        running "$of" || "$@" || stuck "$of" "$amiss"
        usleep 200000
    done
}

# wait_for SECONDS FILE PATTERN: until a line of FILE matches
wait_for()
{
    wait_until "$(vm_of "$2")" "$1" "no '$3' after $1 s" \
        grep -qs -- "$3" "$2"
}

# The tick lines of the Linux guest (`tick 3 ok`) and of beat (`beat: tick 3 ...`)
TICK='s/^\(beat: \)\{0,1\}tick \([0-9][0-9]*\) .*/\2/p'

# ticks FILE...: the numbers of all whole tick lines
ticks()
{
    cat "$@" 2>/dev/null | sed -n "$TICK"
}

# has_ticks FILE COUNT: there are as many tick lines, or more
has_ticks()
{
    [ "$(ticks "$1" | wc -l)" -ge "$2" ]
}

# last_life WORDS FILE: what its guest has said since it began last, which are
# these words; a reset may have cut a line, behind which they stand. The last
# line may be cut too: the guest ends it where it goes on.
last_life()
{
    begin=$(grep -n "$1" "$2" | tail -n 1)
    tail -n "+${begin%%:*}" "$2" | sed "1s/.*$1/$1/"
}

# wait_ticks SECONDS FILE COUNT: until FILE has COUNT tick lines
wait_ticks()
{
    wait_until "$(vm_of "$2")" "$1" "no $3 ticks after $1 s" \
        has_ticks "$2" "$3"
}

COMPLAINTS='ERROR\|FAILED\|Oops\|Kernel panic\|errors=[^0]'

# consecutive COUNT FILE...: the ticks in the files, in order, are 1, 2, 3 ...,
# at least COUNT of them, and the guest never complained
consecutive()
{
    least=$1
    shift
    cat "$@" >/tmp/.consecutive
    if grep "$COMPLAINTS" /tmp/.consecutive; then
        fail "the guest complains: $(tail -5 /tmp/.consecutive)"
    fi
    ticks /tmp/.consecutive | awk -v least="$least" '
            $1 != NR { print "tick", $1, "where", NR, "was due"; bad = 1 }
            END {
                if (NR < least) { print NR, "ticks of", least; bad = 1 }
                exit bad
            }' || fail "a tick is missing"
}

MICROVM=microvm,pic=off,pit=off,rtc=off,ioapic2=off

# pipe NAME: a pipe that someone holds open, so that no writer to it waits for
# a process that has died, and no line is lost before its reader has come
pipe()
{
    mkfifo "$1"
    sleep 86400 0<>"$1" >/dev/null 2>&1 &
}

QEMU=qemu-system-x86_64-microvm
# With -M $MICROVM, what godwit has without options
PLAIN="-accel kvm -cpu host -nodefaults -no-user-config -nic none -display none
    -global kvm-apic.vapic=off"

# qemu_start NAME OPTION...: QEMU/KVM in the background, its monitor a pipe
# /tmp/NAME.in, its serial port in /tmp/NAME.serial
qemu_start()
{
    name=$1
    shift
    pipe "/tmp/$name.in"
    mkfifo "/tmp/$name.out"
    cat "/tmp/$name.out" >"/tmp/$name.monitor" &
    $QEMU $PLAIN -M $MICROVM -chardev "pipe,id=mon,path=/tmp/$name" \
        -mon chardev=mon,mode=readline -serial "file:/tmp/$name.serial" \
        "$@" >"/tmp/$name.stderr" 2>&1 &
    echo $! >"/tmp/$name.pid"
}

# godwit_start NAME OPTION...: godwit on KVM in the background, driven alike. A
# guest that resets ends it, for that is how a panic ends; REBOOT= lets it go on
godwit_start()
{
    name=$1
    shift
    pipe "/tmp/$name.in"
    godwit run --accel kvm --serial "file:/tmp/$name.serial" --monitor stdio \
        ${REBOOT---no-reboot} "$@" 0<>"/tmp/$name.in" \
        >"/tmp/$name.monitor" 2>"/tmp/$name.stderr" &
    echo $! >"/tmp/$name.pid"
}

# hmp NAME COMMAND...: type a line at its monitor
hmp()
{
    name=$1
    shift
    echo "$*" >"/tmp/$name.in"
}

# wait_migration NAME: until its monitor says that the migration is complete
wait_migration()
{
    tries=300
    until tail -c 4000 "/tmp/$1.monitor" | grep -q 'Migration status: comp'
    do
        tries=$((tries - 1))
        if [ $tries = 0 ] || tail -c 4000 "/tmp/$1.monitor" |
            grep -q 'Migration status: failed'; then
            fail "$1: $(tail -30 "/tmp/$1.monitor" "/tmp/$1.stderr")"
        fi
        hmp "$1" info migrate
        usleep 100000
    done
}

# vm_save NAME FILE on|off: save (mapped-ram or not), wait, end the process
vm_save()
{
    hmp "$1" migrate_set_capability mapped-ram "$3"
    hmp "$1" migrate -d "file:$2"
    wait_migration "$1"
    hmp "$1" quit
    wait_end "$1" 20
}

# vm_load NAME FILE on|off: into a VM that was started with -incoming defer
vm_load()
{
    hmp "$1" migrate_set_capability mapped-ram "$3"
    hmp "$1" migrate_incoming "file:$2"
}

# steady SECONDS FILE: the uptimes of `tick N ok at UPTIME` rise, each by less
# than SECONDS: the guest's clock neither stood nor jumped
steady()
{
    sed -n 's/^tick [0-9]* ok at \([0-9.]*\).*/\1/p' "$2" | awk -v most="$1" '
            NR > 1 && ($1 <= last || $1 > last + most) {
                print "from uptime", last, "to", $1; bad = 1
            }
            { last = $1 }
            END { exit bad || NR < 2 }' || fail "the clock does not go on"
}

# network: a tap interface that outlives the guests
network()
{
    tunctl -t tap0 >/dev/null || fail "no tap interface"
    ip addr add 10.0.2.2/24 dev tap0
    ip link set tap0 up
}

# answering: the other end of the working guest's connection; it counts in
# /tmp/answered, and tells the guest to end once there is /tmp/end
answering()
{
    rm -f /tmp/end
    guest-work answer /tmp/answered 10.0.2.2 7 /tmp/end >/tmp/answer.log 2>&1 &
    echo $! >/tmp/answer.pid
}

# rises FILE COUNT: between the first and the last of at least COUNT ticks in
# FILE, all that the working guest counts has risen
rises()
{
    sed -n 's/^tick [0-9]* ok at //p' "$1" 2>/dev/null | awk -v least="$2" '
        NR == 1 { split($0, first) }
        { n = split($0, last) }
        END {
            for (i = 3; i <= n; i += 2) {
                if (last[i] <= first[i]) { exit 1 }
            }
            exit NR < least || n < 3
        }'
}

# wait_work NAME SECONDS: until all work of the guest has gone on
wait_work()
{
    wait_until "$1" "$2" "work stands" rises "/tmp/$1.serial" 2
    ! grep "$COMPLAINTS" "/tmp/$1.serial" || stuck "$1" "the guest complains"
}
