"""Both logs to the system's log, whose socket is the test's own in a mount namespace."""

import os
import re
import signal
import sys

import pytest
from harness import processes
from harness.daemon import run

RELAY = os.path.join(os.path.dirname(__file__), "harness", "with_syslog.py")


@pytest.fixture
def command(tmp_path):
    """What runs the daemon where its syslog is seen as lines "syslog: ..."."""
    directory = tmp_path / "dev"
    directory.mkdir()
    return ("unshare", "--mount", sys.executable, RELAY, str(directory))


def start_with_syslog(start, command, *options, app="logged"):
    socket = ("--fastcgi", "unix:{directory}/fastcgi")
    daemon = start(app, *socket, *options, command=command)
    daemon.expect("^syslog: ")
    return daemon


def test_the_error_log(start, command):
    daemon = start_with_syslog(start, command, "--log", "syslog")
    found = daemon.wait_line(
        r"^syslog: <29>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d pycgid\[(\d+)\]: master\[(\d+)\]: ready"
    )
    assert found[1] == found[2] == str(daemon.process.pid)
    daemon.get("/unknown")
    daemon.wait_line(r"^syslog: <27>.* pycgid\[%d\]: logged/1\[\d+\]: .*KeyError" % daemon.gateway)
    assert not [line for line in daemon.lines if not line.startswith("syslog: ")]


def test_a_facility(start, command):
    daemon = start_with_syslog(start, command, "--log", "syslog:local3")
    daemon.wait_line(r"^syslog: <157>.*ready")


def test_the_access_log(start, command):
    options = ("--access-log", "syslog:local0", "--access-format", "%m %U %s")
    daemon = start_with_syslog(start, command, *options)
    daemon.get("/missing")
    daemon.wait_line(r"^syslog: <134>.* pycgid\[\d+\]: GET /missing 404$")


def test_without_a_log_daemon_the_service_goes_on(start):
    daemon = start("logged", "--access-log", "syslog")
    if os.path.exists("/dev/log"):
        pytest.skip("this machine has a log daemon")
    for _ in range(3):
        assert daemon.get("/missing").status == 404
    daemon.wait_line('cannot write the access log "syslog" of pool "logged": No such file')
    daemon.stop()
    assert daemon.count("cannot write") == 1


def relay_of(daemon):
    """What reads /dev/log there."""
    pids = processes.children(daemon.process.pid)
    (relay,) = [pid for pid in pids if "with_syslog" in processes.title(pid)]
    return relay


def test_a_flood_for_a_log_daemon_that_stands_still_holds_up_nobody(start, command):
    daemon = start_with_syslog(start, command, "--log", "syslog", app="flooding")
    daemon.expect("cannot write the log: Resource temporarily unavailable")
    relay = relay_of(daemon)
    os.kill(relay, signal.SIGSTOP)
    try:
        assert daemon.get("/records").status == 200
        for _ in range(20):
            assert daemon.get("/calm").status == 200
        assert daemon.get("/enough").status == 200
    finally:
        os.kill(relay, signal.SIGCONT)
    again = r"^syslog: .*the log can be written again; lines lost: [1-9]"
    assert processes.wait_until(lambda: daemon.get("/note").status == 200 and daemon.count(again))


def test_an_unknown_facility_is_refused():
    for option in ("--log", "--access-log"):
        done = run("logged", option, "syslog:none", "--fastcgi", "unix:@unused")
        assert done.returncode == 64
        assert re.search("syslog:none.*facility", done.stderr)
