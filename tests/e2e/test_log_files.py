"""Log files that grow, vanish, or cannot be written; the contrib configuration of logrotate."""

import contextlib
import os
import re
import shutil
import subprocess
import time

import pytest
from harness import processes
from harness.site import Site


CONFIGURATION = os.path.join(os.path.dirname(__file__), "../../contrib/logrotate/pycgid")


@pytest.fixture
def logs(tmp_path):
    """A directory for logs, as the paths of both of them."""
    directory = tmp_path / "logs"
    directory.mkdir()
    return directory


def start_with_logs(start, logs, *options):
    """The error log stays on standard error, for the harness to see."""
    access = ("--access-log", str(logs / "access.log"), "--access-format", "%U")
    return start("logged", *access, *options)


def request_until(daemon, condition, deadline=15):
    """Makes requests until the condition holds."""
    limit = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        assert daemon.get("/missing").status == 404


def has_line(path):
    return path.exists() and path.stat().st_size > 0


def test_a_removed_log_is_opened_anew(start, logs):
    daemon = start_with_logs(start, logs)
    daemon.get("/missing")
    path = logs / "access.log"
    path.unlink()
    request_until(daemon, lambda: has_line(path))


def test_a_log_whose_directory_vanished_is_reported_once(start, logs):
    daemon = start_with_logs(start, logs)
    mark = daemon.mark()
    shutil.rmtree(logs)
    daemon.wait_line('access.log" was moved or removed, and cannot be opened anew: No such file', since=mark)
    assert daemon.get("/missing").status == 404
    logs.mkdir()
    request_until(daemon, lambda: has_line(logs / "access.log"))
    assert daemon.count("cannot be opened anew") == 1


def test_a_log_that_has_grown_is_rotated_and_five_are_kept(start, logs):
    daemon = start_with_logs(start, logs, "--rotate-size", "1")
    path = logs / "access.log"
    for number in range(1, 7):
        path.with_name(f"access.log.{number}").write_text(f"old {number}\n")
    first = path.with_name("access.log.1")

    def rotated():
        """All of it: the last step is the new file. In between there is no first one."""
        with contextlib.suppress(FileNotFoundError):
            return first.read_text() != "old 1\n" and path.exists()
        return False

    request_until(daemon, rotated)
    names = sorted(os.listdir(logs))
    assert names == ["access.log", *(f"access.log.{number}" for number in range(1, 7))]
    assert first.read_text().startswith("/missing\n")
    assert path.with_name("access.log.5").read_text() == "old 4\n"
    assert path.with_name("access.log.6").read_text() == "old 6\n"


def test_a_log_that_cannot_be_renamed_is_told_once_with_its_option(start, logs, tmp_path):
    site = Site(tmp_path)
    path = logs / "access.log"
    site.write("rotate-size = 1", site.pool("one", access_log=path))
    for number in range(1, 6):
        (logs / f"access.log.{number}" / "full").mkdir(parents=True)
    daemon = start(None, config=site.file)
    assert site.get("one").status == 200
    place = re.escape(site.line_of("rotate-size"))
    pattern = f'cannot rename log "{path}" to "access.log.1": .*\\(option "rotate-size", {place}\\)'
    daemon.wait_line(pattern)
    # It goes on, and comes back when it can.
    shutil.rmtree(logs / "access.log.1")
    assert processes.wait_until((logs / "access.log.1").is_file)
    assert daemon.count(pattern) == 1


def test_no_line_is_lost_or_torn_by_rotation(start, logs):
    daemon = start_with_logs(start, logs, "--rotate-size", "10")
    made = 0
    limit = time.monotonic() + 15
    while not (logs / "access.log.2").exists():
        assert time.monotonic() < limit, "it was not rotated twice"
        daemon.get("/missing")
        made += 1
    daemon.stop()
    lines = [line for path in logs.iterdir() for line in path.read_text().splitlines()]
    assert lines == ["/missing"] * made


def logrotate(logs):
    """Rotates with the configuration of contrib, for this directory; returns logrotate's output."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        text = file.read()
    assert "/var/log/pycgid/*.log" in text
    configuration = logs.parent / "logrotate.conf"
    configuration.write_text(text.replace("/var/log/pycgid", str(logs)))
    configuration.chmod(0o644)
    command = ["logrotate", "--force", "--state", logs.parent / "state", configuration]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stderr


def test_logrotate_with_the_configuration_of_contrib(start, logs):
    daemon = start_with_logs(start, logs)
    path = logs / "access.log"
    made = 0

    def request(condition):
        nonlocal made
        limit = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < limit, "it did not happen in time"
            daemon.get("/missing")
            made += 1

    request(lambda: has_line(path))
    logrotate(logs)
    assert path.with_name("access.log.1").exists()
    request(lambda: has_line(path))
    logrotate(logs)
    request(lambda: has_line(path))
    daemon.stop()
    packed = path.with_name("access.log.2.gz")
    unpacked = subprocess.run(["gzip", "-dc", packed], capture_output=True, check=True).stdout
    rest = [path.with_name("access.log.1"), path]
    assert unpacked + b"".join(each.read_bytes() for each in rest) == b"/missing\n" * made
