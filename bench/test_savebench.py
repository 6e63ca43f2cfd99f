#!/usr/bin/env python3
"""What bench/save-restore computes, and that its checks can fail."""

import importlib.machinery
import os
import sys
import tempfile
import types
import unittest

BENCH = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, BENCH)

from savebench import case, checks, job, memory, order, report, touched  # noqa: E402

GIB = 1 << 30
MIB = 1 << 20


def chart():
    """bench/chart as a module; its name has no suffix."""
    path = os.path.join(BENCH, "chart")
    loader = importlib.machinery.SourceFileLoader("chart", path)
    module = types.ModuleType(loader.name)
    loader.exec_module(module)
    return module


def result(**values):
    """A result with nothing wrong in it."""
    fields = dict(seconds=1.0, durable_seconds=2.0, cpu_seconds=0.5,
                  peak_extra=0, rss=0, guest_rss=0, guest_before=0,
                  guest_allocated=0, image_bytes=GIB, image_cached=0)
    return job.Result(**{**fields, **values})


def row(who, what="save", data_pages=GIB // 4096, **values):
    a_case = case.Case(GIB, "/there", "dense", case.MAIN)
    return report.summarise([result(**values)], a_case, what, who, data_pages)


class Order(unittest.TestCase):
    def test_forth_and_back(self):
        self.assertEqual(list(order.turns("AB", 3)),
                         [["A", "B"], ["B", "A"], ["A", "B"]])


class Rows(unittest.TestCase):
    def test_median_and_spread(self):
        a_case = case.Case(2 * GIB, "/there", "dense", case.MAIN)
        got = report.summarise(
            [result(durable_seconds=s) for s in (4.0, 1.0, 2.0)],
            a_case, "save", "godwit", 1)
        self.assertEqual(got["durable_seconds"], 2.0)
        self.assertEqual(got["spread"]["durable_seconds"], [1.0, 4.0])
        self.assertEqual(got["gib_per_s"], 1.0)
        self.assertEqual(got["cpu_seconds_per_gib"], 0.25)

    def test_speed_over_qemu_of_the_same_job_only(self):
        rows = [row("qemu", seconds=3.0), row("godwit", seconds=1.5),
                row("godwit", what="restore")]
        report.add_ratios(rows)
        self.assertEqual(rows[1]["speed_ratio"], 2.0)
        self.assertNotIn("speed_ratio", rows[2])

    def test_share_of_the_faster_limit_for_bytes_with_data(self):
        rows = [row("godwit", data_pages=GIB // 4096 // 2)]
        speeds = {"write direct": {"gib_per_s": 0.25},
                  "write buffered": {"gib_per_s": 0.5}}
        report.add_limits(rows, [
            {"size": GIB, "directory": "/elsewhere", "speeds": {}},
            {"size": GIB, "directory": "/there", "speeds": speeds}])
        # Half a GiB in two seconds, of half a GiB in one.
        self.assertEqual(rows[0]["of_fio"], 0.5)


class Failing(unittest.TestCase):
    def setUp(self):
        self.checks = checks.Checks()

    def failed(self):
        return len(self.checks.failed)

    def test_memory_beside_the_guest(self):
        limit = 64 * MIB + GIB // 30000
        self.checks.memory_beside("x", GIB, limit - 1)
        self.assertEqual(self.failed(), 0)
        self.checks.memory_beside("x", GIB, limit)
        self.assertEqual(self.failed(), 1)

    def test_page_cache_after_a_direct_save(self):
        cached = result(image_cached=GIB // 100 + 4096)
        self.checks.uncached("x", cached, GIB - 1, False)
        self.checks.uncached("x", cached, GIB, True)
        self.checks.uncached("x", result(image_cached=4096), GIB, False)
        self.assertEqual(self.failed(), 0)
        self.checks.uncached("x", cached, GIB, False)
        self.assertEqual(self.failed(), 1)

    def test_populated_pages(self):
        self.checks.nothing_populated("x", result(guest_before=4096,
                                                  guest_allocated=4096))
        self.assertEqual(self.failed(), 0)
        self.checks.nothing_populated("x", result(guest_allocated=4096))
        self.assertEqual(self.failed(), 1)

    def test_restored_memory_that_differs(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: os.path.join(folder, name)
                     for name in ("pristine", "memory")}
            for path in paths.values():
                memory.make(path, "sparse", 4 * MIB)
            a_case = case.Case(4 * MIB, folder, "dense", case.MAIN)
            self.checks.restored("x", a_case, "godwit", result(), paths)
            # Random data is never made twice.
            self.assertEqual(self.failed(), 1)
            memory.make_empty(paths["memory"], 4 * MIB)
            memory.fill(paths["pristine"], paths["memory"])
            self.checks.restored("x", a_case, "godwit", result(), paths)
            self.assertEqual(self.failed(), 1)


class Profiles(unittest.TestCase):
    def test_linux_is_repeated_and_cut(self):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "source")
            target = os.path.join(folder, "target")
            one = bytes([1]) * 4096 + bytes(4096) + bytes([2]) * 4096
            with open(source, "wb") as file:
                file.write(one)
            n_data = memory.make(target, "linux", 5 * 4096, linux=source)
            with open(target, "rb") as file:
                self.assertEqual(file.read(), (one + one)[:5 * 4096])
            self.assertEqual(n_data, 3)

    def test_the_two_machines_have_equally_many_pages(self):
        large, small = touched.pair(16 * GIB, 256 * MIB)
        self.assertEqual(large.data_pages, small.data_pages)
        self.assertEqual(small.size, small.data_pages * 4096)
        self.assertAlmostEqual(small.size / (256 * MIB), 1, delta=0.1)


class Chart(unittest.TestCase):
    def test_one_class_attribute(self):
        tag = chart().themed_tag
        self.assertEqual(tag("<g fill='#010203'>"),
                         "<g class=\"ink\" fill='currentColor'>")
        self.assertEqual(
            tag("<path stroke='rgb(  4,   5,   6)' class=\"gridline\"/>"),
            "<path stroke='currentColor' class=\"faint gridline\"/>")


if __name__ == "__main__":
    unittest.main()
