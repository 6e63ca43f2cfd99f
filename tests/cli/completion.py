#!/usr/bin/env python3
"""The completion for bash offers what the program knows, and nothing else.

Usage: completion.py SCRIPT PROGRAM
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

SCRIPT, PROGRAM = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
OPTION = re.compile(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)")

# Takes the script, the program, the line, and its words as readline cuts it.
DRIVER = r"""
. "$1"
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
COMP_LINE=$3
COMP_POINT=${#COMP_LINE}
program=$2
shift 3
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_godwit "$program" "${COMP_WORDS[COMP_CWORD]}" ''
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


def split(line):
    """Readline's words: cut at spaces that are not escaped, at = and :."""
    words = re.findall(r"[=:]+|(?:\\.|[^\s=:\\])+", line)
    return words + [""] if re.search(r"(?<!\\) $|[=:]$", line) else words


def complete(arguments, folder=None):
    """What is offered at the end of `godwit ARGUMENTS`."""
    line = "godwit " + arguments
    words = split(line)
    if words[-1] == "" and line[-1] in "=:":
        words.pop()
    done = subprocess.run(["bash", "-c", DRIVER, "bash", SCRIPT, PROGRAM, line,
                           *words], stdout=subprocess.PIPE, check=True,
                          stderr=subprocess.PIPE, text=True, cwd=folder,
                          timeout=60)
    if done.stderr:
        raise AssertionError(done.stderr)
    return sorted(done.stdout.splitlines())


def help_of(*command):
    return subprocess.run([PROGRAM, *command, "--help"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def options_of(text):
    """Options at the head of the lines of a help text."""
    found = set()
    for line in re.findall(r"^  (-.*)$", text, re.M):
        found.update(OPTION.findall(re.split(r"  ", line)[0]))
    return found


class DerivedTest(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(complete(""), sorted(
            ["run", "inspect", "convert", "compat", "ctl", "help", "--help",
             "--version"]))
        self.assertEqual(complete("con"), ["convert"])
        self.assertEqual(complete("help i"), ["inspect"])

    def test_options_are_those_of_the_help(self):
        for command in ("run", "inspect", "convert", "compat", "ctl"):
            with self.subTest(command=command):
                offered = complete(f"{command} -")
                self.assertEqual(set(offered), options_of(help_of(command)))

    def test_every_option_of_migrate(self):
        usage = re.findall(r"^  migrate (.*?)(?:  |$)", help_of("ctl"), re.M)
        wanted = set(OPTION.findall(" ".join(usage)))
        self.assertIn("--dry-run", wanted)
        self.assertEqual(set(complete("ctl s migrate -")), wanted)

    def test_words_in_the_help(self):
        self.assertEqual(complete("run --sandbox "), ["off", "on"])
        self.assertEqual(complete("run --virtio=l"), ["legacy"])
        self.assertEqual(complete("convert --to "), ["mapped", "plain", "raw"])
        self.assertEqual(complete("ctl s info st"), ["status"])
        self.assertIn("quit", complete("ctl --json s "))


class KnownWordsTest(unittest.TestCase):
    """Lists in the script against what the program says of a wrong word."""

    def test_choices(self):
        for start, head in (("--accel ", ""), ("--action ", ""),
                            ("--firmware-size ", ""), ("--net ", ""),
                            ("--sandbox ", ""), ("--virtio ", ""),
                            ("--disk ", "file=x,aio=")):
            with self.subTest(option=start):
                said = subprocess.run(
                    [PROGRAM, "run", start.strip(), head + "?"],
                    stderr=subprocess.PIPE, text=True, check=False).stderr
                wanted = re.search(r"is not one of (.*)", said).group(1)
                if not head:
                    self.assertEqual([word.split("=")[-1] for word in
                                      complete("run " + start)],
                                     sorted(word.split("=")[-1] for word in
                                            wanted.split(", ")))
                else:
                    self.assertEqual(complete(f"run {start}{head}"),
                                     sorted(wanted.split(", ")))

    def test_capabilities_and_parameters(self):
        said = subprocess.run(
            [PROGRAM, "run", "--accel", "thread", "-S", "--serial", "none",
             "--qmp", "stdio", "--sandbox", "off"],
            input="".join(f'{{"execute": "{command}"}}\n' for command in (
                "qmp_capabilities", "query-migrate-capabilities",
                "query-migrate-parameters", "quit")),
            text=True, stdout=subprocess.PIPE, check=True, timeout=60).stdout
        answers = [json.loads(line) for line in said.splitlines()]
        capabilities, parameters = [
            answer["return"] for answer in answers if answer.get("return")]
        self.assertEqual(set(complete("ctl s migrate_set_capability ")),
                         {item["capability"] for item in capabilities})
        self.assertEqual(set(complete("ctl s migrate_set_parameter ")),
                         set(parameters))

    def test_on_and_off(self):
        self.assertEqual(complete("ctl s migrate_set_capability events o"),
                         ["off", "on"])

    def test_lists(self):
        self.assertEqual(complete("run --accel kvm,d"),
                         ["kvm,dirty-ring-size="])
        self.assertEqual(complete("run --machine microvm,pic="),
                         ["off", "on"])
        self.assertEqual(complete("run -M microvm,rt"),
                         ["microvm,rtc=off", "microvm,rtc=on"])


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("a file", "a:b", "b"):
            with open(os.path.join(folder.name, name), "w",
                      encoding="utf-8"):
                pass

    def test_files(self):
        for line in ("inspect a", "inspect --offset 1 a", "run --kernel a",
                     "run --kernel=a", "run -incoming file:a",
                     "run --disk file=a", "ctl a", "compat b a",
                     "ctl s migrate --dry-run --with a"):
            with self.subTest(line=line):
                self.assertEqual(complete(line, self.folder),
                                 ["a file", "a:b"])

    def test_a_space(self):
        self.assertEqual(complete("inspect a\\ f", self.folder), ["a file"])

    def test_a_colon(self):
        self.assertEqual(complete("inspect a:", self.folder), ["b"])


if __name__ == "__main__":
    unittest.main()
