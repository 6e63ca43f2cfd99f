"""Runs the program under test; $GODWIT names it, else build/godwit."""

import json
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
LIMIT_SECONDS = 60


class GodwitError(AssertionError):
    """The program failed; its own words are in the text."""


def program():
    path = os.environ.get("GODWIT") or os.path.join(TOP, "build", "godwit")
    if not os.path.isfile(path):
        raise GodwitError(f"{path} is missing; build it, or set GODWIT")
    return os.path.abspath(path)


def build_folder():
    return os.path.dirname(program())


def godwit(*words, timeout=LIMIT_SECONDS):
    """Run `godwit WORDS`, return what it printed; raise if it failed."""
    done = subprocess.run([program(), *words], text=True, timeout=timeout,
                          capture_output=True, stdin=subprocess.DEVNULL,
                          check=False)
    if done.returncode != 0:
        raise GodwitError(f"godwit {' '.join(words)}: exit {done.returncode}: "
                          f"{done.stderr.strip()} {done.stdout.strip()}")
    return done.stdout


def godwit_json(*words):
    return json.loads(godwit(*words, "--json"))
