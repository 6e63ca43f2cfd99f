"""A QMP client, as small as the benchmark needs."""

import json
import socket
import time


class QmpError(RuntimeError):
    """The VMM answered with an error, or not at all."""


class Qmp:
    """One connection; events that arrive meanwhile are kept in order."""

    def __init__(self, path, process, timeout=600):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._connect(path, process)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._events = []
        self._read()
        self.command("qmp_capabilities")

    def _connect(self, path, process):
        deadline = time.monotonic() + 20
        while True:
            try:
                self._socket.connect(path)
                return
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if process.poll() is not None:
                    raise QmpError("the VMM ended at once") from error
                if time.monotonic() > deadline:
                    raise QmpError("no QMP socket after 20 s") from error
                time.sleep(0.01)

    def _read(self):
        line = self._lines.readline()
        if not line:
            raise QmpError("the VMM closed its monitor")
        return json.loads(line)

    def command(self, name, **arguments):
        """Runs a command and returns what it returns."""
        request = {"execute": name, "arguments": arguments}
        self._socket.sendall(json.dumps(request).encode())
        while True:
            answer = self._read()
            if "event" in answer:
                self._events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def wait_migration(self):
        """Until the migration has ended well."""
        while True:
            event = self._events.pop(0) if self._events else self._read()
            if event.get("event") != "MIGRATION":
                continue
            status = event["data"]["status"]
            if status == "completed":
                return
            if status in ("failed", "cancelled"):
                info = self.command("query-migrate")
                raise QmpError(info.get("error-desc", status))

    def close(self):
        """Ends the connection."""
        self._lines.close()
        self._socket.close()
