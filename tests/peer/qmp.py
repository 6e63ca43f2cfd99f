"""A QMP client: one command at a time, events kept in order."""

import json
import socket
import time


class QmpError(Exception):
    """The peer answered with an error."""


class Qmp:
    """One negotiated monitor connection."""

    def __init__(self, path, timeout=20):
        self.timeout = timeout
        self.socket = connect(path, timeout)
        self.buffer = b""
        self.events = []
        self.greeting = self.receive()
        self.command("qmp_capabilities")

    def close(self):
        self.socket.close()

    def receive(self):
        while b"\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise QmpError("the monitor closed the connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def command(self, name, **arguments):
        """Send a command and return its result; `_` in argument names is -."""
        request = {"execute": name}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v
                                    for k, v in arguments.items()}
        self.socket.sendall(json.dumps(request).encode())
        while True:
            answer = self.receive()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            elif "return" in answer:
                return answer["return"]
            else:
                raise QmpError(f"{name}: the answer is {answer}, after the "
                               f"greeting {self.greeting}")

    def capabilities(self, **values):
        """Set migration capabilities, `mapped_ram=True` and the like."""
        return self.command("migrate-set-capabilities", capabilities=[
            {"capability": k.replace("_", "-"), "state": v}
            for k, v in values.items()])

    def wait_migration(self, timeout=60):
        """Poll until the migration has ended; returns query-migrate."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            info = self.command("query-migrate")
            status = info.get("status")
            if status == "completed":
                return info
            if status in ("failed", "cancelled"):
                raise QmpError(f"migration {status}: "
                               f"{info.get('error-desc', 'no reason given')}")
            time.sleep(0.05)
        raise QmpError(f"migration still {status} after {timeout} s")

    def status(self):
        return self.command("query-status")["status"]


def connect(path, timeout):
    """Connect to a socket that may not exist yet."""
    deadline = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(path)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
