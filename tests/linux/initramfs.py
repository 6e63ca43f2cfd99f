"""Initramfs images of guests: busybox, a script, modules and a program."""

import hashlib
import os

from linux.archive import Archive
from linux.cache import cache_dir, locked
from linux.kernel import kernel


def digest(init, modules, program):
    """Of all parts; a program is the path of one, or none."""
    found = hashlib.sha256(init.encode())
    if modules:
        found.update((kernel().release + " ".join(modules)).encode())
    if program:
        with open(program, "rb") as file:
            found.update(file.read())
    return found.hexdigest()[:12]


def initramfs(name, init, modules=(), program=None):
    """Path of the image, built once per version of its parts."""
    path = os.path.join(cache_dir(),
                        f"{name}-{digest(init, modules, program)}.cpio")
    with locked(name):
        if not os.path.exists(path):
            archive = Archive()
            archive.console()
            archive.busybox()
            archive.directory("dev")
            if modules:
                archive.modules(kernel(), modules)
            if program:
                archive.program("bin/" + os.path.basename(program), program)
            archive.text("init", init, 0o755)
            archive.write(path + ".new")
            os.rename(path + ".new", path)
    return path
