#!/usr/bin/python3
"""Checks that contrib/migrating.md names options that exist, with values that they take.

usage: check_migrating.py PYCGID MIGRATING.MD

What counts is what stands in code in the second column of its tables: `name`, or `name = value`.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

ENOUGH = 100  # Fewer mean that the tables are not found any more.


def counterparts(page):
    """(line, name, value or None) of everything in the second columns."""
    with open(page, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            cells = line.split("|")
            if len(cells) < 4:
                continue
            for code in re.findall(r"`([^`]+)`", cells[2]):
                name, separator, value = code.partition(" = ")
                yield number, name, value if separator else None


def say(program, text):
    """What the program finds wrong with a configuration file."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "x.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run = subprocess.run([program, "-t", "--config", path], capture_output=True, text=True)
        return run.stderr


def complaint(program, name, value):
    """Of a pool that has nothing but this option; that it has no application is to be expected,
    and is found when all options have been read."""
    said = say(program, f"[pool]\n{name} = {value}\n")
    if "is global" in said:
        said = say(program, f"{name} = {value}\n[pool]\nthreads = 1\n")
    expected = "has no application" if name != "app" else "has no socket"
    return "" if expected in said else said.strip()


def main():
    program, page = sys.argv[1:]
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    known = set(re.findall(r"--([a-z-]+)", text))
    found = list(counterparts(page))
    wrong = [f"line {line}: no option {name!r}" for line, name, _ in found if name not in known]
    for line, name, value in found:
        if name in known and value is not None and (said := complaint(program, name, value)):
            wrong.append(f"line {line}: {name} = {value}: {said}")
    if len(found) < ENOUGH:
        wrong.append(f"only {len(found)} counterparts were found")
    print(*wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
