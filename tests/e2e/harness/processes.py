"""Processes, watched from outside through /proc and pidfds."""

import os
import select
import signal
import time


FAMILY = "PYCGID_TEST_FAMILY"


def session_members(session):
    """Pids of the living processes of a session."""
    return [pid for pid in _pids() if _stat(pid)[3:4] == [str(session)] and not _is_zombie(pid)]


def family(session, name=None):
    """Pids of the living processes of a daemon that was started in a session of its own: master and
    gateway, and the workers, each of which leads another session, with all that they have started.
    They are known by their parents, or, orphans included, by a variable FAMILY in their environment
    that has this value."""
    found = set(session_members(session))
    mark = f"{FAMILY}={name}".encode()
    looks_in_vain = 0
    while looks_in_vain < 2:  # In the first one a process may have got another parent.
        more = {pid for pid in _pids() if pid not in found and _belongs(pid, found, mark)}
        found |= more
        looks_in_vain = 0 if more else looks_in_vain + 1
    return sorted(found)


def _belongs(pid, family_members, mark):
    if _is_zombie(pid):
        return False
    if int((_stat(pid)[1:2] or ["0"])[0]) in family_members:
        return True
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False


def children(parent):
    """Pids of the living children of a process."""
    return [pid for pid in _pids() if _stat(pid)[1:2] == [str(parent)] and not _is_zombie(pid)]


def is_alive(pid):
    """Whether there is such a process that has not ended."""
    return not _is_zombie(pid)


def has_zombie(parent):
    """Whether a child of a process has ended and was not reaped."""
    return any(_stat(pid)[:2] == ["Z", str(parent)] for pid in _pids())


def parent(child):
    """The pid of the parent of a living process."""
    return int(_stat(child)[1])


def title(pid):
    """The command line as ps(1) shows it."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode("latin-1").strip()
    except OSError:
        return ""


def status_of(pid):
    """/proc/PID/status: the words of each field."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        pairs = [line.partition(":\t")[::2] for line in file.read().splitlines()]
    return {name: value.split() for name, value in pairs}


def limits_of(pid, name):
    """Soft and hard limit, as text."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        (line,) = (line for line in file if line.startswith(name))
    return line.removeprefix(name).split()[:2]


def cpu_seconds(pid):
    """User and system time that a process has used."""
    return sum(int(ticks) for ticks in _stat(pid)[11:13]) / os.sysconf("SC_CLK_TCK")


def open_files(pid):
    """What the descriptors of a process point to."""
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass  # It was closed between the two calls.
    return links


def wait_gone(pid, deadline=10):
    """Waits until a process that is not our child has ended; False when it lives on."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], deadline)[0])
    finally:
        os.close(pidfd)


def wait_until(condition, deadline=10):
    """Waits for what the kernel tells nobody of; False when it does not come to be in time."""
    limit = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > limit:
            return False
        os.sched_yield()
    return True


def kill(pid, number=signal.SIGKILL):
    """Sends a signal to a process that may have ended already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid):
    """Fields of /proc/PID/stat from the state on: state, parent, group, session, ..."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _is_zombie(pid):
    return _stat(pid)[:1] in (["Z"], ["X"], [])
