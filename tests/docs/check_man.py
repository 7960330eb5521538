#!/usr/bin/env python3
"""Compares options and commands of a program's --help with its manual, and checks the pages' mdoc.

pycgid(8) has what stands on the command line alone, pycgid.conf(5) all the others.

usage: check_man.py PROGRAM PAGE...
"""

import re
import subprocess
import sys


def help_of(program):
    return subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout


def commands_of_help(text):
    """Names below "Commands:", as far as there are any."""
    part = text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    return set(re.findall(r"^  ([a-z-]+)", part, re.MULTILINE))


def commands_of_page(page):
    """`.It Cm reload Op Ar POOL` is reload."""
    with open(page, encoding="utf-8") as file:
        return set(re.findall(r"^\.It Cm ([a-z-]+)(?=$| Op)", file.read(), re.MULTILINE))


def options_of_help(text):
    listed = [line for line in text.splitlines() if re.match(r"  -", line)]
    return {
        match.group(1): match.group(2) or ""
        for line in listed
        for match in re.finditer(r"--([a-z-]+)(?: ([A-Z=]+))?", line)
    }


def options_of_page(page):
    """Option names with their placeholders: `.It Ic fastcgi Ar ADDR` is {"fastcgi": "ADDR"}."""
    options = {}
    with open(page, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith((".It Fl", ".It Ic")):
                continue
            entry = line[len(".It Fl") :]
            placeholder = "".join(re.findall(r"[A-Z]{2,}|=|\bN\b", entry))
            pattern = r"^ ([a-z-]+)" if line.startswith(".It Ic") else r"(?:^|\s)-([a-z-]+)"
            for name in re.findall(pattern, entry):
                options[name] = placeholder
    return options


def differences(in_help, in_page):
    for name in sorted(in_help.keys() - in_page.keys()):
        yield f"--{name} is in --help, but not in the manual"
    for name in sorted(in_page.keys() - in_help.keys()):
        yield f"--{name} is in the manual, but not in --help"
    for name in sorted(in_help.keys() & in_page.keys()):
        if in_help[name] != in_page[name]:
            yield f"--{name} takes {in_help[name]!r} in --help, but {in_page[name]!r} in the manual"


def lint(page):
    run = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True
    )
    return run.stdout.splitlines()


def command_differences(text, pages):
    if commands := commands_of_help(text):
        in_pages = set().union(*(commands_of_page(page) for page in pages))
        for name in sorted(commands ^ in_pages):
            yield f"the command {name} is in one of --help and manual only"


def main():
    program, *pages = sys.argv[1:]
    text = help_of(program)
    in_help = options_of_help(text)
    if len(in_help) < (30 if len(pages) > 1 else 5):
        sys.exit(f"only {len(in_help)} options found in --help")
    in_pages = {}
    wrong = [line for page in pages for line in lint(page)]
    for page in pages:
        options = options_of_page(page)
        wrong += [f"--{name} is in two pages" for name in options.keys() & in_pages.keys()]
        in_pages.update(options)
    wrong += differences(in_help, in_pages)
    wrong += command_differences(text, pages)
    print(*wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
