"""Starts QEMU under TCG with the ticking guest, and saves and restores it."""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from linux.qemu_binary import qemu_binary  # noqa: E402
from peer import guest  # noqa: E402
from peer.qemu_process import QemuProcess  # noqa: E402

MACHINES = {
    "microvm": ["-M", "microvm,ioapic2=off"],
    "q35": ["-M", "q35,vmport=off", "-device", "virtio-rng-pci",
            "-device", "qemu-xhci"],
}
MEMORY_MIB = 128
BOOT_SECONDS = 90
TICK_SECONDS = 30


class Qemu(QemuProcess):
    """One of the machines above, whose console goes to a file."""

    def __init__(self, machine, folder, name, incoming=False):
        super().__init__(folder, name)
        self.machine = machine
        self.folder = folder
        # A monitor serves one client at a time: this one is for godwit ctl.
        self.second_socket = os.path.join(folder, f"{name}.ctl")
        self.incoming = incoming

    def command_line(self):
        line = [qemu_binary(), "-accel", "tcg,thread=single",
                "-cpu", "max,la57=off", *MACHINES[self.machine],
                "-nodefaults", "-no-user-config", "-nic", "none",
                "-display", "none", "-m", str(MEMORY_MIB), "-smp", "1",
                "-kernel", guest.kernel_image(), "-initrd", guest.initramfs(),
                "-append", guest.append(),
                "-serial", f"file:{self.serial}",
                "-qmp", f"unix:{self.socket},server=on,wait=off",
                "-qmp", f"unix:{self.second_socket},server=on,wait=off"]
        if self.incoming:
            line += ["-incoming", "defer"]
        return line

    def console(self):
        with open(self.serial, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ticks(self, count, before="", timeout=TICK_SECONDS):
        """Wait until `before` plus the console holds `count` more ticks than
        `before`; returns that text.  The ticks must have no gap."""
        deadline = time.monotonic() + timeout
        start = len(guest.ticks(before))
        while True:
            text = before + self.console()
            if len(guest.ticks(text)) >= start + count:
                guest.check(text)
                return text
            if self.process.poll() is not None:
                raise RuntimeError(f"QEMU ended: {self.error_text()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {count} ticks in {timeout} s, console "
                                   f"ends in {text[-400:]!r}")
            time.sleep(0.1)

    def save(self, path, mapped, offset=0, multifd=False, direct=False):
        """Save to a file and wait for it; the guest is stopped then."""
        self.qmp.capabilities(mapped_ram=mapped, multifd=multifd)
        self.qmp.command("migrate-set-parameters", direct_io=direct,
                         multifd_channels=8 if direct else 2)
        uri = f"file:{path}" + (f",offset={offset}" if offset else "")
        self.qmp.command("migrate", uri=uri)
        return self.qmp.wait_migration()

    def restore(self, path, mapped):
        """Load from a file; the guest runs afterwards, whatever it did."""
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate-incoming", uri=f"file:{path}",
                         exit_on_error=False)
        self.qmp.wait_migration()
        self.qmp.command("cont")


def goes_on(machine, folder, name, path, mapped, before, count=3):
    """Restore `path` in a new QEMU; the guest must go on at the next tick."""
    with Qemu(machine, folder, name, incoming=True) as vm:
        vm.restore(path, mapped)
        text = vm.wait_ticks(count, before)
    return guest.ticks(text)[-count:]
