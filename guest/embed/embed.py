#!/usr/bin/env python3
"""Writes a C source with the bytes of a file as NAME and NAME_size, which
HEADER declares: embed.py FILE OUTPUT HEADER NAME."""
import sys


def main():
    source, output, header, name = sys.argv[1:]
    with open(source, "rb") as image:
        data = image.read()
    with open(output, "w", encoding="ascii") as out:
        out.write(f'#include "{header}"\n\n')
        out.write(f"const unsigned char {name}[] = {{\n")
        for at in range(0, len(data), 16):
            row = data[at:at + 16]
            out.write("    " + " ".join(f"{b}," for b in row) + "\n")
        out.write("};\n")
        out.write(f"const size_t {name}_size = sizeof({name});\n")


if __name__ == "__main__":
    main()
