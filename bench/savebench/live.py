"""Saves while the guest runs, and what the guest notices of them.

The guest is `beat` on host threads (`--accel thread`), which dirties memory at
a given rate and checks it. QEMU has no such accelerator, so these rows have
no counterpart. Every saved file is restored, and the guest must go on at the
next tick and find all of its memory right.
"""

import os
import re
import socket
import statistics
import subprocess
import threading
import time

from .qmp import Qmp
from . import case, report, vmm

MIB = 1 << 20
TICK_MS = 10
SETTLE_SECONDS = 2
RESTORE_SECONDS = 60
TICK = re.compile(r"beat: tick (\d+) dirty=(\d+) checked=\d+ errors=(\d+)")
CHECKED = re.compile(r"beat: checked all pages=\d+ errors=(\d+)")


class Console:
    """The guest's serial line, each tick with the time of its arrival."""

    def __init__(self, path, process):
        self.ticks = []  # (time, number, pages dirtied)
        self.errors = []
        self.checked = threading.Event()
        self._socket = self._connect(path, process)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @staticmethod
    def _connect(path, process):
        deadline = time.monotonic() + 20
        while True:
            try:
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(path)
                return sock
            except OSError:
                sock.close()
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _read(self):
        for line in self._socket.makefile("r", errors="replace"):
            now = time.monotonic()
            tick = TICK.search(line)
            if tick:
                number, dirty, errors = map(int, tick.groups())
                self.ticks.append((now, number, dirty))
                if errors:
                    self.errors.append(line.strip())
            elif "ERROR" in line:
                self.errors.append(line.strip())
            elif CHECKED.search(line):
                self.checked.set()

    def between(self, start, end):
        """The ticks of a span of time."""
        return [tick for tick in list(self.ticks) if start <= tick[0] <= end]

    def wait(self, count, timeout):
        """Until so many ticks have come."""
        deadline = time.monotonic() + timeout
        while len(self.ticks) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {count} ticks in {timeout} s")
            time.sleep(0.01)

    def close(self):
        """Ends the connection; the thread ends with it."""
        self._socket.close()


class Guest:
    """`godwit run` with a running beat."""

    def __init__(self, program, directory, size, append, incoming):
        name = "incoming" if incoming else "source"
        sockets = {
            kind: os.path.join(directory, f"{name}.{kind}")
            for kind in ("serial", "qmp")
        }
        for path in sockets.values():
            if os.path.exists(path):
                os.unlink(path)
        argv = [
            *(program, "run", "-S", "-accel", "thread"),
            *("-m", f"{size >> 20}M", "-append", append, "-share"),
            *("-serial", "unix:" + sockets["serial"]),
            *("-qmp", "unix:" + sockets["qmp"]),
        ]
        argv += ["-incoming", "defer"] if incoming else []
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        self.console = self.qmp = None
        try:
            self.qmp = Qmp(sockets["qmp"], self.process)
            self.console = Console(sockets["serial"], self.process)
        except Exception:
            self.kill()
            raise

    def kill(self):
        """Ends it, whatever it does."""
        self.process.kill()
        self.process.wait()
        for thing in (self.console, self.qmp):
            if thing:
                thing.close()


def _speed(ticks):
    """Mean and longest time from tick to tick, and pages dirtied per second."""
    if len(ticks) < 2:
        return None
    gaps = [b[0] - a[0] for a, b in zip(ticks, ticks[1:])]
    span = ticks[-1][0] - ticks[0][0]
    return {
        "mean_ms": statistics.mean(gaps) * 1000,
        "max_ms": max(gaps) * 1000,
        "pages_per_s": (ticks[-1][2] - ticks[0][2]) / span,
    }


def _wait(qmp, timeout):
    """query-migrate when it has ended, or None after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        info = qmp.command("query-migrate")
        if info.get("status") in ("completed", "failed", "cancelled"):
            return info
        time.sleep(0.02)
    return None


def _save(guest, image, way, timeout):
    vmm.configure(guest.qmp, way)
    start = time.monotonic()
    guest.qmp.command("migrate", uri="file:" + image)
    info = _wait(guest.qmp, timeout)
    end = time.monotonic()
    if info is None:
        info = guest.qmp.command("query-migrate")
        guest.qmp.command("migrate_cancel")
        info["status"] = f"did not converge in {timeout} s"
    return start, end, info


def _restore(program, directory, size, append, image, way, before, found):
    """The guest of the file goes on at the next tick, its memory right."""
    label = f"live save of {size // MIB} MiB, {append}"
    guest = Guest(program, directory, size, append, True)
    try:
        vmm.configure(guest.qmp, way)
        guest.qmp.command("migrate-incoming", uri="file:" + image)
        guest.qmp.wait_migration()
        guest.qmp.command("cont")
        guest.console.wait(2, RESTORE_SECONDS)
        found.that(
            guest.console.checked.wait(RESTORE_SECONDS),
            f"{label}: the restored guest did not check its memory",
        )
        numbers = [tick[1] for tick in guest.console.ticks]
        found.that(
            numbers[0] == before + 1,
            f"{label}: goes on at tick {numbers[0]} after {before}",
        )
        found.that(
            not guest.console.errors,
            f"{label}: restored: {guest.console.errors[:2]}",
        )
    finally:
        guest.kill()


def _row(size, rate, way, info, before, during):
    ram = info.get("ram", {})
    row = {
        "size": size,
        "rate": rate,
        **vars(way),
        "status": info["status"],
        "total_seconds": info.get("total-time", 0) / 1000,
        "downtime_ms": info.get("downtime"),
        "rounds": ram.get("dirty-sync-count"),
        "transferred": ram.get("transferred"),
        "before": before,
        "during": during,
    }
    if before and during and before["pages_per_s"] > 0:
        row["slow_down"] = 1 - during["pages_per_s"] / before["pages_per_s"]
    return row


def run_once(options, paths, size, rate, way, found):
    """One guest, one save, one restore."""
    program = options.godwit
    append = (
        f"mem={size // 4 * 3 // MIB}M rate={rate} check=8 pattern=random "
        f"tick-ms={TICK_MS}"
    )
    guest = Guest(program, paths["directory"], size, append, False)
    try:
        guest.qmp.command("cont")
        guest.console.wait(2, RESTORE_SECONDS)
        time.sleep(SETTLE_SECONDS)
        now = time.monotonic()
        before = _speed(guest.console.between(now - SETTLE_SECONDS, now))
        start, end, info = _save(
            guest, paths["image"], way, options.live_timeout
        )
        time.sleep(0.1)  # what is on its way on the serial line
        during = _speed(guest.console.between(start, end))
        last = guest.console.ticks[-1][1]
        numbers = [tick[1] for tick in guest.console.ticks]
        found.that(
            numbers == list(range(numbers[0], last + 1))
            and not guest.console.errors,
            f"live, rate {rate}: the source's guest lost a tick or found "
            f"errors {guest.console.errors[:2]}",
        )
        found.that(
            info["status"] != "failed",
            f"live, rate {rate}: {info.get('error-desc')}",
        )
    finally:
        guest.kill()
    if info["status"] == "completed":
        _restore(
            *(program, paths["directory"], size, append, paths["image"]),
            *(way, last, found),
        )
    return _row(size, rate, way, info, before, during)


def measure(options, paths, found):
    """The rows: sizes, rates and rounds."""
    rows = []
    for size in options.sizes:
        for rate in options.rates:
            for number in range(options.rounds):
                row = run_once(
                    options, paths, size, rate, case.MAIN, found
                )
                row["round"] = number + 1
                rows.append(row)
                if os.path.exists(paths["image"]):
                    os.unlink(paths["image"])
    return rows


def _of(row, when, key, digits):
    return f"{row[when][key]:.{digits}f}" if row[when] else "-"


COLUMNS = (
    ("MiB", ">", lambda r: str(r["size"] // MIB)),
    ("pages/s", ">", lambda r: str(r["rate"])),
    ("total s", ">", lambda r: f"{r['total_seconds']:.2f}"
     if r["status"] == "completed" else r["status"]),
    ("downtime ms", ">", lambda r: str(r["downtime_ms"])),
    ("rounds", ">", lambda r: str(r["rounds"])),
    ("sent MiB", ">", lambda r: str((r["transferred"] or 0) // MIB)),
    ("tick ms before", ">", lambda r: _of(r, "before", "mean_ms", 1)),
    ("during", ">", lambda r: _of(r, "during", "mean_ms", 1)),
    ("longest", ">", lambda r: _of(r, "during", "max_ms", 0)),
    ("dirtied/s before", ">", lambda r: _of(r, "before", "pages_per_s", 0)),
    ("during", ">", lambda r: _of(r, "during", "pages_per_s", 0)),
    ("slow-down", ">", lambda r: f"{r['slow_down']:.0%}"
     if "slow_down" in r else "-"),
)


def table(rows, markdown):
    """Lines for people."""
    yield (
        f"godwit, live saves of beat on host threads ({case.MAIN}), "
        "each restored and checked"
    )
    yield ""
    yield from report.table(COLUMNS, rows, markdown)
    yield ""
