"""The programs that are compared, each as one object that can save and load.

All run with the guest stopped and with a file as guest memory, so that they
get the same memory and that the benchmark can compare it afterwards.
"""

import os
import subprocess

from .qmp import Qmp


def configure(qmp, way):
    """Sets capabilities and parameters, by names that QEMU has, too."""
    capabilities = {
        "events": True,
        "mapped-ram": way.format == "mapped",
        "multifd": way.channels > 0,
    }
    qmp.command(
        "migrate-set-capabilities",
        capabilities=[
            {"capability": name, "state": state}
            for name, state in capabilities.items()
        ],
    )
    # The default limit of 128 MiB/s is meant for networks.
    parameters = {"max-bandwidth": 0, "direct-io": way.direct}
    if way.channels:
        parameters["multifd-channels"] = way.channels
    qmp.command("migrate-set-parameters", **parameters)


class QmpVmm:
    """A VMM that is driven through QMP."""

    qmp_options = ""

    def __init__(self, argv, job):
        self._job = job
        self._socket = os.path.join(job.directory, "qmp.sock")
        if os.path.exists(self._socket):
            os.unlink(self._socket)
        argv = argv + ["-qmp", f"unix:{self._socket}{self.qmp_options}"]
        if job.incoming:
            argv += ["-incoming", "defer"]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            self._qmp = Qmp(self._socket, self.process)
            self._configure()
        except Exception:
            self.process.kill()
            self.process.wait()
            raise

    def _configure(self):
        configure(self._qmp, self._job.way)

    def run(self):
        """Saves or restores; returns when it is complete."""
        command = "migrate-incoming" if self._job.incoming else "migrate"
        self._qmp.command(command, uri="file:" + self._job.image)
        self._qmp.wait_migration()

    def close(self):
        """Ends the program."""
        self._qmp.command("quit")
        self._qmp.close()
        self.process.wait(timeout=60)


class Qemu(QmpVmm):
    """QEMU with a machine of nothing but memory."""

    qmp_options = ",server=on,wait=off"

    def __init__(self, program, job):
        super().__init__(
            [
                program,
                *("-nodefaults", "-display", "none", "-S"),
                *("-accel", "tcg", "-machine", "none,memory-backend=mem"),
                *("-m", f"{job.size >> 20}M", "-object"),
                f"memory-backend-file,id=mem,size={job.size},"
                f"mem-path={job.memory},share=on",
            ],
            job,
        )


class Godwit(QmpVmm):
    """godwit's own VMM; the guest `beat` is loaded and does not run."""

    def __init__(self, program, job):
        super().__init__(
            [
                *(program, "run", "-S", "-accel", "thread"),
                *("-serial", "none", "-m", f"{job.size >> 20}M"),
                *("-mem-path", job.memory, "-share"),
            ],
            job,
        )


class MemMachine:
    """bench/mem-machine: the library alone, one RAM block and no device."""

    def __init__(self, program, job):
        argv = [program, "restore" if job.incoming else "save"]
        argv += ["--memory", job.memory, "--uri", "file:" + job.image]
        argv += ["--mapped"] if job.way.format == "mapped" else []
        argv += ["--direct"] if job.way.direct else []
        if job.way.channels:
            argv += ["--channels", str(job.way.channels)]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._expect(b"ready\n")

    def _expect(self, word):
        line = self.process.stdout.readline()
        if line != word:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"mem-machine said {line!r}, not {word!r}")

    def run(self):
        """Saves or restores; returns when it is complete."""
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        self._expect(b"done\n")

    def close(self):
        """Ends the program."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=60)
