"""The command line of bench/save-restore."""

import argparse
import os

from . import case, memory, vmm

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GIB = 1 << 30

DESCRIPTION = """\
Saves guest memory to files and restores it, by godwit and by QEMU in turn,
with fio's speed on the same file system in the same run. Prints a table.
Exit status: 1 if a run fails, restored memory differs, or a check fails:
memory beside the guest's, page cache after a direct save, pages populated by
a save; 77 if QEMU or fio is missing. Times are reported, never judged, but for
`touched`, where two of godwit's own are compared.
"""
EPILOG = """\
Without options: 1 GiB, a subset of profiles and ways, about 15 minutes on two
CPUs. --full: 1, 4 and 8 GiB, every profile, way and file system (the build
folder's and --memory's): hours, 24 GiB of memory, 20 GiB of disk. What needs
more memory than there is, is left out and named. Any of --profile, --format,
--channels, --io replaces the subset by all combinations of what is asked for;
what is not asked for is then: every profile; both formats; channels none and 2;
direct and buffered.
"""


class Options(argparse.Namespace):
    """What was asked for."""

    def competitors(self):
        """{name: (class, program)}; QEMU first."""
        every = {
            "qemu": (vmm.Qemu, self.qemu),
            "godwit": (vmm.Godwit, self.godwit),
            "libgodwit": (vmm.MemMachine, self.mem_machine),
        }
        return {name: every[name] for name in every if name in self.who}

    def competitor(self, name):
        """Class and program of one."""
        return {
            "godwit": (vmm.Godwit, self.godwit),
            "qemu": (vmm.Qemu, self.qemu),
        }[name]

    def cases(self):
        """What the main table shall have."""
        return case.cases(self.sizes, self.directories, self.ways)


def _channels(text):
    return 0 if text == "none" else int(text)


def _parser():
    build = os.path.join(os.path.dirname(HERE), "build")
    parser = argparse.ArgumentParser(
        prog="save-restore",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    many = {"action": "append", "default": None}
    what = parser.add_argument_group("what is measured (lists: repeat)")
    what.add_argument(
        "--full", action="store_true", help="everything, 2 rounds"
    )
    what.add_argument(
        "--quick",
        action="store_true",
        help="128 MiB, one round, no fio, no Linux: does it work",
    )
    what.add_argument(
        "--size",
        **many,
        type=int,
        dest="sizes",
        metavar="MIB",
        help="of guest memory; default 1024",
    )
    what.add_argument(
        "--profile",
        **many,
        choices=[*memory.PROFILES, "touched"],
        dest="profiles",
        help="touched: 16 GiB of which 256 MiB are, beside these alone",
    )
    what.add_argument(
        "--format", **many, choices=("mapped", "plain"), dest="formats"
    )
    what.add_argument(
        "--channels",
        **many,
        type=_channels,
        metavar="N|none",
        help="of multifd, with mapped; QEMU wants 1 to 255",
    )
    what.add_argument(
        "--io",
        **many,
        choices=("direct", "buffered"),
        dest="modes",
        help="QEMU without multifd is buffered whatever it is told",
    )
    what.add_argument(
        "--who",
        **many,
        choices=("qemu", "godwit", "libgodwit"),
        help="default: qemu and godwit; libgodwit is bench/mem-machine",
    )
    what.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="default 4; even: ABBA; --full 2, --live 1",
    )
    live = parser.add_argument_group("live saves")
    live.add_argument(
        "--live",
        action="store_true",
        help="instead: save beat while it runs (--accel thread)",
    )
    live.add_argument(
        "--rate",
        **many,
        type=int,
        dest="rates",
        metavar="N",
        help="pages dirtied per second; default 0, 1000, 10000, 100000",
    )
    live.add_argument(
        "--live-timeout",
        type=int,
        default=60,
        metavar="SECONDS",
        help="until a save counts as not converging; default %(default)s",
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--directory",
        **many,
        dest="directories",
        metavar="FOLDER",
        help="on the file system to measure; default: the build folder",
    )
    where.add_argument(
        "--memory",
        metavar="FOLDER",
        default="/dev/shm",
        help="a tmpfs for guest memory; default %(default)s",
    )
    where.add_argument(
        "--qemu", metavar="FILE", default="qemu-system-x86_64"
    )
    where.add_argument(
        "--godwit", metavar="FILE", default=os.path.join(build, "godwit")
    )
    where.add_argument(
        "--mem-machine",
        metavar="FILE",
        default=os.path.join(build, "bench", "mem-machine"),
    )
    where.add_argument(
        "--no-limits", action="store_true", help="do not run fio"
    )
    where.add_argument(
        "--no-warm-up", action="store_true", help="see docs/bench.md"
    )
    out = parser.add_argument_group("output")
    out.add_argument("--json", metavar="FILE", help="write the report there")
    out.add_argument(
        "--show", metavar="FILE", help="measure nothing, show that report"
    )
    out.add_argument(
        "--markdown", action="store_true", help="tables for docs/bench.md"
    )
    return parser


def _ways(options):
    """{profile: ways} of the main table."""
    chosen = [options.formats, options.channels, options.modes]
    profiles = options.profiles
    if options.quick and not any(chosen + [profiles]):
        return dict(case.QUICK)
    if not options.full and not any(chosen + [profiles]):
        return dict(case.DEFAULT)
    channels = options.channels or ([0, 1, 2, 8] if options.full else [0, 2])
    ways = tuple(
        case.every_way(
            options.formats or ("mapped", "plain"),
            channels,
            options.modes or ("direct", "buffered"),
        )
    )
    return {
        profile: ways
        for profile in profiles or memory.PROFILES
        if profile != "touched"
    }


def _presets(options, build):
    if options.quick:
        sizes, rounds, touched = [128], 1, (4 * GIB, 32 << 20)
        options.no_warm_up = True
    elif options.full:
        sizes, rounds, touched = [1024, 4096, 8192], 2, (16 * GIB, 256 << 20)
        options.directories = options.directories or [build, options.memory]
    else:
        sizes, touched = [1024], (16 * GIB, 256 << 20)
        rounds = 1 if options.live else 4
    options.sizes = [mib << 20 for mib in options.sizes or sizes]
    options.rounds = options.rounds or rounds
    options.touched = touched
    options.judge_touched = not options.quick
    options.directories = options.directories or [build]
    options.rates = options.rates or (
        [1000] if options.quick else [0, 1000, 10000, 100000]
    )
    options.who = options.who or (
        ["qemu", "godwit", "libgodwit"]
        if options.quick
        else ["qemu", "godwit"]
    )


def parse():
    """The command line, with everything decided."""
    options = _parser().parse_args(namespace=Options())
    options.ways = _ways(options)
    options.with_touched = (
        "godwit" in (options.who or ["godwit"])
        and (not options.profiles or "touched" in options.profiles)
    )
    _presets(options, os.path.join(os.path.dirname(HERE), "build"))
    return options
