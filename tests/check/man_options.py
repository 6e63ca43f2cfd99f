#!/usr/bin/env python3
"""The man pages name every command and option that the program has, no other.

Usage: man_options.py SOURCE_DIR PROGRAM
"""

import os
import re
import subprocess
import sys
import unittest

TOP, PROGRAM = sys.argv.pop(1), sys.argv.pop(1)
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")


def help_of(*command):
    return subprocess.run([PROGRAM, *command, "--help"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def commands():
    """The subcommands in the program's own list, but help."""
    listed = help_of().split("Commands:\n")[1].split("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    return [name for name in names if name != "help"]


def page(name):
    path = os.path.join(TOP, "docs", "man", name)
    with open(path, encoding="utf-8") as file:
        return file.read().replace("\\-", "-")


def documented(name):
    """Options that a page describes: those in the line after .TP."""
    found = set()
    for heading in re.findall(r"^\.TP\n(.*)$", page(name), re.M):
        found.update(OPTION.findall(heading))
    return found


class ManTest(unittest.TestCase):
    def test_the_overview_names_every_command(self):
        described = re.findall(r"^\.BR godwit-(\w+) \(1\)",
                               page("godwit.1"), re.M)
        self.assertEqual(sorted(set(described)), sorted(commands()))

    def test_each_page_has_the_options_of_the_help(self):
        for command in commands():
            with self.subTest(command=command):
                wanted = set(OPTION.findall(help_of(command))) - {"--help"}
                self.assertEqual(
                    documented(f"godwit-{command}.1") - {"--help"}, wanted)

    def test_each_page_is_installed(self):
        with open(os.path.join(TOP, "docs", "meson.build"),
                  encoding="utf-8") as file:
            listed = re.findall(r"'man/([^']+)'", file.read())
        self.assertEqual(sorted(listed),
                         sorted(os.listdir(os.path.join(TOP, "docs", "man"))))


if __name__ == "__main__":
    unittest.main()
