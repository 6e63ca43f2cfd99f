"""The `ram` section: block table, page records, mapped-ram headers."""

import hashlib
import struct

from .cursor import StreamError

ZERO, MEM_SIZE, PAGE, EOS = 0x02, 0x04, 0x08, 0x10
CONTINUE, XBZRLE, FLUSH = 0x20, 0x40, 0x200
PAGE_SIZE = 4096
MAPPED_VERSION = 1
MAX_BLOCK_BYTES = 1 << 46
HASH_CHUNK = 1 << 20
# Offset and flags, the byte that fills the page; how many at once.
ZERO_RECORD = struct.Struct(">QB")
ZERO_RUN = 1024


class Block:
    """One RAM block, with where in the file each of its pages lies."""

    def __init__(self, data, name, used_length):
        self.data = data
        self.name = name
        self.used_length = used_length
        self.address = None
        self.mapped = None
        self.records = 0
        self.zero = set()
        self.normal = {}

    @property
    def n_pages(self):
        return self.used_length // PAGE_SIZE

    def set_zero(self, page):
        self.records += 1
        self.normal.pop(page, None)
        self.zero.add(page)

    def set_normal(self, page, where):
        """`where` is a file offset, or the bytes themselves (deltas)."""
        self.records += 1
        self.zero.discard(page)
        self.normal[page] = where

    def page(self, page):
        where = self.normal.get(page)
        if where is None:
            return bytes(PAGE_SIZE)
        if isinstance(where, int):
            return self.data[where : where + PAGE_SIZE]
        return where

    def chunks(self):
        """The contents from start to end, absent pages as zeros."""
        page = 0
        zeros = bytes(HASH_CHUNK)
        order = sorted(self.normal)
        for known in order + [self.n_pages]:
            gap = (known - page) * PAGE_SIZE
            while gap > 0:
                size = min(gap, HASH_CHUNK)
                yield zeros[:size]
                gap -= size
            if known < self.n_pages:
                yield self.page(known)
            page = known + 1

    def sha256(self):
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()

    def nonzero_pages(self):
        """Pages whose contents are not all zero, however they travelled."""
        empty = bytes(PAGE_SIZE)
        return sorted(p for p in self.normal if self.page(p) != empty)

    def report(self):
        counts = {
            "name": self.name,
            "used_length": self.used_length,
            "pages": self.n_pages,
            "normal": len(self.normal),
            "zero": len(self.zero),
            "absent": self.n_pages - len(self.normal) - len(self.zero),
            "nonzero": len(self.nonzero_pages()),
            "records": self.records,
            "sha256": self.sha256(),
        }
        if self.address is not None:
            counts["address"] = self.address
        if self.mapped:
            counts["mapped"] = self.mapped
        return counts


class Ram:
    """All blocks, and the state that survives from section to section."""

    def __init__(self, cursor, mapped, ignore_shared):
        self.cursor = cursor
        self.mapped = mapped
        self.ignore_shared = ignore_shared
        self.blocks = {}
        self.last = None
        self.flushes = 0

    def section(self):
        """Records up to and including EOS."""
        while True:
            self.zero_run()
            start = self.cursor.at
            if not self.blocks:
                self.cursor.mark("ram.total")
            word = self.cursor.u64("ram-records")
            flags = word & (PAGE_SIZE - 1)
            if flags & ~CONTINUE == EOS:
                return
            if flags & ~CONTINUE == FLUSH:
                self.flushes += 1
            elif flags == MEM_SIZE:
                self.table(start, word - flags)
            else:
                self.page_record(start, word - flags, flags)

    def table(self, start, total):
        if self.blocks:
            raise StreamError(start, "a second block table")
        left = total
        while left:
            block = self.table_entry()
            if block.used_length > left:
                raise StreamError(
                    start, f"block table overshoots its total of {total}")
            left -= block.used_length

    def table_entry(self):
        cur = self.cursor
        start = cur.at
        name = cur.name("ram-table", "block.name")
        size = cur.u64("ram-table", "block.used_length")
        if name in self.blocks:
            raise StreamError(start, f"block {name!r} listed twice")
        if size == 0 or size % PAGE_SIZE or size > MAX_BLOCK_BYTES:
            raise StreamError(start, f"block {name!r} has a size of {size}")
        block = Block(cur.data, name, size)
        if self.ignore_shared:
            block.address = cur.u64("ram-table")
        self.blocks[name] = block
        if self.mapped:
            self.mapped_block(block)
        return block

    def mapped_block(self, block):
        cur = self.cursor
        start = cur.at
        version = cur.u32("mapped-headers", "mapped.version")
        page_size = cur.u64("mapped-headers", "mapped.page_size")
        bitmap_at = cur.u64("mapped-headers", "mapped.bitmap_offset")
        pages_at = cur.u64("mapped-headers", "mapped.pages_offset")
        if version != MAPPED_VERSION or page_size != PAGE_SIZE:
            raise StreamError(
                start, f"mapped header version {version}, page {page_size}")
        if pages_at % PAGE_SIZE:
            raise StreamError(start, f"page area at {pages_at:#x}, unaligned")
        bitmap_size = 8 * -(-block.n_pages // 64)
        if not cur.at <= bitmap_at <= pages_at - bitmap_size:
            raise StreamError(
                start, f"bitmap of {block.name!r} at {bitmap_at:#x} does not "
                f"lie between its header and its pages at {pages_at:#x}")
        block.mapped = {"bitmap_offset": bitmap_at, "pages_offset": pages_at,
                        "version": version, "page_size": page_size}
        cur.account("padding", bitmap_at - cur.at)
        cur.mark("mapped.bitmap")
        self.bitmap(block, cur.take("bitmaps", bitmap_size), pages_at)
        cur.account("padding", pages_at - cur.at)
        present = len(block.normal) * PAGE_SIZE
        cur.account("ram-pages", present)
        cur.account("holes", block.used_length - present)

    @staticmethod
    def bitmap(block, raw, pages_at):
        for index, byte in enumerate(raw):
            for bit in range(8) if byte else ():
                if not byte >> bit & 1:
                    continue
                page = index * 8 + bit
                if page >= block.n_pages:
                    raise StreamError(
                        pages_at, f"bit {page} lies beyond {block.name!r}")
                block.normal[page] = pages_at + page * PAGE_SIZE

    def zero_run(self):
        """Zero pages in a row, of the block that was named last: most of what
        there is of a large guest. Whatever is not plain is left alone."""
        cur, block = self.cursor, self.last
        if block is None or self.mapped:
            return
        while True:
            raw = cur.peek(ZERO_RUN * ZERO_RECORD.size)
            raw = raw[: len(raw) // ZERO_RECORD.size * ZERO_RECORD.size]
            pages = []
            for word, filling in ZERO_RECORD.iter_unpack(raw):
                if (word & (PAGE_SIZE - 1) != ZERO | CONTINUE or filling
                        or word >= block.used_length):
                    break
                pages.append(word // PAGE_SIZE)
            if not pages:
                return
            cur.account("ram-records", len(pages) * ZERO_RECORD.size)
            block.records += len(pages)
            block.zero.update(pages)
            for page in pages if block.normal else ():
                block.normal.pop(page, None)

    def page_record(self, start, offset, flags):
        cur = self.cursor
        kind = flags & ~CONTINUE
        if kind not in (ZERO, PAGE, XBZRLE) or self.mapped:
            raise StreamError(start, f"record with flags {flags:#x}")
        if flags & CONTINUE:
            block = self.last
        else:
            block = self.blocks.get(cur.name("ram-records"))
        if block is None:
            raise StreamError(start, "record of no known block")
        if offset >= block.used_length:
            raise StreamError(
                start, f"offset {offset:#x} beyond {block.name!r} of "
                f"{block.used_length:#x}")
        cur.marks.setdefault("ram.record", start)
        self.last = block
        self.page_payload(block, kind, offset // PAGE_SIZE)

    def page_payload(self, block, kind, page):
        cur = self.cursor
        if kind == ZERO:
            if cur.u8("ram-records") != 0:
                raise StreamError(cur.at - 1, "zero page with other filling")
            block.set_zero(page)
        elif kind == PAGE:
            block.set_normal(page, cur.at)
            cur.account("ram-pages", PAGE_SIZE)
        else:
            self.delta(block, page)

    def delta(self, block, page):
        cur = self.cursor
        if cur.u8("ram-records") != 1:
            raise StreamError(cur.at - 1, "unknown delta encoding")
        size = cur.u16("ram-records")
        start = cur.at
        raw = cur.take("ram-pages", size)
        block.set_normal(page, apply_delta(block.page(page), raw, start))


def uleb(raw, at, where):
    value = raw[at] & 0x7F
    if not raw[at] & 0x80:
        return value, at + 1
    if at + 1 >= len(raw) or raw[at + 1] & 0x80:
        raise StreamError(where + at, "bad run length in delta")
    return value | raw[at + 1] << 7, at + 2


def apply_delta(old, raw, where):
    """XBZRLE: pairs of (equal run, new bytes) over the page's contents."""
    page = bytearray(old)
    at = dst = 0
    while at < len(raw):
        skip, at = uleb(raw, at, where)
        if at >= len(raw) or (skip == 0 and dst):
            raise StreamError(where + at, "bad pair in delta")
        size, at = uleb(raw, at, where)
        dst += skip
        if size == 0 or dst + size > PAGE_SIZE or at + size > len(raw):
            raise StreamError(where + at, "delta overruns its page or input")
        page[dst : dst + size] = raw[at : at + size]
        at += size
        dst += size
    return bytes(page)
