"""What a report has to say besides the figures, and how they are laid out."""

import os
import platform
import re
import subprocess
from pathlib import Path


def _first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not found"
    return (done.stdout or done.stderr).partition("\n")[0] or "unknown"


def _matching(path, pattern, default="unknown"):
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return default
    return found.group(1) if found else default


def _commit(source):
    git = ("git", "-C", str(source))
    changed = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"],
                             capture_output=True, text=True, check=False).stdout
    return _first_line(*git, "rev-parse", "HEAD") + (" with changes" if changed else "")


def environment(source, pycgid):
    """Machine, kernel, versions, compiler and commit, as (name, value)."""
    cache = Path(pycgid).parent / "CMakeCache.txt"
    compiler = _matching(cache, r"^CMAKE_CXX_COMPILER:\w+=(.*)", "c++")
    governor = _matching("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", r"(.*)", "none")
    yield "machine", f"{_matching('/proc/cpuinfo', r'^model name.*: (.*)')}, {os.cpu_count()} CPUs"
    yield "governor", governor
    yield "kernel", platform.release()
    yield "system", _matching("/etc/os-release", r'^PRETTY_NAME="(.*)"')
    yield "compiler", _first_line(compiler, "--version")
    yield "build", _matching(cache, r"^CMAKE_BUILD_TYPE:\w+=(.*)")
    yield "pycgid", _first_line(str(pycgid), "-V")
    yield "commit", _commit(source)
    yield "uwsgi", _first_line("uwsgi", "--version")
    yield "python", _first_line("/usr/bin/python3", "--version")
    for module in ("flask", "django"):
        code = f"import importlib.metadata as m; print(m.version('{module}'))"
        yield module, _first_line("/usr/bin/python3", "-c", code)


def table(head, rows):
    """Rows as aligned text: the first two columns to the left, figures to the right."""
    cells = [head, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip()


class Verdicts:
    """Figures held against their targets."""

    def __init__(self):
        self.failed = 0

    def judge(self, name, figure, target, good):
        self.failed += not good
        print(f"{'PASS' if good else 'FAIL'}  {name}: {figure} (target {target})", flush=True)

    def at_least(self, name, figure, target):
        self.judge(name, f"{figure:.3g}", f">= {target}", figure >= target)

    def at_most(self, name, figure, target):
        self.judge(name, f"{figure:.3g}", f"<= {target}", figure <= target)
