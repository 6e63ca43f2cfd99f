#!/usr/bin/env python3
"""The check of includes finds what it is there for."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import includes  # noqa: E402


def header(guard, *lines):
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", *lines,
                      "#endif", ""])


class IncludesTest(unittest.TestCase):
    def problems(self, files):
        with tempfile.TemporaryDirectory() as top:
            for name, text in files.items():
                path = os.path.join(top, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            return includes.check(top)

    def assert_one(self, files, *words):
        found = self.problems(files)
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_downwards_is_allowed(self):
        self.assertEqual(self.problems({
            "include/godwit/a.h": header("GW_GODWIT_A_H"),
            "lib/base/b.h": header("GW_BASE_B_H", "#include <godwit/a.h>"),
            "lib/wire/w.c": '#include "base/b.h"\n#include <stdio.h>\n',
        }), [])

    def test_upwards(self):
        self.assert_one({
            "lib/wire/w.h": header("GW_WIRE_W_H"),
            "lib/base/b.c": '#include "wire/w.h"\n',
        }, "lib/base/b.c", "lib/wire/ lies above lib/base/")

    def test_beside(self):
        self.assert_one({
            "lib/ram/r.h": header("GW_RAM_R_H"),
            "lib/vmstate/v.c": '#include "ram/r.h"\n',
        }, "lib/vmstate/v.c", "beside")

    def test_relative_path_does_not_hide(self):
        self.assert_one({
            "lib/wire/w.h": header("GW_WIRE_W_H"),
            "lib/base/b.c": '#include "../wire/w.h"\n',
        }, "above")

    def test_program_sees_no_private_header(self):
        self.assert_one({
            "lib/base/b.h": header("GW_BASE_B_H"),
            "cli/c.c": '#include "../lib/base/b.h"\n',
        }, "cli/c.c", "include/godwit/")

    def test_public_header_sees_no_private_header(self):
        self.assert_one({
            "lib/base/b.h": header("GW_BASE_B_H"),
            "include/godwit/a.h": header("GW_GODWIT_A_H",
                                         '#include "base/b.h"'),
        }, "public headers only")

    def test_room_without_floor(self):
        self.assert_one({
            "lib/attic/a.h": header("GW_ATTIC_A_H"),
            "lib/monitor/m.c": '#include "attic/a.h"\n',
        }, "lib/attic/ has no floor")

    def test_unknown_file(self):
        self.assert_one({"lib/base/b.c": '#include "nothing.h"\n'},
                        "nothing.h")

    def test_comment_is_not_an_include(self):
        self.assertEqual(self.problems({
            "lib/wire/w.h": header("GW_WIRE_W_H"),
            "lib/base/b.c": '/*\n#include "wire/w.h"\n*/\n',
        }), [])

    def test_guard(self):
        self.assert_one({"lib/base/b.h": header("GW_BASE_A_H")}, "GW_..._B_H")
        self.assert_one({"lib/base/b.h": "int x;\n"}, "None")

    def test_guard_of_another(self):
        self.assert_one({"lib/base/b.h": header("GW_B_H"),
                         "lib/wire/b.h": header("GW_B_H")}, "lib/base/b.h")

    def test_own_header_first(self):
        self.assert_one({
            "lib/base/b.h": header("GW_BASE_B_H"),
            "lib/base/b.c": '#include <stdio.h>\n#include "base/b.h"\n',
        }, "own header first")

    def test_circle(self):
        self.assert_one({
            "lib/base/a.h": header("GW_BASE_A_H", '#include "base/b.h"'),
            "lib/base/b.h": header("GW_BASE_B_H", '#include "base/a.h"'),
        }, "lib/base/a.h -> lib/base/b.h -> lib/base/a.h")


if __name__ == "__main__":
    unittest.main()
