"""Bodies that find no room in option temp-dir: the request fails, and the log says why."""

import os
import re

import pytest
from harness import cgi, fastcgi, processes

BODY = bytes(1_000_000)
SMALL_DISK = ["/usr/bin/unshare", "--mount", "/bin/sh", "-ec"]
SMALL_DISK += ['mount -t tmpfs -o size=128k none {directory}/tmp; exec "$@"', "sh"]
FULL = 'error .*answered 503: .*"[^"]*/tmp": No space left on device \\(option "temp-dir"\\)'


@pytest.fixture
def daemon(start):
    """Its temporary files share 128 KiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--body-buffer", "16K")
    running = start("mirror", *options, command=SMALL_DISK)
    running.expect("temp-dir")
    return running


def test_a_body_that_does_not_fit_is_answered_503(daemon):
    answer = daemon.post("/digest", BODY)
    assert answer.status == 503 and answer.header("Retry-After")
    daemon.wait_line(FULL)
    assert daemon.post("/digest", BODY[:50_000]).status == 200, "its room is free again"


def test_a_filters_data_that_does_not_fit_is_answered_503(daemon):
    fields = cgi.variables("/digest", FCGI_DATA_LENGTH=str(len(BODY)), FCGI_DATA_LAST_MOD="0")
    with daemon.connect() as connection:
        connection.send(fastcgi.begin(role=fastcgi.FILTER) + fastcgi.params(fields))
        connection.send(fastcgi.stdin() + fastcgi.stream(fastcgi.DATA, 1, BODY))
        assert connection.answer().status == 503
    daemon.wait_line(FULL)


def test_a_flood_of_bodies_that_do_not_fit_is_not_one_of_lines(start, tmp_path):
    """The access log has all of them."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--body-buffer", "16K")
    options += ("--access-log", str(tmp_path / "access.log"))
    daemon = start("mirror", *options, command=SMALL_DISK)
    daemon.expect("temp-dir")
    for _ in range(40):
        assert daemon.post("/digest", BODY).status == 503
    assert processes.wait_until(lambda: told_of(daemon) == 40)
    assert daemon.count("temp-dir") < 40
    daemon.stop()
    lines = (tmp_path / "access.log").read_text("utf-8").splitlines()
    assert sum(" 503 " in line for line in lines) == 40


def told_of(daemon):
    pattern = r"error mirror: answered 503: (\d+) more in the last second: "
    more = re.findall(pattern, "\n".join(daemon.lines))
    return daemon.count(r"request \S+ .*answered 503: cannot keep") + sum(map(int, more))
