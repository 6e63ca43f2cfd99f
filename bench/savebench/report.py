"""The table for people and the object for programs."""

import dataclasses
import os
import platform
import statistics


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
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        ),
        "kernel": platform.release(),
    }


def summarise(results, size):
    """Median of several runs of the same job, as a plain object."""
    medians = {
        field.name: statistics.median(getattr(r, field.name) for r in results)
        for field in dataclasses.fields(results[0])
    }
    medians["gib_per_s"] = size / 2**30 / medians["seconds"]
    medians["durable_gib_per_s"] = size / 2**30 / medians["durable_seconds"]
    medians["runs"] = [dataclasses.asdict(r) for r in results]
    return medians


def add_ratios(rows, base="qemu"):
    """Speed of each row over that of `base` in the same job: > 1 is faster."""
    by_job = {(r["profile"], r["format"], r["what"], r["who"]): r for r in rows}
    for row in rows:
        other = by_job.get((row["profile"], row["format"], row["what"], base))
        if other:
            row["speed_ratio"] = other["seconds"] / row["seconds"]
            row["durable_speed_ratio"] = (
                other["durable_seconds"] / row["durable_seconds"]
            )


_HEAD = (
    f"{'profile':10} {'format':7} {'what':8} {'who':12} {'s':>7} "
    f"{'durable':>8} {'GiB/s':>6} {'CPU s':>6} {'extra':>7} {'RSS':>7} "
    f"{'speed':>6} {'durable':>8}"
)


def _ratio(row, key):
    return f"{row[key]:.2f}x" if key in row else "-"


def _line(row):
    mib = 1 << 20
    return (
        f"{row['profile']:10} {row['format']:7} {row['what']:8} "
        f"{row['who']:12} {row['seconds']:7.3f} "
        f"{row['durable_seconds']:8.3f} {row['gib_per_s']:6.2f} "
        f"{row['cpu_seconds']:6.2f} {row['peak_extra'] / mib:7.1f} "
        f"{row['rss'] / mib:7.1f} {_ratio(row, 'speed_ratio'):>6} "
        f"{_ratio(row, 'durable_speed_ratio'):>8}"
    )


def table(report):
    """Everything as lines of text."""
    size = report["size"]
    where = report["machine"]
    yield (
        f"{size >> 20} MiB of guest memory, median of {report['rounds']}; "
        f"{where['cpu']}, {where['cpus']} CPUs, Linux {where['kernel']}"
    )
    yield "page cache: " + report["page_cache"]
    yield ""
    for name, seconds in report["limits"].items():
        yield (
            f"limit, dd {name:28} {seconds:7.3f} s "
            f"{size / 2**30 / seconds:6.2f} GiB/s"
        )
    yield ""
    yield _HEAD
    for row in report["rows"]:
        yield _line(row)
    yield ""
    yield (
        "s: until completed; durable: and the file flushed; extra: peak "
        "memory beside the guest's, MiB;"
    )
    yield (
        "RSS: of the process when done, MiB; the last two: speed over "
        "QEMU's, until completed and durable"
    )
