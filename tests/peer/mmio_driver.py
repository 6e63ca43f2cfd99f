"""A driver of virtio-mmio devices for a guest with hands (hands.py)."""

import struct

from peer.hands import STORE

BASE = 0xfeb00000
SLOT_BYTES = 0x200
ENTRIES = 8
NEXT, WRITE = 1, 2
# Registers.
VERSION, DEVICE = 0x04, 0x08
DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x20, 0x24
PAGE_SIZE, QUEUE_SEL, QUEUE_NUM, QUEUE_ALIGN = 0x28, 0x30, 0x38, 0x3c
QUEUE_PFN, QUEUE_READY, QUEUE_NOTIFY = 0x40, 0x44, 0x50
STATUS, QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED = 0x70, 0x80, 0x90, 0xa0
INTERRUPT_STATUS = 0x60
VERSION_1 = 1 << 32


class Driver:
    """Of the device in `slot`; its queues have `ENTRIES` entries, rings of
    queue n lie at rings + 0x2000 * n in guest RAM."""

    def __init__(self, guest, slot, n_queues, rings, features=0):
        self.guest = guest
        self.base = BASE + SLOT_BYTES * slot
        self.rings = rings
        self.n_offered = [0] * n_queues
        self.legacy = self.get(VERSION) == 1
        self.negotiate(features if self.legacy else features | VERSION_1)
        for queue in range(n_queues):
            self.set_up(queue)
        self.put(STATUS, 7 if self.legacy else 15)

    def get(self, register):
        return self.guest.load(self.base + register)

    def put(self, register, value):
        self.guest.store(self.base + register, value)

    def negotiate(self, features):
        self.put(STATUS, 0)
        self.put(STATUS, 3)
        for word in range(1 if self.legacy else 2):
            self.put(DRIVER_FEATURES_SEL, word)
            self.put(DRIVER_FEATURES, features >> 32 * word & 0xffffffff)
        if self.legacy:
            self.put(PAGE_SIZE, 4096)
        else:
            self.put(STATUS, 11)

    def desc(self, queue):
        return self.rings + 0x2000 * queue

    def avail(self, queue):
        return self.desc(queue) + 16 * ENTRIES

    def used(self, queue):
        """Where the layout from before VIRTIO 1.0 has it."""
        return self.desc(queue) + 0x1000

    def set_up(self, queue):
        self.put(QUEUE_SEL, queue)
        self.put(QUEUE_NUM, ENTRIES)
        if self.legacy:
            self.put(QUEUE_ALIGN, 4096)
            self.put(QUEUE_PFN, self.desc(queue) >> 12)
            return
        for register, address in ((QUEUE_DESC, self.desc(queue)),
                                  (QUEUE_AVAIL, self.avail(queue)),
                                  (QUEUE_USED, self.used(queue))):
            self.put(register, address & 0xffffffff)
            self.put(register + 4, address >> 32)
        self.put(QUEUE_READY, 1)

    def offer(self, queue, head, parts):
        """A chain from descriptor `head` on; parts: address, size, WRITE."""
        for index, (address, size, flags) in enumerate(parts):
            last = index == len(parts) - 1
            self.guest.write(
                self.desc(queue) + 16 * (head + index),
                struct.pack("<QIHH", address, size,
                            flags | (0 if last else NEXT),
                            0 if last else head + index + 1))
        at = self.n_offered[queue]
        self.guest.write(self.avail(queue) + 4 + 2 * (at % ENTRIES),
                         struct.pack("<H", head))
        self.n_offered[queue] = at + 1
        self.guest.write(self.avail(queue) + 2, struct.pack("<H", at + 1))

    def notify(self, queue):
        self.put(QUEUE_NOTIFY, queue)

    def n_used(self, queue):
        return struct.unpack("<H", self.guest.read(self.used(queue) + 2, 2))[0]

    def start_notify(self, queue):
        """Without waiting for the guest: it may not come back."""
        self.guest.start(STORE, self.base + QUEUE_NOTIFY, queue)
