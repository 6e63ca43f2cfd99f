#!/usr/bin/env python3
"""Writes a C source with the bytes of a file: embed.py FILE OUTPUT."""
import sys


def main():
    with open(sys.argv[1], "rb") as image:
        data = image.read()
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write('#include "beat_elf.h"\n\n')
        out.write("const unsigned char gw_beat_elf[] = {\n")
        for at in range(0, len(data), 16):
            row = data[at:at + 16]
            out.write("    " + " ".join(f"{b}," for b in row) + "\n")
        out.write("};\n")
        out.write("const size_t gw_beat_elf_size = sizeof(gw_beat_elf);\n")


if __name__ == "__main__":
    main()
