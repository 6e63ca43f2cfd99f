"""Damaged variants of a good file, each with one thing wrong.

Works on any file that the reader accepts: the reader remembers where the
interesting fields are, and each variant patches one of them.  A loader must
refuse every variant marked `refuse`; those marked `accept` are odd but legal.
"""

import struct

from .reader import Stream

# field, new bytes, name
PATCHES = [
    ("magic", b"QEVN", "wrong-magic"),
    ("version", struct.pack(">I", 2), "version-obsolete"),
    ("version", struct.pack(">I", 4), "version-unknown"),
    ("config.type", b"\x09", "configuration-missing"),
    ("config.name_size", b"\xff\xff\xff\xff", "machine-name-huge"),
    ("config.name_size", b"\0\0\0\0", "machine-name-empty"),
    ("config.name", b"\x7f", "machine-name-other"),
    ("config.capability", b"\x01", "capability-cut"),
    ("ram.name", b"\x00", "ram-name-empty"),
    ("ram.version", struct.pack(">I", 5), "ram-version-too-new"),
    ("ram.version", struct.pack(">I", 3), "ram-version-too-old"),
    ("block.name", b"\x00", "block-name-empty"),
    ("block.used_length", b"\xff" * 8, "block-size-huge"),
    ("block.used_length", struct.pack(">Q", 4096), "block-size-small"),
    ("ram.total", struct.pack(">Q", 0x1004), "table-total-small"),
    ("mapped.version", struct.pack(">I", 2), "mapped-version"),
    ("mapped.page_size", struct.pack(">Q", 0), "mapped-page-size-zero"),
    ("mapped.page_size", struct.pack(">Q", 8192), "mapped-page-size-other"),
    ("mapped.bitmap_offset", b"\x7f" + b"\xff" * 7, "mapped-bitmap-far"),
    ("mapped.pages_offset", b"\x7f" + b"\xff" * 6 + b"\0",
     "mapped-pages-unaligned"),
    ("mapped.pages_offset", b"\x7f" + b"\xff" * 5 + b"\xf0\0",
     "mapped-pages-far"),
    ("command.number", struct.pack(">H", 12), "command-unknown"),
    ("section.name", b"\x00", "section-name-empty"),
    ("section.instance", struct.pack(">I", 77), "section-instance-unknown"),
    ("section.version", b"\x7f\xff\xff\xff", "section-version-too-new"),
    ("footer", b"\x7d", "footer-mark"),
    ("eof", b"\x05", "subsection-at-top-level"),
    ("eof", b"\x09", "section-type-unknown"),
]


def patched(data, at, value):
    return data[:at] + value + data[at + len(value):]


def record_variants(stream, data):
    """Page records that lie; the first record of a plain stream."""
    at = stream.cursor.marks.get("ram.record")
    if at is None or stream.mapped:
        return
    word = int.from_bytes(data[at : at + 8], "big")
    offset = word & ~0xFFF
    yield "page-beyond-block", patched(
        data, at, struct.pack(">Q", (1 << 60) | word & 0xFFF))
    yield "record-continue-first", patched(
        data, at, struct.pack(">Q", word | 0x20))
    for flags in (0x000, 0x001, 0x00A, 0x102, 0x402, 0x080):
        yield f"record-flags-{flags:03x}", patched(
            data, at, struct.pack(">Q", offset | flags))


def section_variants(stream, data):
    """Whole device sections repeated, left out or renamed."""
    devices = [s for s in stream.sections if s["type"] == "full"]
    if not devices:
        return
    first = devices[0]
    span = data[first["offset"] : first["end"]]
    at = first["offset"] + 6
    yield "section-unknown-device", patched(data, at, b"\x7e")
    # the footer with another id: the last four bytes of the section
    other = struct.pack(">I", first["id"] ^ 0x55)
    yield "footer-id", patched(data, first["end"] - 4, other)
    yield "section-twice", (data[: first["end"]] + span
                            + data[first["end"]:])
    yield "section-missing", data[: first["offset"]] + data[first["end"]:]


def bitmap_variant(stream, data):
    """A bit beyond the block; needs a block with spare bitmap bits."""
    for block in stream.blocks.values():
        if block.mapped and block.n_pages % 64:
            byte = block.mapped["bitmap_offset"] + block.n_pages // 8
            value = data[byte] | 1 << block.n_pages % 8
            yield "mapped-bit-beyond-block", patched(
                data, byte, bytes([value]))
            return


def variants(data, offset=0):
    """Yield (name, bytes, "refuse"|"accept") for every variant."""
    stream = Stream(data, offset)
    marks = stream.cursor.marks
    for field, value, name in PATCHES:
        at = marks.get(field)
        if at is not None and data[at : at + len(value)] != value:
            yield name, patched(data, at, value), "refuse"
    for make in (record_variants, section_variants, bitmap_variant):
        for name, value in make(stream, data):
            yield name, value, "refuse"
    yield "trailing-bytes", data + b"after the end", "accept"
    if "description" in marks:
        yield ("description-missing", data[: marks["description"]], "accept")
    yield from truncations(stream, data)


def truncations(stream, data):
    """Cut at the interesting fields: inside each, and right before it."""
    yield "empty", b"", "refuse"
    for name, at in stream.cursor.marks.items():
        if name != "description" and at > stream.offset:
            yield f"cut-at-{name}", data[:at], "refuse"
