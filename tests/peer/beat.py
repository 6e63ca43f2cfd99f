"""Starts QEMU (TCG) with the guest beat, types at it and reads its ticks."""

import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from linux.qemu_binary import qemu_binary  # noqa: E402
from peer.qemu_process import QemuProcess  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
MEMORY_MIB = 16
TIMEOUT = 60
TICK = re.compile(r"^beat: tick (\d+) dirty=(\d+) checked=(\d+) errors=(\d+)$",
                  re.M)


class BeatError(AssertionError):
    """The guest reported an error, or did not say what it should."""


def beat_elf():
    path = os.environ.get("BEAT_ELF") or os.path.join(
        TOP, "build", "guest", "beat.elf")
    if not os.path.isfile(path):
        raise BeatError(f"{path} is missing; build it, or set BEAT_ELF")
    return path


def ticks(text):
    return [int(found[0]) for found in TICK.findall(text)]


def check(text, first=1):
    """No tick may be missing or twice, and nothing may be wrong."""
    numbers = ticks(text)
    if numbers != list(range(first, first + len(numbers))):
        raise BeatError(f"ticks from {first} on: {numbers}")
    if "ERROR" in text:
        at = text.index("ERROR")
        raise BeatError(f"the guest says {text[at:at + 120]!r}")


class Beat(QemuProcess):
    """A machine with a serial port to read and to type at."""

    Error = BeatError

    def __init__(self, folder, name, append="", cpus=1, incoming=False,
                 more=()):
        super().__init__(folder, name)
        self.gdb = os.path.join(folder, f"{name}.gdb")
        self.line = [
            qemu_binary(), "-accel", "tcg,thread=single", "-cpu", "max",
            "-M", "microvm,acpi=off,pit=off,rtc=off", "-bios", "qboot.rom",
            "-nodefaults", "-no-user-config", "-nic", "none",
            "-display", "none", "-no-reboot", "-m", str(MEMORY_MIB),
            "-smp", str(cpus), "-kernel", beat_elf(), "-append", append,
            "-chardev", f"socket,id=com,path={self.serial}",
            "-serial", "chardev:com",
            "-qmp", f"unix:{self.socket},server=on,wait=off", *more]
        # One that ends at once must not have ended before it is looked at.
        self.incoming = incoming
        self.line += ["-incoming", "defer"] if incoming else ["-S"]
        self.text = ""
        self.listener = None
        self.console = None

    def command_line(self):
        return self.line

    def __enter__(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(self.serial)
            listener.listen(1)
            listener.settimeout(TIMEOUT)
            self.listener = listener
            return super().__enter__()

    def connect(self):
        self.console = self.listener.accept()[0]
        threading.Thread(target=self.read, daemon=True).start()
        super().connect()
        if not self.incoming:
            self.qmp.command("cont")

    def kill(self):
        super().kill()
        if self.console:
            self.console.close()

    def read(self):
        """In a thread: all that the guest prints."""
        try:
            while data := self.console.recv(4096):
                self.text += data.decode("ascii", "replace").replace("\r", "")
        except OSError:
            pass

    def type(self, line):
        self.console.sendall(line.encode("ascii") + b"\n")

    def wait_for(self, done, what, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while not done(self.text):
            if self.process.poll() is not None and not done(self.text):
                time.sleep(0.2)
                if done(self.text):
                    return
                raise BeatError(f"QEMU ended before {what}: "
                                f"{self.error_text()} {self.text[-300:]!r}")
            if time.monotonic() > deadline:
                raise BeatError(f"no {what} in {timeout} s, the console "
                                f"ends in {self.text[-300:]!r}")
            time.sleep(0.05)

    def wait_text(self, part):
        self.wait_for(lambda text: part in text, repr(part))

    def wait_ticks(self, count):
        """Until so many more ticks came; the last one's number."""
        want = len(ticks(self.text)) + count
        self.wait_for(lambda text: len(ticks(text)) >= want, f"{count} ticks")
        return ticks(self.text)[-1]

    def save(self, path, mapped):
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate", uri=f"file:{path}")
        self.qmp.wait_migration()

    def restore(self, path, mapped):
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate-incoming", uri=f"file:{path}")
        self.qmp.wait_migration()
        self.qmp.command("cont")


class Debugger:
    """Enough of gdb's remote protocol to damage a guest. It is stopped while
    one of these is connected."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.command("qSupported:xmlRegisters=i386")
        self.registers = re.findall(r'<reg name="(\w+)"', self.description())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.command("D")
        self.socket.close()

    def command(self, words):
        """Send one packet, return the answer."""
        total = sum(words.encode("ascii")) % 256
        self.socket.sendall(f"${words}#{total:02x}".encode("ascii"))
        answer = b""
        while not re.search(rb"\$[^#]*#..", answer):
            data = self.socket.recv(4096)
            if not data:
                raise BeatError(f"the debugger stub left after {words!r}")
            answer += data
        self.socket.sendall(b"+")
        text = re.search(rb"\$([^#]*)#", answer).group(1).decode("ascii")
        if text.startswith("E"):
            raise BeatError(f"the debugger stub refuses {words!r}: {text}")
        return text

    def description(self, name="target.xml"):
        """The registers in the order of their numbers, as XML."""
        text = ""
        while True:
            part = self.command(f"qXfer:features:read:{name}:{len(text):x},800")
            text += part[1:]
            if part[0] == "l":
                break
        return text + "".join(
            self.description(other)
            for other in re.findall(r'<xi:include href="([^"]+)"', text))

    def write_memory(self, address, data):
        self.command(f"M{address:x},{len(data):x}:{data.hex()}")

    def read_memory(self, address, size):
        return bytes.fromhex(self.command(f"m{address:x},{size:x}"))

    def write_register(self, name, data):
        number = self.registers.index(name)
        self.command(f"P{number:x}={data.hex()}")
