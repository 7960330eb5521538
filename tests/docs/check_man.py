#!/usr/bin/env python3
"""Compares the options of `pycgid --help` with those of pycgid(8), and checks the page's mdoc.

usage: check_man.py PYCGID PAGE
"""

import re
import subprocess
import sys


def options_of_help(program):
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    listed = [line for line in text.splitlines() if re.match(r"  -", line)]
    return {
        match.group(1): match.group(2) or ""
        for line in listed
        for match in re.finditer(r"--([a-z-]+)(?: ([A-Z=]+))?", line)
    }


def options_of_page(page):
    """Option names with their placeholders: `.It Fl -fastcgi Ar ADDR` is {"fastcgi": "ADDR"}."""
    options = {}
    with open(page, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith(".It Fl"):
                continue
            placeholder = "".join(re.findall(r"[A-Z]{2,}|=|\bN\b", line.split("Fl", 1)[1]))
            for name in re.findall(r"(?:^|\s)-([a-z-]+)", line):
                options[name] = placeholder
    return options


def differences(in_help, in_page):
    for name in sorted(in_help.keys() - in_page.keys()):
        yield f"--{name} is in --help, but not in the page"
    for name in sorted(in_page.keys() - in_help.keys()):
        yield f"--{name} is in the page, but not in --help"
    for name in sorted(in_help.keys() & in_page.keys()):
        if in_help[name] != in_page[name]:
            yield f"--{name} takes {in_help[name]!r} in --help, but {in_page[name]!r} in the page"


def lint(page):
    run = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True
    )
    return run.stdout.splitlines()


def main():
    program, page = sys.argv[1:]
    in_help = options_of_help(program)
    if len(in_help) < 30:
        sys.exit(f"only {len(in_help)} options found in --help")
    wrong = [*differences(in_help, options_of_page(page)), *lint(page)]
    print(*wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
