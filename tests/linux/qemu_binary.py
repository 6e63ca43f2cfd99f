"""Finds QEMU and refuses one that is too old to speak today's stream."""

import functools
import os
import re
import shutil
import subprocess

OLDEST = 9
NAME = "qemu-system-x86_64"


class QemuMissing(Exception):
    """There is no usable QEMU; says why and what to do."""


@functools.cache
def qemu_version(path):
    shown = subprocess.run([path, "--version"], text=True,
                           capture_output=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", shown)
    if not found:
        raise QemuMissing(f"{path} --version says {shown.strip()!r}")
    return tuple(int(part) for part in found.groups())


def qemu_binary():
    """The path of QEMU; $GODWIT_QEMU overrides the search."""
    path = os.environ.get("GODWIT_QEMU") or shutil.which(NAME)
    if not path:
        raise QemuMissing(f"{NAME} is not installed; run scripts/setup, or "
                          "set GODWIT_QEMU to its path")
    version = qemu_version(path)
    if version[0] < OLDEST:
        raise QemuMissing(
            f"{path} is version {'.'.join(map(str, version))}, {OLDEST}.0 or "
            "newer is needed; run scripts/setup")
    return path
