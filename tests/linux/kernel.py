"""A Debian kernel, downloaded and unpacked into the cache, never installed."""

import functools
import glob
import lzma
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
META = "linux-image-cloud-amd64"


class KernelMissing(Exception):
    """No kernel can be had; says what was tried."""


class Kernel:
    """An unpacked kernel package."""

    def __init__(self, root):
        self.root = root
        self.image = glob.glob(os.path.join(root, "boot", "vmlinuz-*"))[0]
        self.release = os.path.basename(self.image)[len("vmlinuz-"):]

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
