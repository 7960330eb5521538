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
from harness.daemon import APPS, PROGRAM, SLOWNESS, Daemon
from harness.real_users import FIRST, GATEWAY, SECOND, Site, open_directory
from harness.reread import wait_for

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

# Runs the daemon as this very process, and the stopper as a child that is there before.
WATCHED = """
import os, sys
user, stopper, told, *words = sys.argv[1:]
master = str(os.getpid())
out = os.open(told, os.O_WRONLY | os.O_CREAT)
if os.fork() == 0:
    os.dup2(out, 1)
    os.nice(-20)
    os.setuid(int(user))
    os.execv(sys.executable, [sys.executable, "-c", stopper, master, str(os.getpid())])
os.close(out)
while os.stat(told).st_size == 0:
    pass
os.execv(words[0], words)
"""


@pytest.fixture
def place():
    with open_directory() as directory:
        yield Site(directory)


def slow_pool(place):
    """Pool "one" has many directories, so that a look at them takes its time."""
    many = "".join(f"pythonpath = {APPS}/{number}\n" for number in range(10000))
    return place.pool("one", "intruder", user=FIRST) + many


def begin(place, start):
    place.write(
        f"user = {GATEWAY}",
        f"control = {place.path('control')}",
        slow_pool(place),
        place.pool("two", "intruder", user=SECOND),
    )
    daemon = start(None, config=place.file)
    for pool in ("one", "two"):
        daemon.wait_line(f'ready: pool "{pool}"', 30 * SLOWNESS)
    return daemon


def stop_the_look(daemon, place):
    """Has pool "one" reloaded; returns the pid of the look, which is stopped, and the reload. One
    that was over before the stopper had its turn is followed by a worker, which runs on."""
    for _ in range(20):
        pid, reload = stop_a_child(daemon, place)
        if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(PROGRAM):
            return pid, reload
        os.kill(pid, signal.SIGCONT)
        ctl.end(reload)
    raise AssertionError("no look was stopped")


def stop_a_child(daemon, place):
    known = " ".join(str(pid) for pid in daemon.members())
    command = [sys.executable, "-c", STOPPER, str(daemon.process.pid), known]
    with subprocess.Popen(
        command, user=pwd.getpwnam(FIRST).pw_uid, stdout=subprocess.PIPE, text=True
    ) as stopper:
        assert stopper.stdout.readline() == "watching\n"
        os.setpriority(os.PRIO_PROCESS, stopper.pid, -20)  # it is to be there before the end
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
        rf'file system does not answer or user "{FIRST}" has stopped process {pid}, which looks'
        # The option is unknown where the stopper was quicker than the look; look_test has it.
        r'( \(option "\w+"(, [^)]*)?\))?; see to the mount, .*; generation 1 goes on',
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


def test_a_reload_during_the_first_look_is_told_that_the_pool_is_starting(place):
    control, told = place.path("control"), place.path("told")
    place.write(f"user = {GATEWAY}", f"control = {control}", slow_pool(place))
    user = str(pwd.getpwnam(FIRST).pw_uid)
    command = (sys.executable, "-c", WATCHED, user, STOPPER, told)
    daemon = Daemon(None, config=place.file, command=command)
    try:
        wait_for(lambda: lines_of(told) == 2, 20 * SLOWNESS)
        done = ctl.run("reload", "one", control=control)
        assert done.returncode == 1
        assert 'pool "one" is starting; try again when it has' in done.stderr
        with open(told, encoding="ascii") as file:
            os.kill(int(file.read().split()[1]), signal.SIGCONT)
        daemon.wait_line('ready: pool "one"', 30 * SLOWNESS)
        assert ctl.run("reload", "one", control=control).returncode == 0
        daemon.stop()
    finally:
        daemon.kill()


def lines_of(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read().count("\n")
    except FileNotFoundError:
        return 0
