"""Machines of nothing but memory, of libgodwit and of QEMU, exchanged by file.

QEMU's machine `none` has RAM and a clock and nothing else, so a program of a
few lines around libgodwit can be its counterpart. The memory is a file on
both sides, which the tests fill and compare themselves.
"""

import array
import contextlib
import os
import random
import socket
import subprocess
import sys
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from linux.qemu_binary import qemu_binary  # noqa: E402
from peer import check  # noqa: E402
from peer.qmp import Qmp  # noqa: E402
from qemustream import Stream  # noqa: E402

PAGE = 4096
N_PAGES = 5000
HEADER = b"a header of the management layer's own\n" * 99


@dataclass(frozen=True)
class Way:
    """How a file is written or read."""

    mapped: bool = True
    channels: int = 0  # 0: without multifd
    direct: bool = False
    offset: int = 0
    fdset: bool = False

    def __str__(self):
        words = ["mapped-ram" if self.mapped else "plain"]
        words += [f"{self.channels} channels"] if self.channels else []
        words += ["direct"] if self.direct else []
        words += [f"offset {self.offset}"] if self.offset else []
        words += ["fdset"] if self.fdset else []
        return ", ".join(words)

    def uri(self, path):
        name = "/dev/fdset/1" if self.fdset else path
        return f"file:{name}" + (f",offset={self.offset}" if self.offset
                                 else "")


def fill(path):
    """Half of the pages zero, in runs and alone; the others random."""
    rng = random.Random(20)
    with open(path, "wb") as file:
        page = 0
        while page < N_PAGES:
            run = min(rng.choice([1, 1, 2, 3, 9, 64, 300]), N_PAGES - page)
            if rng.random() < 0.5:
                file.write(rng.randbytes(run * PAGE))
            else:
                file.seek(run * PAGE, os.SEEK_CUR)
            page += run
        file.truncate(N_PAGES * PAGE)


def blank(path):
    with open(path, "wb") as file:
        file.truncate(N_PAGES * PAGE)


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Qemu:
    """A QEMU process with a machine of memory and nothing else."""

    def __init__(self, folder, memory, incoming):
        path = os.path.join(folder, "qmp.sock")
        self.process = subprocess.Popen(
            [qemu_binary(), "-accel", "tcg", "-nodefaults", "-nic", "none",
             "-display", "none", "-S", "-machine", "none,memory-backend=mem",
             "-m", f"{N_PAGES * PAGE}B",
             "-object", f"memory-backend-file,id=mem,size={N_PAGES * PAGE},"
             f"mem-path={memory},share=on",
             "-qmp", f"unix:{path},server=on,wait=off",
             *(["-incoming", "defer"] if incoming else [])])
        self.qmp = Qmp(path)
        self.incoming = incoming

    def add_fd(self, path, flags):
        fd = os.open(path, flags, 0o600)
        request = b'{"execute":"add-fd","arguments":{"fdset-id":1}}'
        self.qmp.socket.sendmsg(
            [request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                         array.array("i", [fd]))])
        os.close(fd)
        answer = self.qmp.receive()
        check.same("add-fd", answer["return"]["fdset-id"], 1)

    def configure(self, path, way):
        self.qmp.capabilities(mapped_ram=way.mapped,
                              multifd=way.channels > 0)
        self.qmp.command("migrate-set-parameters", max_bandwidth=0,
                         multifd_channels=way.channels or 2,
                         direct_io=way.direct)
        if way.fdset:
            mode = os.O_RDONLY if self.incoming else os.O_WRONLY | os.O_CREAT
            self.add_fd(path, mode)
            if way.direct:
                self.add_fd(path, mode | os.O_DIRECT)

    def migrate(self, path, way):
        self.configure(path, way)
        if self.incoming:
            self.qmp.command("migrate-incoming", uri=way.uri(path),
                             exit_on_error=False)
        else:
            self.qmp.command("migrate", uri=way.uri(path))
        self.qmp.wait_migration()

    def end(self):
        self.qmp.command("quit")
        self.process.wait(20)

    def kill(self):
        self.qmp.close()
        self.process.kill()
        self.process.wait()


def by_qemu(folder, incoming, memory, path, way):
    """QEMU saves the memory to the path, or restores it from there."""
    qemu = Qemu(folder, memory, incoming)
    with contextlib.closing(qemu.qmp.socket):
        try:
            qemu.migrate(path, way)
            qemu.end()
        finally:
            qemu.kill()


def by_library(_folder, incoming, memory, path, way):
    """The same by libgodwit."""
    words = [os.environ["MEM_MACHINE"], "restore" if incoming else "save",
             "--memory", memory, "--uri", way.uri(path)]
    words += ["--mapped"] if way.mapped else []
    words += ["--channels", str(way.channels)] if way.channels else []
    words += ["--direct"] if way.direct else []
    words += ["--fdset", path] if way.fdset else []
    done = subprocess.run(words, input=b"\n", capture_output=True, timeout=60,
                          check=False)
    if done.returncode or b"done" not in done.stdout:
        raise AssertionError(f"{way}: {done.stderr.decode()}")


def check_file(path, contents, way):
    """The independent reader finds the memory, and what was before it."""
    block, = Stream.open(path, way.offset).blocks.values()
    check.same("RAM in the file", b"".join(block.chunks()) == contents, True)
    with open(path, "rb") as file:
        check.same("before the offset", file.read(way.offset),
                   HEADER[:way.offset])


def exchange(folder, saver, save_way, loader, load_way):
    """One saves, the other restores; the memory must be the same."""
    source = os.path.join(folder, "source.ram")
    target = os.path.join(folder, "target.ram")
    image = os.path.join(folder, "image")
    if not os.path.exists(source):
        fill(source)
    blank(target)
    with open(image, "wb") as file:
        # What a file held before the offset stays, what it held behind goes.
        file.write(HEADER if save_way.offset else b"")
    saver(folder, False, source, image, save_way)
    check_file(image, read(source), save_way)
    loader(folder, True, target, image, load_way)
    check.same("memory", read(target) == read(source), True)
