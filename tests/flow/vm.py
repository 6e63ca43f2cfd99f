"""Runs `godwit run` as a process: its console, its monitor, its end."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from peer.qmp import Qmp  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
TICK = re.compile(r"^beat: tick (\d+) dirty=\d+ checked=\d+ errors=(\d+)$",
                  re.M)
TIMEOUT = 60


class VmError(AssertionError):
    """The program or its guest did not do what it should."""


def program():
    path = os.environ.get("GODWIT") or os.path.join(TOP, "build", "godwit")
    if not os.access(path, os.X_OK):
        raise VmError(f"{path} is missing; build it, or set GODWIT")
    return path


def ticks(text):
    return [int(number) for number, _ in TICK.findall(text)]


def check_ticks(text):
    """From 1 on, none missing, none twice, and nothing was found wrong."""
    numbers = ticks(text)
    if numbers != list(range(1, len(numbers) + 1)):
        lost = [n for n in range(1, max(numbers) + 1) if n not in numbers]
        raise VmError(f"ticks missing: {lost}; in order: {numbers[-20:]}")
    bad = [line for line in text.splitlines()
           if "ERROR" in line or re.search(r"errors=(?!0\b)", line)]
    if bad:
        raise VmError(f"the guest says {bad[:3]}")
    return len(numbers)


class Folder:
    """A folder for one test, removed at its end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="godwit-run-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)


class Vm:
    """One process; use it in a `with`. Console output is in `text`."""

    def __init__(self, folder, *options, accel="thread", qmp=True, read=True,
                 pass_fds=()):
        self.socket = folder.file("qmp.sock")
        self.line = [program(), "run", "--accel", accel, "--serial", "stdio",
                     *options]
        if qmp:
            self.line += ["--qmp", f"unix:{self.socket}"]
        self.with_qmp = qmp
        self.pass_fds = pass_fds
        self.read = read
        self.text = ""
        self.errors = ""
        self.qmp = None

    def __enter__(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = subprocess.Popen(
            self.line, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, pass_fds=self.pass_fds)
        self.readers = []
        self.start_reading(self.read_errors)
        if self.read:
            self.start_reading(self.read_output)
        if self.with_qmp:
            try:
                self.qmp = Qmp(self.socket, timeout=TIMEOUT)
            except OSError as error:
                self.kill()
                raise VmError(f"no monitor: {error}: {self.errors}") from error
        return self

    def __exit__(self, *_):
        self.kill()

    def start_reading(self, function):
        self.readers.append(threading.Thread(target=function))
        self.readers[-1].start()

    def read_output(self):
        while data := os.read(self.process.stdout.fileno(), 4096):
            self.text += data.decode("ascii", "replace")

    def read_errors(self):
        while data := os.read(self.process.stderr.fileno(), 4096):
            self.errors += data.decode("utf-8", "replace")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def end(self, timeout=TIMEOUT):
        """Waits for the end of the process; its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise VmError(f"still running after {timeout} s") from error
        if not self.read and not self.process.stdout.closed:
            self.read_output()
        for reader in self.readers:
            reader.join()
        if self.qmp:
            self.qmp.close()
            self.qmp = None
        for pipe in (self.process.stdin, self.process.stdout,
                     self.process.stderr):
            if not pipe.closed:
                pipe.close()
        return status

    def type(self, line):
        self.process.stdin.write(line.encode("ascii") + b"\n")
        self.process.stdin.flush()

    def wait(self, done, what):
        deadline = time.monotonic() + TIMEOUT
        while not done():
            if self.process.poll() is not None:
                self.end()
                if done():
                    return
                raise VmError(f"ended with {self.process.returncode} before "
                              f"{what}: {self.errors} {self.text[-300:]!r}")
            if time.monotonic() > deadline:
                raise VmError(f"no {what} after {TIMEOUT} s: {self.errors} "
                              f"{self.text[-300:]!r}")
            time.sleep(0.005)

    def wait_ticks(self, count):
        """Until it has printed so many."""
        self.wait(lambda: len(ticks(self.text)) >= count, f"{count} ticks")

    def wait_text(self, part):
        self.wait(lambda: part in self.text, repr(part))

    def migrated(self):
        """Waits for the end of a migration; query-migrate's answer."""
        info = {}

        def ended():
            info.update(self.qmp.command("query-migrate"))
            return info.get("status") in ("completed", "failed", "cancelled")

        self.wait(ended, "end of the migration")
        if info["status"] != "completed":
            raise VmError(f"migration {info['status']}: "
                          f"{info.get('error-desc')}")
        return info

    def save(self, path, mapped=False):
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate", uri=f"file:{path}")
        return self.migrated()

    def restore(self, path, mapped=False):
        self.qmp.capabilities(mapped_ram=mapped)
        self.qmp.command("migrate-incoming", uri=f"file:{path}")
        return self.migrated()

    def quit(self):
        self.qmp.command("quit")
        status = self.end()
        if status != 0:
            raise VmError(f"quit ended with {status}: {self.errors}")
