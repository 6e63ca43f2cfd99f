"""A QEMU process with a monitor: its start, its end and what it complains of."""

import os
import signal
import subprocess

from peer.qmp import Qmp


class QemuProcess:
    """Use it in a `with` so that it never stays behind."""

    # What is raised when it does not start.
    Error = RuntimeError

    def __init__(self, folder, name):
        self.socket = os.path.join(folder, f"{name}.qmp")
        self.serial = os.path.join(folder, f"{name}.serial")
        self.errors = os.path.join(folder, f"{name}.stderr")
        self.process = None
        self.qmp = None

    def command_line(self):
        raise NotImplementedError

    def connect(self):
        self.qmp = Qmp(self.socket)

    def __enter__(self):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                self.command_line(), stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors)
        try:
            self.connect()
        except OSError as error:
            self.kill()
            raise self.Error(f"QEMU did not start: {error}: "
                             f"{self.error_text()}") from error
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.qmp:
            self.qmp.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def error_text(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()
