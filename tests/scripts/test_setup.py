#!/usr/bin/env python3
"""The scratch package lists of scripts/lib-apt.sh, made from all the forms in
which a machine may have its own."""

import os
import subprocess
import sys
import unittest

TOP = os.path.abspath(sys.argv.pop(1))


def run(function, text, *arguments):
    """The output of a shell function of scripts/lib.sh for some input."""
    return subprocess.run(
        ["bash", "-euc", '. "$0/scripts/lib.sh"; "$@"', TOP, function,
         *arguments],
        input=text, text=True, check=True, stdout=subprocess.PIPE).stdout


def stanzas(text):
    """Paragraphs of the deb822 form as dicts with lower-case names."""
    result = []
    for paragraph in text.strip().split("\n\n"):
        fields, name = {}, None
        for line in paragraph.splitlines():
            if line.startswith((" ", "\t")):
                fields[name] += "\n" + line
            else:
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value.strip()
        if fields:
            result.append(fields)
    return result


class OneLineTest(unittest.TestCase):
    def filter(self, text, mode):
        return run("gw_apt_oneline_filter", text, "rel", mode).splitlines()

    def test_own_suites_are_kept_as_they_are(self):
        lines = ["deb http://m.example.com/debian rel main contrib",
                 "deb http://m.example.com/debian rel-updates main",
                 "deb http://m.example.com/sec rel-security main"]
        self.assertEqual(self.filter("\n".join(lines), "own"), lines)

    def test_others_are_left_out(self):
        self.assertEqual(self.filter(
            "# deb http://a.example.com/debian rel main\n"
            "deb-src http://a.example.com/debian rel main\n"
            "deb http://a.example.com/tool rel-tool main\n"
            "deb http://a.example.com/debian next main\n"
            "deb cdrom:[Debian]/ rel main\n"
            "\n", "own"), [])

    def test_backports_at_the_same_mirror_with_the_same_options(self):
        self.assertEqual(self.filter(
            "deb [arch=amd64 signed-by=/k.gpg] https://a.example.com/d rel"
            " main contrib # ours\n"
            "deb https://a.example.com/d rel-updates main\n"
            "deb https://b.example.com/d rel stable\n", "backports"),
            ["deb [arch=amd64 signed-by=/k.gpg] https://a.example.com/d"
             " rel-backports main"])


class Deb822Test(unittest.TestCase):
    def filter(self, text, mode):
        return stanzas(run("gw_apt_deb822_filter", text, "rel", mode))

    def test_own_suites_of_a_stanza(self):
        self.assertEqual(self.filter(
            "# the system's\n"
            "Types: deb deb-src\n"
            "# an old address\n"
            "URIs: mirror+file:///etc/mirrors.list\n"
            "Suites: rel rel-updates rel-backports\n"
            "Components: main contrib\n"
            "Signed-By: /k.gpg\n", "own"),
            [{"types": "deb", "uris": "mirror+file:///etc/mirrors.list",
              "suites": "rel rel-updates", "components": "main contrib",
              "signed-by": "/k.gpg"}])

    def test_disabled_source_and_foreign_stanzas_are_left_out(self):
        self.assertEqual(self.filter(
            "Types: deb\nURIs: http://a.example.com\nSuites: rel\n"
            "Components: main\nEnabled: no\n"
            "\n"
            "Types: deb-src\nURIs: http://a.example.com\nSuites: rel\n"
            "Components: main\n"
            "\n \n"
            "Types: deb\nURIs: http://a.example.com\nSuites: tool-rel\n"
            "Components: main\n", "own"), [])

    def test_a_key_inside_the_stanza_is_carried_over(self):
        key = ("\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEabc:def=\n"
               " -----END PGP PUBLIC KEY BLOCK-----")
        found = self.filter(
            "Types: deb\nURIs: http://a.example.com/d\nSuites: rel\n"
            f"Components: main\nSigned-By:{key}\n", "backports")
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["suites"], "rel-backports")
        self.assertEqual(found[0]["signed-by"], key)

    def test_field_names_in_any_case(self):
        found = self.filter(
            "types: deb\nuris: http://a.example.com/d\nSUITES: rel\n"
            "components: main\ncheck-valid-until: no\n", "backports")
        self.assertEqual(found, [{
            "types": "deb", "uris": "http://a.example.com/d",
            "suites": "rel-backports", "components": "main",
            "check-valid-until": "no"}])

    def test_fields_of_one_stanza_do_not_reach_the_next(self):
        found = self.filter(
            "Types: deb\nURIs: http://a.example.com/d\nSuites: rel\n"
            "Components: main\nSigned-By: /k.gpg\n"
            "\n"
            "Types: deb\nURIs: http://b.example.com/d\nSuites: rel\n"
            "Components: main\n", "own")
        self.assertEqual([each.get("signed-by") for each in found],
                         ["/k.gpg", None])


class VersionTest(unittest.TestCase):
    def major(self, text):
        program = f"#!/bin/sh\ncat <<'X'\n{text}\nX\n"
        path = os.path.join(os.environ.get("TMPDIR", "/tmp"),
                            f"godwit-test-{os.getpid()}")
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(program)
            os.chmod(path, 0o700)
            return run("gw_qemu_major", "", path).strip()
        finally:
            os.unlink(path)

    def test_version(self):
        self.assertEqual(
            self.major("QEMU emulator version 10.0.2 (Debian 1:10)"), "10")
        self.assertEqual(self.major("QEMU emulator version 7.2.17"), "7")

    def test_none(self):
        self.assertEqual(self.major("no such thing"), "0")
        self.assertEqual(run("gw_qemu_major", "", "/nonexistent").strip(),
                         "0")


if __name__ == "__main__":
    unittest.main()
