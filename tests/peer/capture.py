"""Files that QEMU wrote of a running guest, made once per build folder.

Of each machine there are, from one boot:

  plain    saved while the guest ran; the guest is stopped at the end of it
  mapped   saved with mapped-ram while the guest ran on, some ticks later
  multifd  saved with mapped-ram by two channels while the guest ran
  direct   saved likewise by eight channels with direct I/O
  offset   saved with mapped-ram of the stopped guest, OFFSET bytes into the
           file

and beside each the console up to that moment, so that a restored guest can
be held to going on at the very next tick.
"""

import fcntl
import hashlib
import os
import shutil

from linux.kernel import kernel
from linux.qemu_binary import qemu_binary, qemu_version
from peer import guest
from peer.godwit import build_folder
from peer.qemu import MACHINES, MEMORY_MIB, BOOT_SECONDS, Qemu


# Not a multiple of anything, so that a forgotten offset shows.
OFFSET = 5000
KINDS = ("plain", "mapped", "multifd", "direct", "offset")


class Capture:
    """One saved file and the console of its guest until then."""

    def __init__(self, machine, folder, kind):
        self.machine = machine
        self.mapped = kind != "plain"
        self.multifd = kind in ("multifd", "direct")
        self.direct = kind == "direct"
        self.offset = OFFSET if kind == "offset" else 0
        self.path = os.path.join(folder, f"{kind}.mig")
        self.console_path = os.path.join(folder, f"{kind}.console")

    @property
    def console(self):
        with open(self.console_path, encoding="utf-8") as file:
            return file.read()


def work_folder(name):
    """A fresh folder for one test's files, in the build folder."""
    path = os.path.join(build_folder(), "peer", name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def key(machine):
    """What a capture depends on; another QEMU or kernel makes new ones."""
    parts = [MACHINES[machine], MEMORY_MIB, guest.INIT, guest.APPEND,
             KINDS, OFFSET, kernel().release, qemu_version(qemu_binary())]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def save_once(vm, folder, kind, before_ticks):
    vm.wait_ticks(before_ticks)
    item = Capture(vm.machine, folder, kind)
    vm.save(item.path, item.mapped, item.offset, item.multifd, item.direct)
    text = vm.console()
    guest.check(text)
    with open(item.console_path, "w", encoding="utf-8") as file:
        file.write(text)
    vm.qmp.command("cont")


def finish_work(folder, status):
    """Files of a test that went well are only in the way."""
    if status == 0:
        shutil.rmtree(folder)
    return status


def make(machine, folder):
    with Qemu(machine, folder, "source") as vm:
        vm.wait_ticks(2, timeout=BOOT_SECONDS)
        save_once(vm, folder, "plain", 2)
        save_once(vm, folder, "mapped", 4)
        save_once(vm, folder, "multifd", 4)
        save_once(vm, folder, "direct", 4)
        vm.qmp.command("stop")
        save_once(vm, folder, "offset", 4)


def captures(machine):
    """The captures of a machine by kind."""
    top = os.path.join(build_folder(), "peer")
    os.makedirs(top, exist_ok=True)
    folder = os.path.join(top, f"capture-{machine}-{key(machine)}")
    with open(os.path.join(top, f".{machine}.lock"), "w",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            work = work_folder(f"capture-{machine}.new")
            make(machine, work)
            os.rename(work, folder)
    return {kind: Capture(machine, folder, kind) for kind in KINDS}
