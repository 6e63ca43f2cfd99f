"""A guest with hands: it does what the test tells it, and nothing else.

The guest's program is its firmware: it waits at a mailbox in RAM and makes one
access to a device for each message. So a test drives QEMU's device models by
their registers, and sees the rings and buffers in RAM as they are: in the
memory of the process, whose guest may have gigabytes of it and touches next
to nothing.
"""

import contextlib
import os
import re
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from linux.qemu_binary import qemu_binary  # noqa: E402
from peer.godwit import program  # noqa: E402
from peer.qmp import Qmp  # noqa: E402

MACHINE = "microvm,acpi=off,pic=off,pit=off,rtc=off,ioapic2=off"
FIRMWARE_BYTES = 64 << 10
LOW_END = 0xc0000000
HIGH_START = 1 << 32
# Of the mailbox: message, answer, operation, address, value.
MAILBOX = 0x1000
STORE, LOAD, OUTPUT, INPUT = range(4)
TIMEOUT = 20

# From the reset vector to 32-bit protected mode with flat segments.
START_16 = bytes.fromhex(
    "fa"  # cli
    "2e660f0116b0ff"  # lgdt %cs:0xffb0
    "0f20c0 0c01 0f22c0"  # CR0.PE
    "66ea40ffffff0800"  # ljmp $8, $0xffffff40
)
LOOP_32 = bytes.fromhex(
    "66b81000 8ed8 8ec0 8ed0"  # mov $16 into ds, es, ss
    "bb00100000"  # mov $MAILBOX, %ebx
    "8b03 3b4304 7504 f390 ebf5"  # until message != answer
    "8b4b08 8b530c 8b4310"  # ecx, edx, eax: operation, address, value
    "49 780a 740c 49 740d"  # dec: js STORE, jz LOAD, dec: jz OUTPUT
    "31c0 ec eb09"  # INPUT: in %dx, %al
    "8902 eb05"  # STORE: mov %eax, (%edx)
    "8b02 eb01"  # LOAD: mov (%edx), %eax
    "ee"  # OUTPUT: out %al, %dx
    "894310 8b03 894304 ebcc"  # the value, the answer, and again
)


def firmware(path):
    """The last KiB of a file of FIRMWARE_BYTES, which ends at 4 GiB."""
    image = bytearray(FIRMWARE_BYTES)

    def put(offset, data):
        image[offset:offset + len(data)] = data

    put(0xff00, START_16)
    put(0xff40, LOOP_32)
    put(0xff90, struct.pack("<3Q", 0, 0xcf9b000000ffff, 0xcf93000000ffff))
    put(0xffb0, struct.pack("<HI", 23, 0xffffff90))
    put(0xfff0, bytes.fromhex("e90dff"))  # jmp 0xff00
    with open(path, "wb") as file:
        file.write(image)
    return path


def block_offset(address):
    """Where guest physical RAM lies in the RAM block."""
    return address if address < LOW_END else address - HIGH_START + LOW_END


class Hands:
    """A program with that guest; use it in a `with`."""

    def __init__(self, folder, name, mib):
        self.socket = os.path.join(folder, f"{name}.qmp")
        self.errors = os.path.join(folder, f"{name}.stderr")
        self.size = mib * 2**20
        self.line = []
        self.process = self.qmp = self.memory = self.ram = None

    def __enter__(self):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                self.line, stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors)
        try:
            self.qmp = Qmp(self.socket)
        except OSError as error:
            self.kill()
            raise RuntimeError(f"{self.line[0]} did not start: {error}: "
                               f"{self.error_text()}") from error
        self.memory = os.open(f"/proc/{self.process.pid}/mem", os.O_RDWR)
        self.ram = self.find_ram()
        return self

    def find_ram(self):
        """The mapping of guest RAM; no other is as long."""
        with open(f"/proc/{self.process.pid}/maps", encoding="ascii") as file:
            for start, end in re.findall(r"^(\w+)-(\w+) rw", file.read(), re.M):
                if int(end, 16) - int(start, 16) == self.size:
                    return int(start, 16)
        raise RuntimeError("no guest RAM is mapped")

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.qmp:
            self.qmp.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.memory:
            os.close(self.memory)
            self.memory = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def error_text(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def peak_mib(self):
        """The most RAM of the host that the process had."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) >> 10

    def read(self, address, size):
        return os.pread(self.memory, size, self.ram + block_offset(address))

    def write(self, address, data):
        os.pwrite(self.memory, data, self.ram + block_offset(address))

    def wait(self, done, what):
        deadline = time.monotonic() + TIMEOUT
        while not done():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.line[0]} ended: {self.error_text()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {what} in {TIMEOUT} s")
            time.sleep(0.001)

    def start(self, operation, address, value=0):
        """Without waiting: the access may stop the machine."""
        message = struct.unpack("<I", self.read(MAILBOX, 4))[0] + 1
        self.write(MAILBOX + 8, struct.pack("<3I", operation, address, value))
        self.write(MAILBOX, struct.pack("<I", message))
        return message

    def access(self, operation, address, value=0):
        message = self.start(operation, address, value)
        self.wait(lambda: struct.unpack("<I", self.read(MAILBOX + 4, 4))[0] ==
                  message, "answer of the guest")
        return struct.unpack("<I", self.read(MAILBOX + 16, 4))[0]

    def store(self, address, value):
        self.access(STORE, address, value)

    def load(self, address):
        return self.access(LOAD, address)

    def output(self, port, value):
        self.access(OUTPUT, port, value)

    def input(self, port):
        return self.access(INPUT, port) & 0xff

    def save(self, path, mapped=False):
        """The guest stands still at its mailbox then."""
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate", uri=f"file:{path}")
        self.qmp.wait_migration()

    def load_file(self, path, mapped=False):
        """Into a program that was started with `incoming`; not running."""
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate-incoming", uri=f"file:{path}",
                         exit_on_error=False)
        self.qmp.wait_migration()

    def go_on(self):
        self.qmp.command("cont")


class Qemu(Hands):
    """QEMU (TCG), with devices as `more` says."""

    def __init__(self, folder, name, more=(), mib=16, incoming=False,
                 serial="null"):
        super().__init__(folder, name, mib)
        self.line = [
            qemu_binary(), "-accel", "tcg,thread=single", "-cpu", "qemu64",
            "-M", f"{MACHINE},memory-backend=microvm.ram",
            "-global", "apic.vapic=off",
            "-object", f"memory-backend-ram,id=microvm.ram,size={self.size}",
            "-m", f"{self.size}B",
            "-bios", firmware(os.path.join(folder, "hands.bin")),
            "-nodefaults", "-no-user-config", "-nic", "none", "-display",
            "none", "-qmp", f"unix:{self.socket},server=on,wait=off",
            "-serial", serial, *more]
        self.line += ["-S", "-incoming", "defer"] if incoming else []


class Godwit(Hands):
    """godwit with hands.c in place of KVM, for a guest that comes in."""

    def __init__(self, folder, name, more=(), mib=16):
        super().__init__(folder, name, mib)
        self.line = [
            program(), "run", "--accel", "kvm", "-M", MACHINE,
            "-m", f"{self.size}B", "--share", "--qmp", f"unix:{self.socket}",
            "-S", "--incoming", "defer", *more]
