#!/usr/bin/env python3
"""Reads QEMU migration streams and mapped-ram files, independently of godwit.

  gwstream.py report FILE [--json] [--offset N] [--no-fields]
  gwstream.py compare A B [--ignore SECTION,...] [--ram-only]
  gwstream.py raw FILE DIRECTORY        one sparse file per RAM block
  gwstream.py convert FILE OUT --to plain|mapped [--drop NAME]...
  gwstream.py malform FILE DIRECTORY    damaged variants of FILE

`FILE` alone means `report FILE`.  Exit status: 0 good or equal, 1 bad file or
different, 2 wrong use.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from qemustream import Stream, StreamError  # noqa: E402
from qemustream import compare, convert, malform  # noqa: E402
from qemustream.ram import PAGE_SIZE  # noqa: E402


def print_report(value):
    conf = value["configuration"]
    print(f"{value['format']}, machine {conf['machine']}, "
          f"{value['size']} bytes, stream at {value['offset']}")
    for block in value["blocks"]:
        print(f"block {block['name']}: {block['used_length']} bytes, "
              f"{block['normal']} normal, {block['zero']} zero, "
              f"{block['absent']} absent, sha256 {block['sha256'][:16]}")
    for device in value["devices"]:
        print(f"device {device['name']} instance {device['instance_id']} "
              f"version {device['version_id']}: {device['size']} bytes")
        for name, field in device.get("fields", []):
            print(f"    {name} = {field}")
    for kind, size in value["accounting"].items():
        print(f"bytes {kind}: {size}")
    for warning in value["warnings"]:
        print(f"warning: {warning}")


def do_report(args):
    value = Stream.open(args.file, args.offset).report(not args.no_fields)
    if args.json:
        print(json.dumps(value, indent=1))
    else:
        print_report(value)
    return 0


def do_compare(args):
    ignored = args.ignore.split(",") if args.ignore else ()
    lines = compare.differences(Stream.open(args.a), Stream.open(args.b),
                                ignored, args.ram_only)
    for line in lines:
        print(line)
    return 1 if lines else 0


def raw_name(block_name):
    """A block's name as a file name: slashes cannot stay."""
    return block_name.replace("/", "_") + ".raw"


def do_raw(args):
    os.makedirs(args.directory, exist_ok=True)
    for block in Stream.open(args.file, args.offset).blocks.values():
        path = os.path.join(args.directory, raw_name(block.name))
        with open(path, "wb") as out:
            out.truncate(block.used_length)
            for page in sorted(block.normal):
                out.seek(page * PAGE_SIZE)
                out.write(block.page(page))
    return 0


def do_convert(args):
    make = convert.to_mapped if args.to == "mapped" else convert.to_plain
    stream = Stream.open(args.file, args.offset)
    convert.drop(stream, args.drop)
    with open(args.out, "wb") as out:
        out.write(make(stream))
    return 0


def do_malform(args):
    with open(args.file, "rb") as file:
        data = file.read()
    os.makedirs(args.directory, exist_ok=True)
    for name, value, verdict in malform.variants(data):
        path = os.path.join(args.directory, f"{verdict}-{name}")
        with open(path, "wb") as out:
            out.write(value)
    return 0


def arguments():
    top = argparse.ArgumentParser(
        description="Read QEMU migration streams and mapped-ram files.")
    subs = top.add_subparsers(dest="verb", required=True)
    report = subs.add_parser("report")
    report.add_argument("file")
    report.add_argument("--json", action="store_true")
    report.add_argument("--no-fields", action="store_true")
    report.set_defaults(run=do_report)
    diff = subs.add_parser("compare")
    diff.add_argument("a")
    diff.add_argument("b")
    diff.add_argument("--ignore", default="")
    diff.add_argument("--ram-only", action="store_true")
    diff.set_defaults(run=do_compare)
    for verb, run in (("raw", do_raw), ("malform", do_malform)):
        sub = subs.add_parser(verb)
        sub.add_argument("file")
        sub.add_argument("directory")
        sub.set_defaults(run=run)
    change = subs.add_parser("convert")
    change.add_argument("file")
    change.add_argument("out")
    change.add_argument("--to", choices=("plain", "mapped"), required=True)
    change.add_argument("--drop", action="append", default=[],
                        help="leave out this RAM block or device section")
    change.set_defaults(run=do_convert)
    for sub in subs.choices.values():
        sub.add_argument("--offset", type=lambda t: int(t, 0), default=0)
    return top


def main(argv):
    verbs = ("report", "compare", "raw", "convert", "malform", "-h", "--help")
    if argv and not any(a in verbs for a in argv[:1]):
        argv = ["report"] + argv
    args = arguments().parse_args(argv)
    try:
        return args.run(args)
    except (StreamError, OSError) as error:
        print(f"gwstream: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
