"""The VM description: the JSON behind a stream that gives section lengths.

Device sections carry no length of their own.  The description tells how many
bytes each field took, which is enough to find the end of every section and
to give names to the values in it.
"""

import json
import re

from .cursor import StreamError

MARK = 0x06
# A description is a few tens of KiB; do not search a whole memory image.
SEARCH_BYTES = 64 << 20

INT_SIGNED = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "int32 equal": 4,
              "int32 le": 4}
INT_UNSIGNED = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
                "uint8 equal": 1, "uint16 equal": 2, "uint32 equal": 4,
                "int64 equal": 8, "timer": 8}


def parse_at(data, at):
    """The description object that starts at `at`, or None; and its end."""
    if at + 6 > len(data) or data[at] != MARK:
        return None, at
    size = int.from_bytes(data[at + 1 : at + 5], "big")
    if at + 5 + size > len(data):
        return None, at
    try:
        value = json.loads(data[at + 5 : at + 5 + size].decode("ascii"))
    except (ValueError, RecursionError):
        return None, at
    if not isinstance(value, dict) or "devices" not in value:
        return None, at
    return value, at + 5 + size


def find(data):
    """Search backwards for a description; (object, offset) or (None, None).

    The last candidate that is whole and parses wins, so that bytes behind
    the stream do no harm.
    """
    floor = max(0, len(data) - SEARCH_BYTES)
    tail = bytes(data[floor:])
    found = [m.start() for m in re.finditer(rb"\x06(?=....\{)", tail, re.S)]
    for start in reversed(found):
        value, _ = parse_at(data, floor + start)
        if value is not None:
            return value, floor + start
    return None, None


def field_bytes(field):
    return field["size"] * field.get("array_len", 1)


def vmstate_bytes(vmstate):
    """Bytes that the fields and subsections of one vmstate took."""
    total = sum(field_bytes(f) for f in vmstate.get("fields", []))
    for sub in vmstate.get("subsections", []):
        total += 1 + 1 + len(sub["vmsd_name"]) + 4 + vmstate_bytes(sub)
    return total


def device_bytes(device):
    """Bytes of the data of one device section, without header and footer."""
    if "size" in device:
        return device["size"]
    return vmstate_bytes(device)


def scalar(kind, raw):
    if INT_SIGNED.get(kind) == len(raw):
        return int.from_bytes(raw, "big", signed=True)
    if INT_UNSIGNED.get(kind) == len(raw):
        return int.from_bytes(raw, "big")
    if kind == "bool" and len(raw) == 1:
        return bool(raw[0])
    return raw.hex()


def walk_field(field, data, at, prefix, out):
    """One field, all elements.  Wrapper types that describe their fields in
    line are followed where the sizes add up; the others are opaque."""
    name = prefix + field["name"]
    if "index" in field:
        name += f"[{field['index']}]"
    count = field.get("array_len", 1)
    for k in range(count):
        path = name if "array_len" not in field else f"{name}[{k}]"
        end = at + field["size"]
        inner = field.get("struct", field)
        if "fields" in inner and vmstate_bytes(inner) == field["size"]:
            walk(inner, data, at, path + " ", out)
        else:
            out.append((path, scalar(field.get("type"), data[at:end])))
        at = end
    return at


def walk(vmstate, data, at, prefix, out):
    """Append (path, value) of every field; returns the position behind."""
    for field in vmstate.get("fields", []):
        at = walk_field(field, data, at, prefix, out)
    for sub in vmstate.get("subsections", []):
        at = check_subsection(sub, data, at)
        at = walk(sub, data, at, f"{sub['vmsd_name']} ", out)
    return at


def check_subsection(sub, data, at):
    """The header of a subsection must be where the description puts it."""
    name = sub["vmsd_name"].encode("ascii")
    want = (b"\x05" + bytes([len(name)]) + name
            + sub["version"].to_bytes(4, "big"))
    have = data[at : at + len(want)]
    if have != want:
        raise StreamError(
            at, f"subsection {sub['vmsd_name']!r} expected, found {have!r}")
    return at + len(want)


def fields(device, data):
    """(path, value) of every described field of a device section; the parts
    of a path have blanks between them."""
    out = []
    if "size" in device:
        return [("data", data.hex())]
    end = walk(device, data, 0, "", out)
    if end != len(data):
        raise StreamError(end, f"fields end at {end}, data at {len(data)}")
    return out
