#!/usr/bin/env python3
"""Pads an option ROM to the size in its header, and fills in the checksums of
its PnP header and of the whole: seal.py FILE OUTPUT."""
import sys

BLOCK = 512
PNP_POINTER = 0x1a
PNP_SIZE = 5
PNP_CHECKSUM = 9


def main():
    with open(sys.argv[1], "rb") as image:
        rom = bytearray(image.read())
    size = rom[2] * BLOCK
    # The last byte is the checksum's.
    if rom[:2] != b"\x55\xaa" or not len(rom) < size <= len(rom) + BLOCK:
        sys.exit(f"{sys.argv[1]}: {len(rom)} bytes, header says {size}")
    rom += bytes(size - len(rom))
    pnp = int.from_bytes(rom[PNP_POINTER:PNP_POINTER + 2], "little")
    header = rom[pnp:pnp + 16 * rom[pnp + PNP_SIZE]]
    rom[pnp + PNP_CHECKSUM] = -sum(header) & 0xff
    rom[-1] = -sum(rom) & 0xff
    with open(sys.argv[2], "wb") as out:
        out.write(rom)


if __name__ == "__main__":
    main()
