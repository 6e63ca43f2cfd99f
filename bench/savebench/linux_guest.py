"""RAM of a Linux that has booted and done something, taken through QEMU.

Debian's kernel with a small initramfs boots in QEMU's microvm; the guest
unpacks, packs and sorts files until it has used most of its memory as a
small server would: program text, page cache, text, compressed data, freed
pages that still hold what they held. QEMU saves it, and `godwit convert`
takes the RAM block out of the file.
"""

import os
import subprocess
import sys
import time

from .qmp import Qmp

sys.path.insert(
    0,
    os.path.join(
        os.path.dirname(
            os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        ),
        "tests",
    ),
)

from linux.archive import Archive  # noqa: E402
from linux.kernel import KernelMissing, kernel  # noqa: E402
from linux.tsc import tsc_khz  # noqa: E402

BOOT_SECONDS = 600
MIN_MIB, MAX_MIB = 512, 1024
READY = "guest is ready"
BLOCK = "microvm.ram"

# About two thirds of the memory are used at the end, one of them by files
# that were removed again.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mkdir -p /work
mount -t tmpfs -o size=90% tmpfs /work
cd /work
total=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
cp -r /lib/modules modules
piece=$(du -sm modules | cut -f1)
n=0
while [ $(((n + 2) * piece * 3 / 2)) -lt $((total * 5 / 10)) ]; do
    n=$((n + 1))
    cp -r modules copy$n
done
rm -rf copy1
find / -xdev | sort >names
i=0
while [ $i -lt 40 ]; do
    i=$((i + 1))
    cat names /proc/kallsyms >text$i
done
gzip -c -1 text1 >text.gz
rm -f text2 text4
echo "@READY@ $(free -m | sed -n 2p)"
while :; do sleep 1; done
"""


def _initramfs(path):
    archive = Archive()
    archive.console()
    archive.busybox()
    for name in ("dev", "proc"):
        archive.directory(name)
    root = kernel().root
    top = os.path.join(root, "lib", "modules")
    for folder, _, files in os.walk(top):
        for name in files:
            source = os.path.join(folder, name)
            if os.path.isfile(source) and not os.path.islink(source):
                archive.file(os.path.relpath(source, root), source)
    archive.text("init", INIT.replace("@READY@", READY), 0o755)
    archive.write(path)


def _wait(serial, process):
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        text = ""
        if os.path.exists(serial):
            with open(serial, encoding="utf-8", errors="replace") as file:
                text = file.read()
        if READY in text:
            return
        if process.poll() is not None or "Kernel panic" in text:
            break
        time.sleep(0.2)
    raise RuntimeError(f"the Linux guest does not get ready: {text[-400:]}")


def _save(qmp, image):
    qmp.command("stop")
    qmp.command(
        "migrate-set-capabilities",
        capabilities=[
            {"capability": name, "state": True}
            for name in ("events", "mapped-ram")
        ],
    )
    qmp.command("migrate-set-parameters", **{"max-bandwidth": 0})
    qmp.command("migrate", uri="file:" + image)
    qmp.wait_migration()
    qmp.command("quit")


def _boot_and_save(qemu, directory, mib, image):
    initrd = os.path.join(directory, "initramfs")
    serial = os.path.join(directory, "serial")
    socket = os.path.join(directory, "linux.qmp")
    _initramfs(initrd)
    append = (
        "console=ttyS0 quiet panic=-1 mitigations=off "
        f"tsc_early_khz={tsc_khz()}"
    )
    process = subprocess.Popen(
        [
            *(qemu, "-accel", "tcg,thread=single", "-cpu", "max,la57=off"),
            *("-M", "microvm,ioapic2=off", "-nodefaults", "-nic", "none"),
            *("-no-user-config", "-display", "none", "-m", str(mib)),
            *("-kernel", kernel().image, "-initrd", initrd),
            *("-append", append, "-serial", "file:" + serial),
            *("-qmp", f"unix:{socket},server=on,wait=off"),
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        qmp = Qmp(socket, process)
        _wait(serial, process)
        _save(qmp, image)
        qmp.close()
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()


class NoLinux(Exception):
    """A Linux guest cannot be had here; says why."""


def capture(qemu, godwit, directory, size):
    """Path of a raw file with the RAM of a Linux guest, which has as much as
    will be used of it, within limits."""
    mib = max(MIN_MIB, min(size >> 20, MAX_MIB))
    folder = os.path.join(directory, "linux")
    raw = os.path.join(folder, "raw")
    image = os.path.join(folder, "image")
    os.makedirs(folder)
    try:
        _boot_and_save(qemu, folder, mib, image)
    except (KernelMissing, FileNotFoundError, RuntimeError) as error:
        raise NoLinux(str(error)) from error
    subprocess.run(
        [godwit, "convert", "--to", "raw", image, raw],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    os.unlink(image)
    os.unlink(os.path.join(folder, "initramfs"))
    return os.path.join(raw, BLOCK)
