"""A bounds-checked cursor that also accounts for every byte it passes.

Every byte of a file belongs to exactly one span; a span has a kind.  The
cursor only moves forward, so the sum of all spans is the size of the file
when parsing ends, or something was skipped: that is what `finish` checks.
"""

import collections
import struct


class StreamError(Exception):
    """The input is not what the format asks for; carries where and why."""

    def __init__(self, offset, message):
        super().__init__(f"offset {offset:#x}: {message}")
        self.offset = offset
        self.message = message


class Cursor:
    """Reads big-endian values from a buffer, one after the other."""

    def __init__(self, data, offset=0):
        self.data = data
        self.size = len(data)
        self.at = offset
        self.totals = collections.OrderedDict()
        self.marks = {}
        if offset > self.size:
            raise StreamError(offset, f"start lies beyond the {self.size} bytes")
        if offset:
            self.totals["leading"] = offset

    def account(self, kind, size):
        """Pass `size` bytes that belong to `kind`."""
        if size < 0 or self.at + size > self.size:
            raise StreamError(
                self.at,
                f"{kind} needs {size} bytes, {self.size - self.at} are left",
            )
        self.totals[kind] = self.totals.get(kind, 0) + size
        self.at += size

    def peek(self, size):
        """The next `size` bytes, fewer at the end; does not move."""
        return self.data[self.at : min(self.at + size, self.size)]

    def take(self, kind, size):
        start = self.at
        self.account(kind, size)
        return self.data[start : start + size]

    def mark(self, name):
        """Remember the position of a field, for the malformed variants."""
        self.marks.setdefault(name, self.at)

    def unpack(self, kind, form, mark=None):
        if mark:
            self.mark(mark)
        return struct.unpack(
            form, self.take(kind, struct.calcsize(form))
        )[0]

    def u8(self, kind, mark=None):
        return self.unpack(kind, ">B", mark)

    def u16(self, kind, mark=None):
        return self.unpack(kind, ">H", mark)

    def u32(self, kind, mark=None):
        return self.unpack(kind, ">I", mark)

    def u64(self, kind, mark=None):
        return self.unpack(kind, ">Q", mark)

    def name(self, kind, mark=None):
        """A length byte and that many bytes of name."""
        size = self.u8(kind, mark)
        start = self.at
        raw = self.take(kind, size)
        try:
            return raw.decode("ascii")
        except UnicodeDecodeError:
            raise StreamError(start, f"name {raw!r} is not ASCII") from None

    def finish(self):
        """Account for what is behind the stream and prove the sum."""
        if self.at < self.size:
            self.account("trailing", self.size - self.at)
        total = sum(self.totals.values())
        if total != self.size:
            raise StreamError(self.at, f"accounted {total} of {self.size}")
