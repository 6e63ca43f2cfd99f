"""Do two files hold the same guest?  Same RAM, same device sections."""

MAX_PAGES_LISTED = 8


def block_differences(name, one, two):
    if one.used_length != two.used_length:
        return [f"block {name}: {one.used_length} and {two.used_length} bytes"]
    if one.sha256() == two.sha256():
        return []
    pages = [p for p in sorted(set(one.normal) | set(two.normal))
             if one.page(p) != two.page(p)]
    shown = " ".join(f"{p:#x}" for p in pages[:MAX_PAGES_LISTED])
    return [f"block {name}: {len(pages)} pages differ: {shown}"]


def ram_differences(one, two):
    out = []
    for name in sorted(set(one.blocks) | set(two.blocks)):
        if name not in one.blocks or name not in two.blocks:
            where = "second" if name in two.blocks else "first"
            out.append(f"block {name}: only in the {where}")
            continue
        out += block_differences(name, one.blocks[name], two.blocks[name])
    return out


def field_differences(one, two):
    """Names of the fields that differ, when both are described alike."""
    try:
        left, right = dict(one.fields()), dict(two.fields())
    except Exception:  # the bytes differ anyway; names are a courtesy
        return []
    return [f"    {name}: {left.get(name)} and {right.get(name)}"
            for name in list(left) + [n for n in right if n not in left]
            if left.get(name) != right.get(name)]


def device_differences(one, two, ignored=()):
    out = []
    left = [s for s in one.devices if s.name not in ignored]
    right = [s for s in two.devices if s.name not in ignored]
    if [s.key for s in left] != [s.key for s in right]:
        out.append(f"device sections: {[s.key for s in left]} and "
                   f"{[s.key for s in right]}")
    by_key = {s.key: s for s in right}
    for section in left:
        other = by_key.get(section.key)
        if other is None:
            continue
        if section.version != other.version:
            out.append(f"section {section.key}: versions {section.version} "
                       f"and {other.version}")
        if section.data != other.data:
            out.append(f"section {section.key}: data differ "
                       f"({len(section.data)} and {len(other.data)} bytes)")
            out += field_differences(section, other)
    return out


def differences(one, two, ignored=(), ram_only=False):
    """A list of lines, empty if the two are the same guest."""
    out = []
    if one.machine != two.machine:
        out.append(f"machine: {one.machine} and {two.machine}")
    out += ram_differences(one, two)
    if not ram_only:
        out += device_differences(one, two, ignored)
    return out
