"""A user of a pool stops the process that looks at files with the rights of that user: the pool
waits, nobody else does."""

import os
import pwd
import signal
import subprocess
import sys
import time

import pytest
from harness import ctl, processes
from harness.daemon import APPS, SLOWNESS
from harness.real_users import FIRST, GATEWAY, SECOND, Site, open_directory

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")

# As that user, and with no more rights: stops the first child of the master that it may stop.
STOPPER = """
import os, signal, sys
master, known = sys.argv[1], set(sys.argv[2].split())
print("watching", flush=True)
while True:
    with open(f"/proc/{master}/task/{master}/children") as file:
        children = file.read().split()
    for pid in children:
        if pid in known:
            continue
        try:
            os.kill(int(pid), signal.SIGSTOP)
        except (PermissionError, ProcessLookupError):
            continue
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        if state != "Z":
            print(pid, flush=True)
            sys.exit()
"""


@pytest.fixture
def place():
    with open_directory() as directory:
        yield Site(directory)


def begin(place, start):
    """Pool "one" has many directories, so that a look at them takes its time."""
    many = "".join(f"pythonpath = {APPS}/{number}\n" for number in range(3000))
    place.write(
        f"user = {GATEWAY}",
        f"control = {place.path('control')}",
        place.pool("one", "intruder", user=FIRST) + many,
        place.pool("two", "intruder", user=SECOND),
    )
    daemon = start(None, config=place.file)
    for pool in ("one", "two"):
        daemon.wait_line(f'ready: pool "{pool}"', 30 * SLOWNESS)
    return daemon


def stop_the_look(daemon, place):
    """Has pool "one" reloaded; returns the pid of the look, which is stopped."""
    known = " ".join(str(pid) for pid in daemon.members())
    command = [sys.executable, "-c", STOPPER, str(daemon.process.pid), known]
    with subprocess.Popen(
        command, user=pwd.getpwnam(FIRST).pw_uid, stdout=subprocess.PIPE, text=True
    ) as stopper:
        assert stopper.stdout.readline() == "watching\n"
        reload = ctl.begin("reload", "one", control=place.path("control"))
        stopped = int(stopper.stdout.readline())
    return stopped, reload


@pytest.fixture
def stopped(place, start):
    daemon = begin(place, start)
    pid, reload = stop_the_look(daemon, place)
    yield daemon, pid
    processes.kill(pid)
    ctl.end(reload)


def test_others_go_on_and_its_end_is_said(place, stopped):
    daemon, pid = stopped
    mark, begun = daemon.mark(), time.monotonic()
    control = place.path("control")
    assert ctl.run("ping", control=control).stdout == "pong\n"
    assert place.post("two", b"[]").status == 200
    assert ctl.run("reload", "two", control=control).returncode == 0
    assert processes.status_of(pid)["State"][0] == "T", "that was no proof"
    assert time.monotonic() - begun < 9, "nobody waited"
    daemon.wait_line(
        r'reload failed: pool "one": cannot look at the files of pool "one": no end after 10s, a '
        rf'file system does not answer or user "{FIRST}" has stopped process {pid}, which looks '
        r'\(option "\w+"(, [^)]*)?\); see to the mount, .*; generation 1 goes on',
        20 * SLOWNESS,
    )
    assert processes.wait_gone(pid)
    assert place.post("one", b"[]").status == 200
    assert ctl.run("reload", "one", control=control).returncode == 0
    daemon.wait_line(r'reloaded pool "one"', since=mark)


def test_term_is_obeyed_at_once(stopped):
    daemon, pid = stopped
    begun = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(9) == 0
    assert time.monotonic() - begun < 9
    assert processes.wait_gone(pid)
