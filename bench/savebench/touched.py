"""A large machine of which little was ever touched, beside a small full one.

Saving costs what was touched, not what was configured; and it brings no page
into being. Only godwit: a QEMU that saves such a machine reads, and by that
fills, all of it.
"""

import os
import random
import statistics

from . import case, checks, job, memory, order, report

MIB = 1 << 20


class Machine:
    """One of the two."""

    def __init__(self, name, size, runs):
        self.name = name
        self.size = size
        self.runs = runs  # (page, number of pages) with data

    @property
    def data_pages(self):
        """Pages with data."""
        return sum(n for _, n in self.runs)


def pair(size, touched):
    """The large machine and the small one, with equally many pages."""
    pages = size // memory.PAGE
    spread = list(
        memory.clusters(pages, random.Random(1), size // touched)
    )
    n_data = sum(n for _, n in spread)
    return (
        Machine("touched", size, spread),
        Machine("dense", n_data * memory.PAGE, [(0, n_data)]),
    )


def _save(options, paths, machine, place, in_memory):
    memory.make_empty(paths["pristine"], machine.size)
    with open(paths["pristine"], "r+b", buffering=0) as file:
        memory.write_runs(file.fileno(), machine.runs)
    memory.make_empty(paths["memory"], machine.size)
    try:
        return job.run(
            *options.competitor("godwit"),
            job.Job(
                directory=place,
                memory=paths["memory"],
                contents=paths["pristine"],
                image=paths["image"],
                in_memory=in_memory,
                size=machine.size,
                way=case.MAIN,
                incoming=False,
            ),
        )
    finally:
        for name in ("pristine", "memory", "image"):
            if os.path.exists(paths[name]):
                os.unlink(paths[name])


def measure(options, paths, found):
    """The rows of both machines; godwit's checks go to `found`."""
    machines = {m.name: m for m in pair(*options.touched)}
    in_memory = case.on_tmpfs(paths["directory"])
    results = {name: [] for name in machines}
    for names in order.turns(machines, options.rounds):
        for name in names:
            machine = machines[name]
            result = _save(
                options, paths, machine, paths["directory"], in_memory
            )
            label = f"godwit, save, {machine.size // MIB} MiB {name}"
            found.nothing_populated(label, result)
            found.memory_beside(label, machine.size, result.peak_extra)
            results[name].append(result)
    rows = [_row(machines[name], results[name]) for name in machines]
    share = rows[0]["durable_seconds"] / rows[1]["durable_seconds"]
    rows[0]["over_dense"] = share
    if options.judge_touched:
        found.that(
            share < checks.TOUCHED_LIMIT,
            f"saving {rows[0]['size'] // MIB} MiB, of which "
            f"{rows[0]['data_bytes'] // MIB} were touched, took {share:.2f} "
            "times what it took with these alone, "
            f"less than {checks.TOUCHED_LIMIT} expected",
        )
    return rows


def _row(machine, results):
    row = {
        "name": machine.name,
        "size": machine.size,
        "data_bytes": machine.data_pages * memory.PAGE,
        "populated_bytes": max(
            r.guest_allocated - r.guest_before for r in results
        ),
        "peak_extra": max(r.peak_extra for r in results),
        "runs": [vars(r) for r in results],
    }
    for key in ("durable_seconds", "cpu_seconds"):
        values = [getattr(r, key) for r in results]
        row[key] = statistics.median(values)
        row[key + "_spread"] = [min(values), max(values)]
    return row


COLUMNS = (
    ("machine", "<", lambda r: f"{r['size'] // MIB} MiB {r['name']}"),
    ("data MiB", ">", lambda r: str(r["data_bytes"] // MIB)),
    ("durable", ">", lambda r: f"{r['durable_seconds']:.2f}"),
    ("min..max", ">", lambda r: "%.2f..%.2f" % tuple(
        r["durable_seconds_spread"])),
    ("CPU s", ">", lambda r: f"{r['cpu_seconds']:.2f}"),
    ("extra", ">", lambda r: f"{r['peak_extra'] / MIB:.1f}"),
    ("populated", ">", lambda r: str(r["populated_bytes"])),
    ("over dense", ">", lambda r: report.ratio(r, "over_dense")),
)


def table(rows, markdown):
    """Lines for people."""
    yield f"godwit, a save of memory that is mostly untouched ({case.MAIN})"
    yield ""
    yield from report.table(COLUMNS, rows, markdown)
    yield ""
