"""Workers whose application closes descriptors that it has not opened, or puts its own in their
place: nothing of the daemon's gets into a file of the application's."""

import os
import resource
import subprocess

import pytest
from harness.daemon import Daemon

LOST = r" \S+/1\[\d+\]: .*closed or replaced a descriptor of the daemon's"


def worker_pid(daemon):
    return daemon.get("/pid").body


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["alone", "preload"])
def test_descriptors_closed_at_import_are_not_the_daemons(start, preload):
    daemon = start("descriptors", "--env", "CLOSE_AT_IMPORT=256", *preload)
    assert daemon.get("/pid").status == 200


def test_descriptors_closed_in_a_request_are_not_the_daemons(start):
    daemon = start("descriptors")
    before = worker_pid(daemon)
    for _ in range(3):
        assert daemon.get("/close_low").body == before
        assert daemon.get("/size").body == b"4"
    daemon.wait_line("written on$")
    assert worker_pid(daemon) == before


def with_soft_limit(soft):
    """A command that runs the program with this soft limit of open files."""
    return ["prlimit", f"--nofile={soft}:", "--"]


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["alone", "preload"])
def test_closing_up_to_the_limit_does_not_reach_the_daemons(preload):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip("needs a hard limit of open files above the soft one")
    options = ("--fastcgi", "unix:{directory}/fastcgi", *preload)
    with Daemon("descriptors", *options, command=with_soft_limit(1024)) as daemon:
        before = worker_pid(daemon)
        assert daemon.get("/close_to_the_limit").body == before
        assert daemon.get("/size").body == b"4"
        assert worker_pid(daemon) == before
        assert all(int(number) >= 1024 for number in daemon.get("/numbers").body.split())


def test_a_worker_that_closes_all_says_so_and_is_replaced(start):
    daemon = start("descriptors")
    daemon.expect("error .*running", LOST)
    before = worker_pid(daemon)
    daemon.get("/close_all")
    daemon.get("/pid")  # A gateway that is awake needs no bell for the first.
    daemon.wait_line(LOST)
    assert worker_pid(daemon) != before


def test_an_application_that_closes_all_at_import_is_refused(tmp_path):
    options = ("--fastcgi", f"unix:{tmp_path}/socket", "--env", "CLOSE_AT_IMPORT=65536")
    refused = Daemon("descriptors", *options)
    try:
        refused.wait_line(LOST)
        assert refused.process.wait(20) in (75, 78)
    finally:
        refused.kill()


def test_no_byte_gets_into_what_replaces_a_descriptor(start, tmp_path):
    os.chmod(tmp_path, 0o755)
    database = tmp_path / "database"
    database.touch()
    daemon = start("descriptors", "--request-timeout", "60s")
    daemon.expect("error .*running", LOST)
    before = worker_pid(daemon)
    daemon.get("/replace_all", query=str(database))
    daemon.wait_line(LOST)
    assert worker_pid(daemon) != before
    assert database.read_bytes() == b""


@pytest.mark.parametrize("closed", [(0,), (1, 2), (0, 1, 2)], ids=str)
def test_a_daemon_started_without_standard_descriptors_puts_nothing_else_there(closed, tmp_path):
    redirections = " ".join(f"{number}>&-" for number in closed)
    log = tmp_path / "log"
    log.touch()
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh"]
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--log", str(log))
    daemon = Daemon("descriptors", *options, command=command)
    try:
        _wait_for_text(log, "ready")
        for pid in [daemon.process.pid, daemon.gateway, *daemon.workers]:
            for number in closed:
                target = os.readlink(f"/proc/{pid}/fd/{number}")
                assert target == "/dev/null" or target.startswith("pipe:"), (pid, target)
        daemon.stop()
    finally:
        daemon.kill()


def _wait_for_text(path, text):
    subprocess.run(
        ["timeout", "20", "sh", "-c", f'tail -n +1 -F "{path}" | grep -q -m1 "{text}"'], check=True
    )
def test_a_helper_that_closes_all_writes_to_its_own_output(start, tmp_path):
    os.chmod(tmp_path, 0o777)
    daemon = start("descriptors", "--env", f"DIRECTORY={tmp_path}")
    before = worker_pid(daemon)
    assert daemon.get("/daemonise").body == b"said by the helper\n"
    assert worker_pid(daemon) == before


