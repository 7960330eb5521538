"""What the kernel knows about a server's processes: CPU time, memory, descriptors, threads."""

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """One process at one moment; sizes in KiB."""

    title: str
    rss: int
    pss: int
    private: int
    fds: int
    threads: int


def _stat_fields(pid):
    # The name stands in parentheses and may hold anything; fields are counted after it.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(root):
    """`root` and all its descendants, parents before children."""
    children = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat_fields(entry.name)[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [root]
    for pid in found:
        found += sorted(children.get(pid, []))
    return found


def cpu_seconds(pids):
    """User and system time of all these processes together."""
    total = 0
    for pid in pids:
        fields = _stat_fields(pid)
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def _kib_fields(path):
    lines = path.read_text().splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)
            if rest.endswith(" kB")}


def title(pid):
    """The process's name for itself, else the name of its program."""
    command = (PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")[0].decode()
    return command if ": " in command else os.path.basename(command)


def usage(pid):
    """Memory from smaps_rollup, and what else may leak."""
    memory = _kib_fields(PROC / str(pid) / "smaps_rollup")
    fds = len(os.listdir(PROC / str(pid) / "fd"))
    threads = len(os.listdir(PROC / str(pid) / "task"))
    private = memory["Private_Clean"] + memory["Private_Dirty"]
    return Usage(title(pid), memory["Rss"], memory["Pss"], private, fds, threads)
