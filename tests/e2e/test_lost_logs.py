"""A log that is lost is told where somebody can read it, and comes back when it can."""

import os

import pytest
from harness import cgi, ctl, fastcgi, processes
from harness.daemon import Daemon


@pytest.fixture
def logs(tmp_path):
    os.chmod(tmp_path, 0o755)
    directory = tmp_path / "logs"
    directory.mkdir()
    return directory


@pytest.fixture
def logged(logs):
    """A daemon whose log is a file; what the harness reads is its standard error."""
    control = str(logs.parent / "control")
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--control", control)
    options += ("--log", str(logs / "log"))
    daemon = Daemon("logged", *options)
    daemon.control = control
    try:
        assert processes.wait_until(lambda: "ready: " in text_of(logs / "log"), 20)
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


def text_of(path):
    return path.read_text("utf-8") if path.is_file() else ""


def test_an_error_log_that_is_lost_is_told_on_standard_error(logged, logs):
    os.rename(logs / "log", logs / "old")
    (logs / "log").mkdir()
    logged.wait_line('was moved or removed, and cannot be opened anew: Is a directory \\(option "log"\\)')
    assert "cannot be opened anew: Is a directory" in text_of(logs / "old")
    (logs / "log").rmdir()
    assert processes.wait_until((logs / "log").is_file)


def test_reopening_tells_what_could_not_be_opened(logged, logs):
    os.rename(logs / "log", logs / "old")
    (logs / "log").mkdir()
    done = ctl.run("reopen-logs", control=logged.control)
    assert done.returncode == 1
    told = f'cannot open log "{logs}/log": Is a directory (option "log"); going on with the old file'
    assert told in done.stderr
    logged.wait_line("cannot open log .*going on with the old file")
    logged.expect("cannot be opened anew")
    old = text_of(logs / "old")
    assert told in old and "not all logs were opened anew" in old
    assert "logs were opened anew" not in old.replace("not all logs were opened anew", "")


def test_a_log_that_was_a_pipe_and_is_removed_is_opened_anew(start, logs):
    path = logs / "access.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        daemon = start("logged", "--access-log", str(path), "--access-format", "%U")
        assert daemon.get("/missing").status == 404
        path.unlink()
        assert processes.wait_until(path.is_file)
    finally:
        os.close(reader)


def test_a_slow_log_that_cannot_be_written_is_told_once(start):
    daemon = start("slow", "--slow-log", "/dev/full", "--slow-request", "100ms")
    for _ in range(2):
        with daemon.connect() as connection:
            connection.send(fastcgi.request(cgi.variables("/wait")))
            visitor = daemon.gate.arrival()
            daemon.wait_line(
                'error gateway.*: cannot write the slow log "/dev/full" of pool "slow": No space left '
                'on device \\(option "slow-log"\\); its lines are lost'
            )
            visitor.release()
            assert connection.answer().status == 200
    daemon.stop()
    assert daemon.count("cannot write the slow log") == 1
