#!/usr/bin/env python3
"""Holds the rule of docs/architecture.md about who may include whom.

Rooms of the library lie on floors: a room includes from its own files and
from floors below it, never from above or from beside. What lies outside of
the library sees the public headers only. Beside that: every header has its
guard, no headers include each other in a circle, and a .c file includes its
own header first, so that each header is compiled alone at least once.
"""

import os
import re
import sys

# From the ground up; rooms in one tuple are beside each other.
FLOORS = [
    ("base",),
    ("wire",),
    ("channel",),
    ("vmstate", "ram"),
    ("machine", "stream"),
    ("migrate", "image"),
    ("monitor",),
]

# Outside of the library: whose private headers a folder may include.
NEIGHBOURS = {
    "cli": {"cli", "vmm"},
    "vmm": {"vmm", "guest"},
    "guest": {"guest"},
    "examples": {"examples"},
}

# Where the build looks for headers, beside the including file's own folder.
SEARCH_PATH = ["include", "lib", "guest/core", "guest/embed", "vmm", "."]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def floor_of(room):
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    return None


def source_files(top):
    """All .c and .h files of the rooms, relative to top, sorted."""
    found = []
    for folder in ["include", "lib", *NEIGHBOURS]:
        for path, _, names in os.walk(os.path.join(top, folder)):
            found += [os.path.relpath(os.path.join(path, name), top)
                      for name in names if name.endswith((".c", ".h"))]
    return sorted(found)


def read_includes(top, name):
    """Pairs of the bracket kind and the included name, in order."""
    with open(os.path.join(top, name), encoding="utf-8") as file:
        return INCLUDE.findall(COMMENT.sub("", file.read()))


def resolve(top, name, kind, target):
    """The project's file that an include means; None for the system's."""
    bases = list(SEARCH_PATH)
    if kind == '"':
        bases.insert(0, os.path.dirname(name))
    for base in bases:
        path = os.path.normpath(os.path.join(base, target))
        if os.path.exists(os.path.join(top, path)):
            return path
    return None


def place(name):
    """Where a file lives: ("lib", room), ("cli", None), ..."""
    parts = name.split(os.sep)
    if parts[0] == "lib":
        return "lib", parts[1] if len(parts) > 2 else None
    return parts[0], None


def objection(name, target):
    """Why the file may not include the target, or None."""
    area, room = place(name)
    target_area, target_room = place(target)
    if target_area == "include":
        return None
    if area == "include":
        return "a public header includes public headers only"
    if area != "lib":
        if target_area in NEIGHBOURS[area]:
            return None
        return f"{area}/ uses nothing of the library but include/godwit/"
    if target_area != "lib":
        return f"the library includes nothing from {target_area}/"
    for each in (room, target_room):
        if floor_of(each) is None:
            return f"lib/{each}/ has no floor in {os.path.basename(__file__)}"
    if target_room == room or floor_of(target_room) < floor_of(room):
        return None
    where = ("above" if floor_of(target_room) > floor_of(room) else "beside")
    return f"lib/{target_room}/ lies {where} lib/{room}/"


def guard_of(top, name):
    """The name that a header is guarded with, None without a guard."""
    with open(os.path.join(top, name), encoding="utf-8") as file:
        words = COMMENT.sub("", file.read()).split()
    if (len(words) > 3 and words[0] == "#ifndef" and words[2] == "#define"
            and words[1] == words[3]):
        return words[1]
    return None


def check_guard(top, name, guards):
    """A header's guard is GW_<part of its path>_<its name>_H, and its own.

    The VMM and the guest, which are not the library, leave GW_ out.
    """
    own = re.sub(r"[^A-Z0-9]", "_", os.path.basename(name).upper())
    guard = guard_of(top, name)
    prefix = "GW_" if place(name)[0] in ("include", "lib") else ""
    if guard is None or not re.fullmatch(rf"{prefix}(\w+_)?{own}", guard):
        return [f"{name}: the guard is {guard}, not {prefix}..._{own}"]
    if guard in guards:
        return [f"{name}: has the guard {guard} of {guards[guard]}"]
    guards[guard] = name
    return []


def check_own_first(top, name, includes):
    """The first include of x.c is x.h, where there is one."""
    own = name[:-2] + ".h"
    if not os.path.exists(os.path.join(top, own)):
        return []
    if includes and resolve(top, name, *includes[0]) == own:
        return []
    return [f"{name}: does not include its own header first"]


def check_cycles(graph):
    """Circles among headers, each reported once, at its first member."""
    problems, done = [], set()

    def visit(node, path):
        if node in path:
            circle = path[path.index(node):]
            if circle[0] == min(circle):
                problems.append("headers in a circle: "
                                + " -> ".join([*circle, node]))
            return
        if node in done:
            return
        for target in graph.get(node, []):
            visit(target, [*path, node])
        done.add(node)

    for header in sorted(graph):
        visit(header, [])
    return problems


def check(top):
    """All problems of the tree at top, as lines of text."""
    problems, graph, guards = [], {}, {}
    for name in source_files(top):
        includes = read_includes(top, name)
        targets = []
        for kind, written in includes:
            target = resolve(top, name, kind, written)
            if target is None:
                if kind == '"':
                    problems.append(f'{name}: "{written}" is not in the tree')
                continue
            targets.append(target)
            why = objection(name, target)
            if why:
                problems.append(f"{name}: includes {target}: {why}")
        if name.endswith(".h"):
            graph[name] = [t for t in targets if t.endswith(".h")]
            problems += check_guard(top, name, guards)
        else:
            problems += check_own_first(top, name, includes)
    return problems + check_cycles(graph)


def main():
    top = sys.argv[1]
    problems = check(top)
    for problem in problems:
        print(problem)
    print(f"{len(source_files(top))} files read, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
