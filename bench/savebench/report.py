"""From results to rows, and from rows to the table for people."""

import dataclasses
import os
import platform
import statistics

from .case import GIB

MIB = 1 << 20
PAGE = 4096


def machine():
    """What the figures were measured on."""
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "memory_gib": round(
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
        ),
        "kernel": platform.release(),
    }


def _spread(results):
    """Median, and the least and most of every round."""
    names = [field.name for field in dataclasses.fields(results[0])]
    values = {name: [getattr(r, name) for r in results] for name in names}
    row = {name: statistics.median(values[name]) for name in names}
    row["spread"] = {
        name: [min(values[name]), max(values[name])]
        for name in ("seconds", "durable_seconds", "cpu_seconds")
    }
    row["runs"] = [dataclasses.asdict(r) for r in results]
    return row


def summarise(results, case, what, who, data_pages):
    """One row: the rounds of one program in one case."""
    gib = case.size / GIB
    row = {
        "size": case.size,
        "directory": case.directory,
        "profile": case.profile,
        **dataclasses.asdict(case.way),
        "what": what,
        "who": who,
        "data_bytes": data_pages * PAGE,
        **_spread(results),
    }
    row["peak_extra"] = max(r.peak_extra for r in results)
    row["gib_per_s"] = gib / row["durable_seconds"]
    row["cpu_seconds_per_gib"] = row["cpu_seconds"] / gib
    row["cached_share"] = row["image_cached"] / max(row["image_bytes"], 1)
    return row


def _job(row):
    return tuple(
        row[key]
        for key in (
            *("size", "directory", "profile", "format", "channels"),
            *("direct", "what"),
        )
    )


def add_ratios(rows, base="qemu"):
    """Speed of each row over that of `base` in the same job: > 1 is faster."""
    bases = {_job(row): row for row in rows if row["who"] == base}
    for row in rows:
        other = bases.get(_job(row))
        if other:
            row["speed_ratio"] = other["seconds"] / row["seconds"]
            row["durable_speed_ratio"] = (
                other["durable_seconds"] / row["durable_seconds"]
            )


def add_limits(rows, limits):
    """Each row's speed, in bytes that must go to the file or come from it,
    as a share of the fastest that fio was with the same way over."""
    for row in rows:
        for limit in limits:
            if (limit["size"], limit["directory"]) != (
                row["size"],
                row["directory"],
            ):
                continue
            way = "write" if row["what"] == "save" else "read"
            best = max(
                limit["speeds"][f"{way} {mode}"]["gib_per_s"]
                for mode in ("direct", "buffered")
            )
            speed = row["data_bytes"] / GIB / row["durable_seconds"]
            row["of_fio"] = speed / best


COLUMNS = (
    # title, alignment, text of a row
    ("profile", "<", lambda r: r["profile"]),
    ("format", "<", lambda r: r["format"]),
    ("ch", ">", lambda r: str(r["channels"] or "-")),
    ("I/O", "<", lambda r: "direct" if r["direct"] else "buffered"),
    ("what", "<", lambda r: r["what"]),
    ("who", "<", lambda r: r["who"]),
    ("s", ">", lambda r: f"{r['seconds']:.2f}"),
    ("durable", ">", lambda r: f"{r['durable_seconds']:.2f}"),
    ("min..max", ">", lambda r: "%.2f..%.2f" % tuple(
        r["spread"]["durable_seconds"])),
    ("GiB/s", ">", lambda r: f"{r['gib_per_s']:.2f}"),
    ("CPU s", ">", lambda r: f"{r['cpu_seconds']:.2f}"),
    ("CPU/GiB", ">", lambda r: f"{r['cpu_seconds_per_gib']:.2f}"),
    ("extra", ">", lambda r: f"{r['peak_extra'] / MIB:.1f}"),
    ("cached", ">", lambda r: f"{r['cached_share']:.1%}"
     if r["what"] == "save" and not r.get("in_memory") else "-"),
    ("speed", ">", lambda r: ratio(r, "speed_ratio")),
    ("dur. speed", ">", lambda r: ratio(r, "durable_speed_ratio")),
    ("of fio", ">", lambda r: f"{r['of_fio']:.0%}" if "of_fio" in r else "-"),
)

LEGEND = (
    "s: until completed; durable: and the file flushed, with the spread of",
    "its rounds; GiB/s: guest memory over durable; CPU of the process; extra:",
    "peak memory beside the guest's, MiB; cached: of the file in the page",
    "cache after a save; speed, dur. speed: over QEMU's; of fio: bytes with",
    "data over durable, as a share of fio's fastest way.",
)


def ratio(row, key):
    """A ratio that not every row has."""
    return f"{row[key]:.2f}x" if key in row else "-"


def table(columns, rows, markdown):
    """Lines of a table, plain or as Markdown."""
    cells = [[title for title, _, _ in columns]]
    cells += [[text(row) for _, _, text in columns] for row in rows]
    if markdown:
        marks = ["--:" if side == ">" else "---" for _, side, _ in columns]
        for line in [cells[0], marks, *cells[1:]]:
            yield "| " + " | ".join(line) + " |"
        return
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        yield "  ".join(
            f"{cell:{side}{width}}"
            for cell, (_, side, _), width in zip(line, columns, widths)
        ).rstrip()


LIMIT_COLUMNS = (
    ("fio", "<", lambda r: r["way"]),
    ("GiB/s", ">", lambda r: f"{r['gib_per_s']:.2f}"),
    ("min..max", ">", lambda r: f"{r['min']:.2f}..{r['max']:.2f}"),
    ("--fallocate", "<", lambda r: r["allocation"]),
)


def _limits(report, size, directory, markdown):
    for limit in report["limits"]:
        if (limit["size"], limit["directory"]) == (size, directory):
            rows = [{"way": w, **s} for w, s in limit["speeds"].items()]
            yield from table(LIMIT_COLUMNS, rows, markdown)
            yield ""


def heading(report):
    """What was measured with what."""
    where = report["machine"]
    yield (
        f"{where['cpu']}, {where['cpus']} CPUs, {where['memory_gib']} GiB, "
        f"Linux {where['kernel']}; " + ", ".join(report["versions"].values())
    )
    yield f"median of {report['rounds']} rounds, programs in turn (ABBA)"
    yield ""


def rows_of_places(report, markdown):
    """The main tables, one per size and directory."""
    places = {}
    for row in report["rows"]:
        places.setdefault((row["size"], row["directory"]), []).append(row)
    for (size, directory), rows in places.items():
        kind = report["file_systems"][directory]
        yield f"{size >> 20} MiB of guest memory, file on {kind}"
        yield ""
        yield from _limits(report, size, directory, markdown)
        yield from table(COLUMNS, rows, markdown)
        yield ""
    if places:
        yield from LEGEND
        yield ""


def ending(report):
    """What was left out and what failed."""
    for text in report["skipped"]:
        yield "left out: " + text
    for text in report["checks"]["failed"]:
        yield "FAILED: " + text
    yield (
        f"{report['checks']['done']} checks, "
        f"{len(report['checks']['failed'])} failed"
    )
