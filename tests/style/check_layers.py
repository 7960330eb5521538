#!/usr/bin/python3
"""Checks that the source keeps to the house of DESIGN.md: who may include what, and sizes.

usage: check_layers.py ROOT
Prints one line for each breach and exits 1 if there is any.
"""

import ast
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True

ROOMS = ("fcgi", "scgi", "pyhost", "daemon", "tests")

# What a room may include of the project. The leaves know nobody; the daemon knows all, but of
# pyhost only the door between the two.
MAY_INCLUDE = {
    "fcgi": r"fcgi/",
    "scgi": r"scgi/",
    "pyhost": r"pyhost/",
    "daemon": (
        r"daemon/|fcgi/|scgi/"
        r"|pyhost/(channel|fork_order|log_socket|own_fds|params|session|unique_fd)\.h$"
    ),
    "tests": r"",
}

# Libraries of which one room alone may know.
LIBRARIES = {
    r"(Python|structmember|pythread)\.h$|cpython/|internal/pycore": "pyhost",
    r"boost/|openssl/": "daemon",
    r"fastcgi\.h$|fcgi(app|misc|os|_stdio|_config)?\.h$": "fcgi",
}

# What reads files of the daemon: streams know no O_NONBLOCK, and throw at a directory.
READER = "daemon/read_file.cpp"
STREAMS = re.compile(r"\bifstream\b|\bistreambuf_iterator\b|\bfopen\s*\(")
# Exceptions are dropped in one place, which lets those through that no code may swallow.
DROPS_EXCEPTIONS = re.compile(r"\bPyErr_(Clear|WriteUnraisable|Print)")
MAY_DROP_EXCEPTIONS = "pyhost/exceptions.cpp"

# pyhost has no exceptions, so that a container which finds no memory ends the worker: bytes of
# clients and applications go through pyhost/buffer.h, what is said of them through short_text.h.
CONTAINERS = re.compile(r"\bstd::(string|vector|deque|list|map|set|unordered_\w+|to_string)\b")
MAY_ALLOCATE = {
    "pyhost/log_socket.h",  # cut_text(), the gateway's
    "pyhost/log_socket.cpp",
    "pyhost/interrupter.h",  # one for each thread, when it starts
    "pyhost/internal/channel_gateway_state.h",  # one for each slot, when the channel is opened
    "pyhost/internal/channel_worker_state.h",
}

# What is kept for longer than a call has a reference of its own: who lent it may return first.
BORROWED = re.compile(r"\s+(const )?PyObject\* ?(const )?\w+( = nullptr|\{\w*\})?;")
MAY_BORROW = {
    "pyhost/py_ref.h",  # the reference itself
    "pyhost/internal/py.h",  # locals of its functions
    "pyhost/module_state.h",  # the module's own: its traverse and clear
    "pyhost/request_runner.h",  # the host's, which is never destroyed
}

# What Catch2 2 and 3 have in different headers; tests/unit/catch.h brings what both have in one.
CATCH2 = re.compile(
    r"\bGENERATE\w*\(|\bCatch::|\bApprox\b|_THAT\(|\bBENCHMARK\w*\(|\bTEMPLATE_\w+\(")

MAX_FILE = 400
MAX_FUNCTION = 40
MAX_SWITCH = 70

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FUNCTION = re.compile(r"(?!(namespace|class|struct|union|enum|extern|using|return)\b)[\w~].*\(")


def sources(root, *patterns):
    """Files of the house itself, not what a build or a test run left there."""
    for place in (*ROOMS, "contrib", "man"):
        for pattern in patterns:
            for path in sorted((root / place).rglob(pattern)):
                if path.is_file() and not {"corpus", "__pycache__"} & set(path.parts):
                    yield path


def include_breaches(room, lines):
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quote, header = found.groups()
        for pattern, owner in LIBRARIES.items():
            if quote == "<" and re.match(pattern, header) and room != owner:
                yield number, f"<{header}> belongs to {owner}/ alone"
        if quote == '"' and header.partition("/")[0] not in ROOMS:
            yield number, f'"{header}" is not named from the root of the project'
        elif quote == '"' and not re.match(MAY_INCLUDE[room], header):
            yield number, f'{room}/ may not include "{header}"'


def reader_breaches(room, lines):
    for number, line in enumerate(lines, 1):
        if room == "daemon" and STREAMS.search(line):
            yield number, f"files are read by {READER} alone"


def memory_breaches(place, lines):
    for number, line in enumerate(lines, 1):
        if not place.startswith("pyhost/") or place in MAY_ALLOCATE:
            return
        if CONTAINERS.search(line.partition("//")[0]):
            yield number, "memory that may be short goes through pyhost/buffer.h or short_text.h"


def exception_breaches(place, lines):
    for number, line in enumerate(lines, 1):
        if DROPS_EXCEPTIONS.search(line) and place != MAY_DROP_EXCEPTIONS:
            yield number, f"exceptions are dropped in {MAY_DROP_EXCEPTIONS} alone"


def borrowing_breaches(place, lines):
    if not place.startswith("pyhost/") or not place.endswith(".h") or place in MAY_BORROW:
        return
    for number, line in enumerate(lines, 1):
        if BORROWED.match(line):
            yield number, "what keeps an object has a PyRef"


def catch2_breaches(room, lines):
    for number, line in enumerate(lines, 1):
        if room == "tests" and CATCH2.search(line):
            yield number, "not in every Catch2's first header: see tests/unit/catch.h"


def function_breaches(lines):
    """Long functions of formatted C++: what opens at the margin ends with a brace at the margin."""
    start = None
    for number, line in enumerate(lines, 1):
        if FUNCTION.match(line) and not line.endswith((";", "}")):
            start = number
        elif start and line.startswith("}"):
            body = lines[start - 1 : number]
            limit = MAX_SWITCH if any("switch (" in part for part in body) else MAX_FUNCTION
            if len(body) > limit:
                yield start, f"a function of {len(body)} lines"
            start = None
        elif start and line.endswith(";") and not any(
            part.endswith("{") for part in lines[start - 1 : number]
        ):
            start = None  # a declaration over several lines


def python_breaches(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION:
                yield node.lineno, f"{node.name}() has {length} lines"


def file_breaches(path, place):
    text = path.read_text()
    lines = text.splitlines()
    if len(lines) > MAX_FILE:
        yield len(lines), f"more than {MAX_FILE} lines"
    if path.suffix in (".h", ".cpp"):
        yield from include_breaches(place.parts[0], lines)
        yield from reader_breaches(place.parts[0], lines)
        yield from memory_breaches(str(place), lines)
        yield from exception_breaches(str(place), lines)
        yield from borrowing_breaches(str(place), lines)
        yield from catch2_breaches(place.parts[0], lines)
        yield from function_breaches(lines)
    elif path.suffix == ".py" or text.startswith("#!/usr/bin/python3"):
        yield from python_breaches(text)


def breaches(root):
    for path in sources(root, "*"):
        place = path.relative_to(root)
        if path.suffix in (".h", ".cpp", ".py", ".cmake", ".txt", ".conf", ""):
            for number, what in file_breaches(path, place):
                yield f"{place}:{number}: {what}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    found = list(breaches(Path(sys.argv[1])))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
