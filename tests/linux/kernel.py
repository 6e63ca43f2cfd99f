"""A Debian kernel, downloaded and unpacked into the cache, never installed."""

import functools
import glob
import lzma
import os
import re
import struct
import subprocess

from linux.cache import cache_dir, locked

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
META = "linux-image-cloud-amd64"
# How the payload of a bzImage begins if it is packed by LZ4, the old frames.
LZ4_LEGACY = b"\x02\x21\x4c\x18"


class KernelMissing(Exception):
    """No kernel can be had; says what was tried."""


class Kernel:
    """An unpacked kernel package."""

    def __init__(self, root):
        self.root = root
        self.image = glob.glob(os.path.join(root, "boot", "vmlinuz-*"))[0]
        self.release = os.path.basename(self.image)[len("vmlinuz-"):]

    def elf(self):
        """Path of the kernel as the ELF image that is packed in `image`."""
        path = os.path.join(cache_dir(), f"vmlinux-{self.release}")
        with locked("vmlinux"):
            if not os.path.exists(path):
                with open(path + ".new", "wb") as file:
                    unpack(payload(self.image), file)
                os.rename(path + ".new", path)
        return path

    def module(self, name):
        """The bytes of a module, unpacked; `name` without .ko."""
        pattern = re.compile(
            re.escape(name).replace("_", "[_-]").replace(r"\-", "[_-]")
            + r"\.ko(\.xz)?$")
        top = os.path.join(self.root, "lib", "modules", self.release)
        for folder, _, files in os.walk(top):
            for file in files:
                if pattern.match(file):
                    return read_module(os.path.join(folder, file))
        raise KernelMissing(f"module {name} is not in kernel {self.release}")


def payload(image):
    """What a bzImage unpacks: Linux' boot protocol 2.08, payload_offset and
    payload_length, behind the sectors of the setup. The size that follows the
    packed kernel counts as part of it."""
    with open(image, "rb") as file:
        data = file.read()
    sectors = data[0x1f1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (sectors + 1) * 512 + offset
    return data[start:start + length - 4]


def unpack(packed, file):
    if not packed.startswith(LZ4_LEGACY):
        raise KernelMissing("the kernel is packed in a way that is not known "
                            f"here: {packed[:4].hex()}")
    done = subprocess.run(["lz4", "-dc"], input=packed, stdout=file,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise KernelMissing(f"cannot unpack the kernel: {done.stderr}")


def read_module(path):
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rb") as file:
        return file.read()


@functools.cache
def kernel():
    """The distribution's kernel, fetched at first use by scripts/lib.sh."""
    done = subprocess.run(
        ["bash", "-c", '. "$0/scripts/lib.sh" && gw_kernel_dir "$1"', TOP,
         META], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False)
    if done.returncode != 0:
        raise KernelMissing(f"no kernel: {done.stderr.strip()}")
    return Kernel(done.stdout.strip())
