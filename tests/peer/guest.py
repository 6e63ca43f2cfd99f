"""The guest of the peer tests: a Linux that ticks and checks its memory."""

import functools
import re

from linux import initramfs as image
from linux.kernel import kernel
from linux.tsc import tsc_khz

APPEND = "console=ttyS0 quiet panic=-1 mitigations=off"

# Each tick rewrites one of four pieces with random bytes and then proves all
# four against their checksums, so that one stale or lost page is noticed.
# Words of the kernel's command line: `ticks=N end=poweroff|reboot` ends it
# after N ticks; `watch` adds the uptime to each tick, and what the kernel says
# of its clocks, locks and interrupts after it has booted.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
mkdir /work /proc
BAD='soft lockup|rcu.*stall|hung task|kvm-clock.*unstable because|nobody cared|BUG:|WARNING:'
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
    case $word in
    ticks=*|end=*) eval "$word" ;;
    watch) watch=1 && dmesg -c >/dev/null ;;
    esac
done
mount -t tmpfs tmpfs /work
cd /work
for i in 0 1 2 3; do
    head -c 524288 /dev/urandom >piece$i
    md5sum piece$i >sum$i
done
n=0
while :; do
    n=$((n + 1))
    i=$((n % 4))
    head -c 524288 /dev/urandom >piece$i
    md5sum piece$i >sum$i
    if cat sum0 sum1 sum2 sum3 | md5sum -c >check 2>&1; then
        echo "tick $n ok${watch:+ at $(cut -d' ' -f1 /proc/uptime)}"
    else
        echo "tick $n MEMORY ERROR"
        cat check
    fi
    [ -z "$watch" ] || dmesg -c | grep -E "$BAD" | sed 's/^/ERROR: /'
    [ "$n" != "$ticks" ] || $end -f
    sleep 1
done
"""


class GuestError(AssertionError):
    """The guest noticed the move: a lost tick or a memory error."""


def kernel_image():
    return kernel().image


@functools.cache
def initramfs():
    """Path of the guest's initramfs."""
    return image.initramfs("ticking", INIT)


def append():
    return f"{APPEND} tsc_early_khz={tsc_khz()}"


def ticks(text):
    """The numbers of all whole tick lines."""
    return [int(n) for n in re.findall(r"^tick (\d+) \w+.*\n", text, re.M)]


def check(text):
    """Raise unless the ticks are 1, 2, 3 ... and the memory was always good."""
    numbers = ticks(text)
    if numbers != list(range(1, len(numbers) + 1)):
        raise GuestError(f"ticks are not consecutive: {numbers}")
    for sign in ("MEMORY ERROR", "FAILED", "Oops", "BUG:", "Kernel panic"):
        if sign in text:
            raise GuestError(f"console says {sign!r}: {text[-600:]}")
