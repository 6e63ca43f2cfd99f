"""Rewrites a file in the other format, in the plainest way that is legal.

A yardstick for converters: the RAM is the same, every device section and the
description are carried over byte for byte.
"""

from . import writer
from .ram import PAGE_SIZE


def drop(stream, names):
    """Forget RAM blocks and device sections, for a machine without them."""
    for name in names:
        stream.blocks.pop(name, None)
    stream.sections = [s for s in stream.sections if s["name"] not in names]


def device_tail(stream):
    """The device sections as they are, and all from the end mark on."""
    data = stream.cursor.data
    end = stream.cursor.size - stream.cursor.totals.get("trailing", 0)
    return b"".join(data[s["offset"] : s["end"]] for s in stream.sections
                    if s["type"] == "full") + bytes(
                        data[stream.cursor.marks["eof"] : end])


def head(stream, mapped):
    names = [c for c in stream.capabilities if c != "mapped-ram"]
    if mapped:
        names.append("mapped-ram")
    uuid = bytes.fromhex(stream.uuid) if stream.uuid else None
    return writer.header() + writer.configuration(stream.machine, names, uuid)


def to_plain(stream):
    sizes = [(n, b.used_length) for n, b in stream.blocks.items()]
    ident = stream.ram_id
    out = [head(stream, False),
           writer.start(ident, "ram", writer.table(sizes) + writer.eos())]
    records = []
    for name, block in stream.blocks.items():
        for number in range(block.n_pages):
            known = number in block.normal
            records.append(writer.page(
                number * PAGE_SIZE, block.page(number) if known else None,
                None if number else name))
    out.append(writer.command(11))
    out.append(writer.part(ident, b"".join(records) + writer.eos(), end=True))
    return b"".join(out) + device_tail(stream)


def to_mapped(stream):
    out = bytearray(head(stream, True))
    total = sum(b.used_length for b in stream.blocks.values())
    out += b"\x01" + writer.u32(stream.ram_id) + writer.name("ram")
    out += writer.u32(0) + writer.u32(4) + writer.u64(total | 4)
    for name, block in stream.blocks.items():
        pages = {p: block.page(p) for p in block.nonzero_pages()}
        out += writer.mapped_entry(len(out), name, pages, block.n_pages)
    out += writer.eos() + writer.footer(stream.ram_id) + writer.command(11)
    out += writer.part(stream.ram_id, writer.eos(), end=True)
    return bytes(out) + device_tail(stream)
