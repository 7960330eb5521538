"""Options access-log and access-format: a line for each request, whoever answered it."""

import json
import os
import re
import signal
import time

import pytest
from harness import cgi, fastcgi, scgi
from harness.daemon import run
from harness.fastcgi import KEEP

COMBINED = re.compile(
    r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]'
    r' "GET /missing\?a=b HTTP/1\.1" 404 13 "-" "pycgid-tests"'
)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


def lines(log):
    return log.read_text(encoding="ascii").splitlines()


def start_logged(start, log, form, *options, **more):
    return start("logged", "--access-log", str(log), "--access-format", form, *options, **more)


def ended(daemon, log):
    """The log's lines when the daemon has ended: all of them are there then."""
    daemon.stop()
    return lines(log)


def test_the_default_format_is_combined(start, log):
    daemon = start("logged", "--access-log", str(log))
    daemon.get("/missing", QUERY_STRING="a=b", REQUEST_URI="/missing?a=b")
    (line,) = ended(daemon, log)
    assert COMBINED.fullmatch(line), line


def test_no_log_unless_asked_for(start, log):
    daemon = start("logged", "--access-log", "off")
    daemon.get("/missing")
    daemon.stop()
    assert not log.exists() and daemon.count("missing") == 0


def test_standard_error_as_access_log(start):
    daemon = start("logged", "--access-log", "stderr", "--access-format", "%m %U %>s")
    daemon.get("/missing")
    daemon.wait_line(r"^GET /missing 404$")


def test_both_protocols_and_every_request_of_a_connection(start, log):
    daemon = start_logged(start, log, "%U %s %{x-kind}o %X")
    with daemon.connect() as connection:
        for _ in range(2):
            connection.send(fastcgi.request(cgi.variables("/missing"), flags=KEEP))
            assert connection.answer().status == 404
    scgi.fetch(daemon.scgi, "/missing")
    assert ended(daemon, log) == ["/missing 404 odd -"] * 3


def test_answers_of_the_gateway_are_logged(start, log):
    daemon = start_logged(start, log, "%s %B %O %P", "--max-body", "10")
    answer = daemon.post("/missing", b"much too long")
    (line,) = ended(daemon, log)
    assert line == f"413 {len(answer.body)} {len(answer.head) + 4 + len(answer.body)} -"


def test_a_request_that_cannot_be_read_is_logged(start, log):
    daemon = start_logged(start, log, '"%r" %s')
    daemon.get("/missing", REQUEST_METHOD="G T")
    scgi.exchange(daemon.scgi, b"nonsense")
    assert [line.split('"')[2] for line in ended(daemon, log)] == [" 400", " 400"]


def test_a_vanished_client_is_499(start, log):
    daemon = start_logged(start, log, "%U %s %X %{aborted}n")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/waiting"), flags=KEEP))
        visitor = daemon.gate.arrival()
        connection.send(fastcgi.abort())
        connection.next_record(1)
    visitor.release()
    assert ended(daemon, log) == ["/waiting 499 X 1"]


def test_an_answer_that_is_not_wanted_to_its_end(start, log):
    daemon = start_logged(start, log, "%U %s %X")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/endless")))
        assert connection.next_record(1)
    assert ended(daemon, log) == ["/endless 200 X"]


def test_waiting_and_running_are_told_apart(start, log):
    """The second request waits for the only thread, and has it for a moment alone."""
    daemon = start_logged(start, log, "%{queue}T %{app}T %D", threads=1)
    with daemon.connect() as first, daemon.connect() as second:
        first.send(fastcgi.request(cgi.variables("/waiting")))
        visitor = daemon.gate.arrival()
        second.send(fastcgi.request(cgi.variables("/missing")))
        begun = time.monotonic()
        while time.monotonic() - begun < 0.2:
            assert daemon.gate.nobody_waits()
        visitor.release()
        first.answer()
        second.answer()
    one, two = ([int(part) for part in line.split()] for line in ended(daemon, log))
    assert one[1] > 150_000 > one[0], one
    assert two[0] > 150_000 > two[1], two
    assert sum(two[:2]) <= two[2] + 1


def test_json_is_valid_whatever_is_sent(start, log):
    daemon = start_logged(start, log, "json")
    nasty = bytes(byte for byte in range(1, 256)).decode("latin-1")
    daemon.get("/missing", HTTP_USER_AGENT=nasty, HTTP_REFERER='"},{"status":200')
    daemon.stop()
    (line,) = log.read_bytes().splitlines()
    entry = json.loads(line.decode("utf-8"))
    assert entry["status"] == 404 and entry["uri"] == "/missing" and entry["method"] == "GET"
    assert entry["referer"] == '"},{"status":200' and entry["user"] is None
    assert entry["user_agent"].startswith("\x01\x02") and entry["worker_pid"] > 1
    assert all(byte >= 0x20 and byte != 0x7F for byte in line)


def test_nothing_from_outside_forges_a_line(start, log):
    daemon = start_logged(start, log, '"%{User-Agent}i" %U')
    daemon.get("/missing/\n\x1b[31m", HTTP_USER_AGENT='"\r\nfake \x9b')
    (line,) = ended(daemon, log)
    assert line == r'"\"\r\nfake \x9b" /missing/\n\x1b[31m'


def test_usr1_opens_the_log_anew(start, log):
    daemon = start_logged(start, log, "%U")
    daemon.get("/missing")
    old = log.with_suffix(".1")
    os.rename(log, old)
    mark = daemon.mark()
    daemon.signal(signal.SIGUSR1)
    daemon.wait_line("logs were opened anew", since=mark)
    limit = time.monotonic() + 10
    while log.stat().st_size == 0:
        assert time.monotonic() < limit, "nothing came into the new file"
        daemon.get("/missing")
    assert set(lines(old)) == {"/missing"} and set(ended(daemon, log)) == {"/missing"}


def test_an_unknown_code_is_named():
    done = run("logged", "--access-format", "%h %{x}Y", "--fastcgi", "unix:@unused")
    assert done.returncode == 64
    assert 'has the unknown code "%{x}Y"' in done.stderr and "access-format" in done.stderr


def test_a_log_that_cannot_be_opened_stops_the_start(tmp_path):
    path = tmp_path / "none" / "log"
    options = ["--allow-root"] if os.geteuid() == 0 else []
    done = run("logged", *options, "--access-log", str(path), "--fastcgi", "unix:@unused")
    assert done.returncode == 71
    assert str(path) in done.stderr and 'option "access-log"' in done.stderr


def test_a_full_disk_is_reported_once_and_survived(start):
    daemon = start("logged", "--access-log", "/dev/full")
    mark = daemon.mark()
    for _ in range(3):
        assert daemon.get("/missing").status == 404
    daemon.wait_line("cannot write the access log.*No space left on device.*access-log", since=mark)
    daemon.stop()
    assert daemon.count("No space left on device") == 1
