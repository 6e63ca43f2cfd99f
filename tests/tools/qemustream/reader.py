"""The top level of a stream: header, configuration, sections, description."""

import hashlib
import mmap
import os

from . import describe
from .cursor import Cursor, StreamError
from .ram import Ram

MAGIC, VERSION = 0x5145564D, 3
EOF, START, PART, END, FULL, SUBSECTION = range(6)
DESCRIPTION, CONFIGURATION, COMMAND, FOOTER = 0x06, 0x07, 0x08, 0x7E
TYPE_NAMES = {START: "start", PART: "part", END: "end", FULL: "full"}
COMMANDS = {1: "open-return-path", 2: "ping", 3: "postcopy-advise",
            4: "postcopy-listen", 5: "postcopy-run", 6: "postcopy-discard",
            7: "packaged", 8: "enable-colo", 9: "postcopy-resume",
            10: "recv-bitmap", 11: "switchover-start"}
MAX_NAME = 255


class Section:
    """A device section (FULL) with its bytes."""

    def __init__(self, name, instance, version, offset, data, described):
        self.name = name
        self.instance = instance
        self.version = version
        self.offset = offset
        self.data = data
        self.described = described

    @property
    def key(self):
        return (self.name, self.instance)

    def fields(self):
        return describe.fields(self.described, self.data)

    def report(self, with_fields):
        value = {
            "name": self.name,
            "instance_id": self.instance,
            "version_id": self.version,
            "offset": self.offset,
            "size": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }
        if with_fields:
            value["fields"] = [[n, v] for n, v in self.fields()]
        return value


class Stream:
    """A whole stream, parsed to its last byte on construction."""

    def __init__(self, data, offset=0):
        self.offset = offset
        self.cursor = Cursor(data, offset)
        self.machine = None
        self.capabilities = []
        self.uuid = None
        self.page_bits = None
        self.ram = None
        self.devices = []
        self.commands = []
        self.sections = []
        self.warnings = []
        self.ram_id = None
        self.ram_ended = False
        self.ids = {}
        self.description, _ = describe.find(data)
        self.parse()

    @classmethod
    def open(cls, path, offset=0):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise StreamError(0, "the file is empty")
            return cls(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ),
                       offset)

    @property
    def mapped(self):
        return "mapped-ram" in self.capabilities

    @property
    def blocks(self):
        return self.ram.blocks if self.ram else {}

    def parse(self):
        self.header()
        self.configuration()
        self.ram = Ram(self.cursor, self.mapped,
                       "x-ignore-shared" in self.capabilities)
        while self.one():
            pass
        self.tail()
        self.cursor.finish()
        self.check_whole()

    def header(self):
        cur = self.cursor
        magic = cur.u32("header", "magic")
        if magic != MAGIC:
            raise StreamError(cur.at - 4, f"magic {magic:#010x}, not QEVM")
        version = cur.u32("header", "version")
        if version != VERSION:
            raise StreamError(cur.at - 4, f"stream version {version}")

    def configuration(self):
        cur = self.cursor
        if cur.peek(1) != bytes([CONFIGURATION]):
            self.warnings.append("no configuration section")
            return
        cur.mark("config.type")
        cur.u8("configuration")
        size = cur.u32("configuration", "config.name_size")
        if size > MAX_NAME:
            raise StreamError(cur.at - 4, f"machine name of {size} bytes")
        cur.mark("config.name")
        self.machine = cur.take("configuration", size).decode("ascii")
        while self.configuration_part():
            pass

    def configuration_part(self):
        cur = self.cursor
        head = cur.peek(2)
        if head[:1] != bytes([SUBSECTION]):
            return False
        cur.mark("config.subsection")
        cur.u8("configuration")
        name = cur.name("configuration")
        version = cur.u32("configuration")
        if version != 1:
            raise StreamError(cur.at - 4, f"{name} version {version}")
        if name == "configuration/capabilities":
            count = cur.u32("configuration", "config.capabilities")
            self.capabilities = [cur.name("configuration",
                                          "config.capability")
                                 for _ in range(count)]
        elif name == "configuration/uuid":
            self.uuid = bytes(cur.take("configuration", 16)).hex()
        elif name == "configuration/target-page-bits":
            self.page_bits = cur.u32("configuration")
        else:
            raise StreamError(cur.at, f"unknown subsection {name!r}")
        return True

    def one(self):
        """One section or command; False at the end-of-stream byte."""
        cur = self.cursor
        start = cur.at
        kind = cur.u8(self.framing(cur.peek(10)))
        if kind == EOF:
            cur.marks["eof"] = start
            return False
        if kind == COMMAND:
            self.command(start)
        elif kind in (START, FULL):
            self.announced(start, kind)
        elif kind in (PART, END):
            self.continued(start, kind)
        else:
            raise StreamError(start, f"section type {kind:#04x}")
        return True

    @staticmethod
    def framing(head):
        """Which account the frame that starts with `head` belongs to."""
        if head[:1] in (bytes([EOF]), bytes([COMMAND])):
            return "commands"
        announced = head[:1] in (bytes([START]), bytes([FULL]))
        if announced and head[5:9] != b"\x03ram":
            return "device-framing"
        return "ram-framing"

    def command(self, start):
        cur = self.cursor
        number = cur.u16("commands", "command.number")
        size = cur.u16("commands")
        if number not in COMMANDS:
            raise StreamError(start, f"command {number}")
        if COMMANDS[number] == "packaged":
            raise StreamError(start, "a postcopy package in a file")
        cur.account("commands", size)
        self.commands.append(
            {"name": COMMANDS[number], "offset": start, "size": size})

    def announced(self, start, kind):
        cur = self.cursor
        frame = self.framing(cur.data[start : start + 10])
        what = "ram" if frame == "ram-framing" else "section"
        ident = cur.u32(frame)
        name = cur.name(frame, f"{what}.name")
        instance = cur.u32(frame, f"{what}.instance")
        version = cur.u32(frame, f"{what}.version")
        if ident in self.ids:
            raise StreamError(start, f"section id {ident} used twice")
        self.ids[ident] = name
        if name == "ram":
            if version != 4:
                raise StreamError(start, f"ram version {version}")
            self.ram_id = ident
            self.ram.section()
        else:
            self.device(start, kind, name, instance, version)
        self.note(kind, ident, name, start)
        self.footer(frame, ident)

    def continued(self, start, kind):
        ident = self.cursor.u32("ram-framing")
        if ident != self.ram_id:
            raise StreamError(start, f"part of unknown section {ident}")
        self.ram.section()
        self.ram_ended = self.ram_ended or kind == END
        self.note(kind, ident, "ram", start)
        self.footer("ram-framing", ident)

    def note(self, kind, ident, name, start):
        self.sections.append({"type": TYPE_NAMES[kind], "id": ident,
                              "name": name, "offset": start,
                              "end": self.cursor.at + 5})

    def footer(self, frame, ident):
        cur = self.cursor
        mark = cur.u8(frame, "footer")
        have = cur.u32(frame)
        if mark != FOOTER or have != ident:
            raise StreamError(cur.at - 5, f"footer {mark:#04x} {have}, "
                              f"expected 0x7e {ident}")

    def device(self, start, kind, name, instance, version):
        if kind != FULL:
            raise StreamError(start, f"iterative section {name!r}")
        described = self.find_description(start, name, instance)
        if described["version"] != version:
            raise StreamError(start, f"section {name!r} has version {version},"
                              f" described is {described['version']}")
        cur = self.cursor
        cur.mark("section.data")
        data = bytes(cur.take("devices", describe.device_bytes(described)))
        section = Section(name, instance, version, start, data, described)
        if any(s.key == section.key for s in self.devices):
            self.warnings.append(f"section {name!r} {instance} is there twice")
        self.devices.append(section)

    def find_description(self, start, name, instance):
        if self.description is None:
            raise StreamError(start, f"section {name!r} cannot be delimited: "
                              "no VM description")
        for entry in self.description["devices"]:
            if entry["name"] == name and entry["instance_id"] == instance:
                return entry
        raise StreamError(start, f"section {name!r} {instance} is not in the "
                          "VM description")

    def tail(self):
        cur = self.cursor
        value, end = describe.parse_at(cur.data, cur.at)
        if value is None:
            self.warnings.append("no VM description behind the stream")
            return
        cur.marks["description"] = cur.at
        cur.account("description", end - cur.at)

    def check_whole(self):
        if self.ram_id is not None and not self.ram_ended:
            self.warnings.append("ram has no end section")
        if self.cursor.totals.get("trailing"):
            self.warnings.append("bytes behind the stream")
        listed = [] if self.description is None else [
            (d["name"], d["instance_id"])
            for d in self.description["devices"]]
        if listed != [s.key for s in self.devices]:
            self.warnings.append("description lists other device sections")

    def report(self, with_fields=True):
        """Everything as plain values, for JSON."""
        return {
            "format": "mapped-ram" if self.mapped else "plain",
            "offset": self.offset,
            "size": self.cursor.size,
            "configuration": {
                "machine": self.machine,
                "capabilities": self.capabilities,
                "uuid": self.uuid,
                "target_page_bits": self.page_bits,
            },
            "blocks": [b.report() for b in self.blocks.values()],
            "sections": self.sections,
            "devices": [d.report(with_fields) for d in self.devices],
            "commands": self.commands,
            "accounting": dict(self.cursor.totals),
            "accounted": sum(self.cursor.totals.values()),
            "warnings": self.warnings,
        }
