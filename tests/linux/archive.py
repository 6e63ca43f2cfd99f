"""Builds an initramfs: a cpio archive in the `newc` form.

It is not compressed: QEMU copies it into the guest at host speed, while
unpacking would run at the speed of an emulated CPU.
"""

import os
import re
import shutil
import stat
import subprocess

TRAILER = "TRAILER!!!"


class Archive:
    """Paths and what they hold; parents are made as needed."""

    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b"", device=(0, 0)):
        path = path.strip("/")
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.entries[path] = (mode, data, device)

    def directory(self, path, mode=0o755):
        self.add(path, stat.S_IFDIR | mode)

    def text(self, path, text, mode=0o644):
        self.add(path, stat.S_IFREG | mode, text.encode())

    def data(self, path, data, mode=0o644):
        self.add(path, stat.S_IFREG | mode, data)

    def file(self, path, source):
        """Copy a file with its executable bits."""
        with open(source, "rb") as file:
            data = file.read()
        mode = stat.S_IMODE(os.stat(source).st_mode) & 0o755 | 0o444
        self.add(path, stat.S_IFREG | mode, data)

    def symlink(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def console(self):
        self.add("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1))

    def program(self, path, source):
        """Copy a program and every library that it is linked with."""
        self.file(path, source)
        for library in libraries(source):
            if library.strip("/") not in self.entries:
                self.file(library, library)

    def modules(self, linux, names):
        """Modules of a kernel, and /modules/order to load them by."""
        for name in names:
            self.data(f"modules/{name}.ko", linux.module(name))
        self.text("modules/order", "".join(f"{name}\n" for name in names))

    def busybox(self):
        """busybox, static, as /bin/busybox and /bin/sh."""
        source = shutil.which("busybox")
        if not source or libraries(source):
            raise FileNotFoundError(
                "a static busybox is needed: install busybox-static")
        self.file("bin/busybox", source)
        self.symlink("bin/sh", "busybox")

    def unpack(self, folder):
        """The same as files in a folder, but for device nodes."""
        for name, (mode, data, _) in self.entries.items():
            path = os.path.join(folder, name)
            if stat.S_ISDIR(mode):
                os.makedirs(path, exist_ok=True)
            elif stat.S_ISLNK(mode):
                os.symlink(data.decode(), path)
            elif stat.S_ISREG(mode):
                with open(path, "wb") as out:
                    out.write(data)
                os.chmod(path, stat.S_IMODE(mode))

    def write(self, path):
        with open(path, "wb") as out:
            for number, name in enumerate(self.entries, 1):
                mode, data, device = self.entries[name]
                out.write(entry(name, number, mode, data, device))
            out.write(entry(TRAILER, 0, 0, b"", (0, 0)))


def entry(name, number, mode, data, device):
    raw = name.encode() + b"\0"
    values = (number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0],
              device[1], len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % v for v in values) + raw
    return padded(head) + padded(data)


def padded(data):
    return data + bytes(-len(data) % 4)


def libraries(program):
    """What the dynamic linker would load; empty for a static program."""
    done = subprocess.run(["ldd", program], text=True, capture_output=True,
                          check=False)
    if "not found" in done.stdout:
        raise FileNotFoundError(f"{program}: {done.stdout}")
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.M)
