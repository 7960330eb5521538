"""A pool with a range of processes, watched while it grows and shrinks (tests/apps/elastic.py)."""

import contextlib
import json

from . import cgi, fastcgi

OPTIONS = ("--log-level", "info", "--status-path", "/-/status")
# Seconds that the next worker may take to end: the ten, and what a slow machine adds.
SHRINKS = 40


def figures(daemon):
    return json.loads(daemon.get("/-/status", QUERY_STRING="json").body)


def wait_ends(daemon, count):
    """Waits until so many workers have ended, in all, because they were not needed; their pids."""
    pids = []
    for _ in range(count):
        others = rf"elastic/\d+\[(?!({'|'.join(pids)})\])" if pids else r"elastic/\d+\["
        found = daemon.wait_line(others + r"(?P<pid>\d+)\]: ends, as it was not needed", SHRINKS)
        pids.append(found["pid"])
    return [int(pid) for pid in pids]


def occupy(daemon, stack, count):
    """Requests that wait at the gate, each in a thread of its own; returns those who wait there."""
    for _ in range(count):
        connection = stack.enter_context(daemon.connect(timeout=30))
        connection.send(fastcgi.request(cgi.variables("/wait")))
    return [daemon.gate.arrival(30) for _ in range(count)]


def grow(daemon, size):
    """Has so many threads busy at once; returns the pids of their workers."""
    with contextlib.ExitStack() as stack:
        visitors = occupy(daemon, stack, size)
        for visitor in visitors:
            visitor.release()
    return {visitor.pid for visitor in visitors}
