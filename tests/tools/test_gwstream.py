#!/usr/bin/env python3
"""Tests of the independent reader, on streams put together by hand.

The byte strings are the examples of the format description; what the reader
must say about them is arithmetic.
"""

import hashlib
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from qemustream import Stream, StreamError  # noqa: E402
from qemustream import compare, convert, describe, malform, writer  # noqa: E402
from qemustream.ram import apply_delta  # noqa: E402

PAGE = 4096
A, B = b"A" * PAGE, b"B" * PAGE
DEVICES = [(0, "timer", 0, 2, bytes(range(24))),
           (7, "cpu", 1, 12, b"\x7e\0\0\0\x07" * 3)]
BLOCKS = {"m": (70, {0: None, 1: A, 2: B, 69: A}), "rom": (1, {0: B})}


def microvm_start():
    """The example of a block table: 16 MiB of microvm, five blocks."""
    return bytes.fromhex(
        "0100000001" "03" + b"ram".hex() + "0000000000000004"
        "0000000001023004"
        "0b" + b"microvm.ram".hex() + "0000000001000000"
        "14" + b"/rom@etc/acpi/tables".hex() + "0000000000001000"
        "07" + b"pc.bios".hex() + "0000000000020000"
        "15" + b"/rom@etc/table-loader".hex() + "0000000000001000"
        "12" + b"/rom@etc/acpi/rsdp".hex() + "0000000000001000"
        "0000000000000010" "7e00000001"
        "0200000001"
        "0000000000000002" "0b" + b"microvm.ram".hex() + "00"
        "0000000000001022" "00"
        "0000000000000010" "7e00000001")


HEADER = bytes.fromhex("5145564d00000003" "0700000007" "6d6963726f766d")
FW_CFG = bytes.fromhex(
    "0000" "00000000"
    "050a" + b"fw_cfg/dma".hex() + "00000000" "0000000000000000"
    "050e" + b"fw_cfg/acpi_mr".hex() + "00000001"
    "00000000000002ae" "0000000000000680" "0000000000000024")


def field(name, kind, size, **more):
    return dict(name=name, type=kind, size=size, **more)


def sub(name, version, fields):
    return {"vmsd_name": name, "version": version, "fields": fields}


FW_CFG_DESCRIPTION = {
    "name": "fw_cfg", "instance_id": 0, "vmsd_name": "fw_cfg", "version": 2,
    "fields": [field("cur_entry", "uint16", 2),
               field("cur_offset", "uint32", 4)],
    "subsections": [
        sub("fw_cfg/dma", 0, [field("dma_addr", "uint64", 8)]),
        sub("fw_cfg/acpi_mr", 1, [field("table_mr_size", "uint64", 8),
                                  field("linker_mr_size", "uint64", 8),
                                  field("rsdp_mr_size", "uint64", 8)])]}


class Examples(unittest.TestCase):
    def test_configuration_with_capability_and_uuid(self):
        uuid = bytes.fromhex("00112233445566778899aabbccddeeff")
        data = HEADER + bytes.fromhex(
            "051a" + b"configuration/capabilities".hex() + "00000001"
            "00000001" "0f" + b"x-ignore-shared".hex()
            + "0512" + b"configuration/uuid".hex() + "00000001") + uuid
        stream = Stream(data + b"\0")
        self.assertEqual(stream.machine, "microvm")
        self.assertEqual(stream.capabilities, ["x-ignore-shared"])
        self.assertEqual(stream.uuid, uuid.hex())

    def test_block_table(self):
        stream = Stream(HEADER + microvm_start() + b"\0")
        sizes = {n: b.used_length for n, b in stream.blocks.items()}
        self.assertEqual(sizes, {
            "microvm.ram": 0x1000000, "/rom@etc/acpi/tables": 0x1000,
            "pc.bios": 0x20000, "/rom@etc/table-loader": 0x1000,
            "/rom@etc/acpi/rsdp": 0x1000})
        report = stream.blocks["microvm.ram"].report()
        self.assertEqual((report["zero"], report["normal"]), (2, 0))
        self.assertEqual(report["absent"], 0x1000 - 2)
        self.assertEqual(report["sha256"],
                         hashlib.sha256(bytes(0x1000000)).hexdigest())
        self.assertIn("ram has no end section", stream.warnings)

    def test_subsections_through_the_description(self):
        self.assertEqual(describe.device_bytes(FW_CFG_DESCRIPTION),
                         len(FW_CFG))
        values = dict(describe.fields(FW_CFG_DESCRIPTION, FW_CFG))
        self.assertEqual(values["fw_cfg/acpi_mr table_mr_size"], 0x2AE)
        self.assertEqual(values["fw_cfg/acpi_mr rsdp_mr_size"], 0x24)
        self.assertEqual(values["cur_entry"], 0)

    def test_delta_example(self):
        raw = bytes.fromhex("000138" "fe1f0152")
        page = apply_delta(bytes(PAGE), raw, 0)
        self.assertEqual(page, b"\x38" + bytes(PAGE - 2) + b"\x52")

    def test_mapped_layout_example(self):
        """The offsets of the description's own picture of a file."""
        blocks = {"m": (4096, {}), "/rom@etc/acpi/tables": (1, {})}
        data = writer.mapped("microvm", blocks, DEVICES)
        at = data.index(writer.u64(0x1001000 | 4))
        self.assertEqual(at, 8 + 12 + 32 + 15 + 17)
        stream = Stream(data)
        first = stream.blocks["m"].mapped
        second = stream.blocks["/rom@etc/acpi/tables"].mapped
        self.assertEqual(first["bitmap_offset"], 0x82)
        self.assertEqual(first["pages_offset"], 0x100000)
        self.assertEqual(second["bitmap_offset"], 0x1100039)
        self.assertEqual(second["pages_offset"], 0x1200000)


class Whole(unittest.TestCase):
    def check(self, data, offset=0):
        stream = Stream(data, offset)
        self.assertEqual(sum(stream.cursor.totals.values()), len(data))
        self.assertEqual(stream.warnings, [])
        block = stream.blocks["m"]
        want = bytes(PAGE) + A + B + bytes(66 * PAGE) + A
        self.assertEqual(b"".join(block.chunks()), want)
        self.assertEqual(block.sha256(), hashlib.sha256(want).hexdigest())
        self.assertEqual(block.nonzero_pages(), [1, 2, 69])
        self.assertEqual([(s.key, s.data) for s in stream.devices],
                         [((n, i), d) for _, n, i, _, d in DEVICES])
        return stream

    def test_plain(self):
        stream = self.check(writer.plain("x", BLOCKS, DEVICES))
        report = stream.blocks["m"].report()
        self.assertEqual((report["normal"], report["zero"],
                          report["absent"]), (3, 1, 66))
        self.assertEqual(stream.commands[0]["name"], "switchover-start")

    def test_mapped(self):
        stream = self.check(writer.mapped("x", BLOCKS, DEVICES))
        report = stream.blocks["m"].report()
        self.assertEqual((report["normal"], report["absent"]), (3, 67))

    def test_mapped_behind_an_offset(self):
        stream = self.check(writer.mapped("x", BLOCKS, DEVICES, 5000), 5000)
        self.assertEqual(stream.cursor.totals["leading"], 5000)
        self.assertEqual(stream.blocks["m"].mapped["pages_offset"], 0x100000)

    def test_same_guest_in_both_formats(self):
        one = Stream(writer.plain("x", BLOCKS, DEVICES))
        two = Stream(writer.mapped("x", BLOCKS, DEVICES, align=PAGE))
        self.assertEqual(compare.differences(one, two), [])

    def test_converted_both_ways(self):
        plain = Stream(writer.plain("x", BLOCKS, DEVICES))
        mapped = Stream(convert.to_mapped(plain))
        again = Stream(convert.to_plain(mapped))
        self.assertTrue(mapped.mapped)
        self.assertFalse(again.mapped)
        self.assertEqual(compare.differences(plain, mapped), [])
        self.assertEqual(compare.differences(plain, again), [])

    def test_converted_with_less(self):
        stream = Stream(writer.plain("x", BLOCKS, DEVICES))
        convert.drop(stream, ["rom", "timer"])
        less = Stream(convert.to_mapped(stream))
        self.assertEqual(list(less.blocks), ["m"])
        self.assertEqual([d.name for d in less.devices], ["cpu"])

    def test_last_record_wins(self):
        data = (writer.header() + writer.configuration("x")
                + writer.start(1, "ram", writer.table([("m", PAGE)])
                               + writer.eos())
                + writer.part(1, writer.page(0, A, "m")
                              + writer.page(0, None) + writer.eos())
                + writer.part(1, writer.page(0, B) + writer.eos(), end=True)
                + writer.devices_and_tail([]))
        block = Stream(data).blocks["m"]
        self.assertEqual(block.page(0), B)
        self.assertEqual(block.records, 3)

    def test_trailing_bytes_are_counted(self):
        data = writer.plain("x", BLOCKS, DEVICES) + b"{rest}"
        stream = Stream(data)
        self.assertEqual(stream.cursor.totals["trailing"], 6)
        self.assertIn("bytes behind the stream", stream.warnings)


class Differences(unittest.TestCase):
    def lines(self, blocks=None, devices=None, **more):
        one = Stream(writer.plain("x", BLOCKS, DEVICES))
        two = Stream(writer.plain("x", blocks or BLOCKS, devices or DEVICES))
        return compare.differences(one, two, **more)

    def test_page(self):
        other = dict(BLOCKS, m=(70, {1: A, 2: A, 69: A}))
        self.assertEqual(self.lines(blocks=other),
                         ["block m: 1 pages differ: 0x2"])

    def test_block_missing(self):
        self.assertEqual(self.lines(blocks={"m": BLOCKS["m"]}),
                         ["block rom: only in the first"])

    def test_device_bytes(self):
        other = [DEVICES[0], DEVICES[1][:4] + (b"\x01" * 15,)]
        lines = self.lines(devices=other)
        self.assertIn("data differ", lines[0])
        self.assertEqual(self.lines(devices=other, ignored=("cpu",)), [])
        self.assertEqual(self.lines(devices=other, ram_only=True), [])


class Malformed(unittest.TestCase):
    def refused(self, data):
        try:
            stream = Stream(data)
        except StreamError:
            return True
        # A reader of files without a guest cannot see these two; it warns.
        return bool(stream.warnings)

    def test_every_truncation_of_a_plain_stream(self):
        data = writer.plain("x", {"m": (2, {0: A, 1: None})}, DEVICES)
        end = data.rindex(b"\0\x06")
        for size in range(1, end + 1):
            with self.subTest(size=size):
                self.assertRaises(StreamError, Stream, data[:size])

    def test_variants(self):
        # What only a loader with a machine of its own can refuse.
        machine_only = {"machine-name-other", "machine-name-empty"}
        for make in (writer.plain, writer.mapped):
            data = make("x", BLOCKS, DEVICES)
            names = set()
            for name, value, verdict in malform.variants(data):
                self.assertNotIn(name, names)
                names.add(name)
                self.assertNotEqual(value, data)
                if verdict == "refuse" and name not in machine_only:
                    with self.subTest(make=make.__name__, name=name):
                        self.assertTrue(self.refused(value))
            self.assertGreater(len(names), 40)


if __name__ == "__main__":
    unittest.main()
