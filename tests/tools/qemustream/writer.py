"""Builds small streams and files by hand, for tests of readers.

Nothing here knows about guests: the caller says which blocks, pages and
device sections there are, and may leave out or add what it likes.
"""

import json
import struct

from .ram import CONTINUE, EOS, MEM_SIZE, PAGE, PAGE_SIZE, ZERO

MAPPED_ALIGN = 0x100000


def name(text):
    raw = text if isinstance(text, bytes) else text.encode("ascii")
    return bytes([len(raw)]) + raw


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def header(version=3, magic=b"QEVM"):
    return magic + u32(version)


def configuration(machine, capabilities=(), uuid=None):
    out = b"\x07" + u32(len(machine)) + machine.encode("ascii")
    if capabilities:
        out += b"\x05" + name("configuration/capabilities") + u32(1)
        out += u32(len(capabilities)) + b"".join(map(name, capabilities))
    if uuid:
        out += b"\x05" + name("configuration/uuid") + u32(1) + uuid
    return out


def footer(ident):
    return b"\x7e" + u32(ident)


def start(ident, text, data, instance=0, version=4, kind=1):
    return (bytes([kind]) + u32(ident) + name(text) + u32(instance)
            + u32(version) + data + footer(ident))


def part(ident, data, end=False):
    return bytes([3 if end else 2]) + u32(ident) + data + footer(ident)


def full(ident, text, data, instance=0, version=1):
    return start(ident, text, data, instance, version, kind=4)


def command(number, payload=b""):
    return b"\x08" + struct.pack(">HH", number, len(payload)) + payload


def table(blocks):
    """`blocks` is a list of (name, size); without the closing EOS."""
    out = u64(sum(size for _, size in blocks) | MEM_SIZE)
    return out + b"".join(name(text) + u64(size) for text, size in blocks)


def page(offset, contents, block=None):
    """A page record, zero if `contents` is None; no block: CONTINUE."""
    flags = (ZERO if contents is None else PAGE)
    flags |= 0 if block else CONTINUE
    out = u64(offset | flags) + (name(block) if block else b"")
    return out + (b"\0" if contents is None else contents)


def eos():
    return u64(EOS)


def description(devices, **extra):
    """`devices` is a list of (name, instance, version, size)."""
    value = dict(extra)
    value["page_size"] = PAGE_SIZE
    value["devices"] = [
        {"name": n, "instance_id": i, "vmsd_name": n, "version": v,
         "fields": [{"name": "data", "type": "buffer", "size": s}]}
        for n, i, v, s in devices]
    raw = json.dumps(value).encode("ascii")
    return b"\x06" + u32(len(raw)) + raw


def mapped_entry(at, text, pages, n_pages, align=MAPPED_ALIGN):
    """Table entry, header, bitmap and pages of one block that starts at
    absolute file position `at`; `pages` maps page number to contents."""
    head = name(text) + u64(n_pages * PAGE_SIZE)
    bitmap_at = at + len(head) + 28
    bitmap = bytearray(8 * -(-n_pages // 64))
    area = bytearray(n_pages * PAGE_SIZE)
    for number, contents in pages.items():
        bitmap[number // 8] |= 1 << number % 8
        area[number * PAGE_SIZE : (number + 1) * PAGE_SIZE] = contents
    pages_at = -(-(bitmap_at + len(bitmap)) // align) * align
    head += u32(1) + u64(PAGE_SIZE) + u64(bitmap_at) + u64(pages_at)
    head += bitmap
    return head + bytes(pages_at - at - len(head)) + area


def devices_and_tail(devices):
    """`devices` is a list of (id, name, instance, version, data)."""
    out = b"".join(full(i, n, d, k, v) for i, n, k, v, d in devices)
    return out + b"\0" + description(
        [(n, k, v, len(d)) for _, n, k, v, d in devices])


def plain(machine, blocks, devices):
    """A whole plain stream; `blocks` maps a name to (n_pages, {page: bytes
    or None}); pages that are not in the dictionary are not sent."""
    out = header() + configuration(machine)
    sizes = [(n, count * PAGE_SIZE) for n, (count, _) in blocks.items()]
    out += start(1, "ram", table(sizes) + eos())
    records = b""
    for text, (_, pages) in blocks.items():
        first = text
        for number in sorted(pages):
            records += page(number * PAGE_SIZE, pages[number], first)
            first = None
    out += part(1, records + eos())
    out += command(11) + part(1, eos(), end=True)
    return out + devices_and_tail(devices)


def mapped(machine, blocks, devices, offset=0, align=MAPPED_ALIGN):
    """A whole mapped-ram file with `offset` zero bytes in front."""
    out = bytes(offset) + header() + configuration(machine, ["mapped-ram"])
    out += b"\x01" + u32(1) + name("ram") + u32(0) + u32(4)
    total = sum(count * PAGE_SIZE for count, _ in blocks.values())
    out += u64(total | MEM_SIZE)
    for text, (count, pages) in blocks.items():
        full_pages = {k: v for k, v in pages.items() if v is not None}
        out += mapped_entry(len(out), text, full_pages, count, align)
    out += eos() + footer(1)
    out += command(11) + part(1, eos(), end=True)
    return out + devices_and_tail(devices)
