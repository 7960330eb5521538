"""What applications write, and what becomes of it in the log."""

import re
import socket

import pytest
from harness import cgi, fastcgi
from harness.daemon import LINE, Daemon
from harness.site import Site

FROM_WORKER = r" (?P<level>\w+) \S+/1\[\d+\]: .*"


@pytest.fixture
def daemon(start):
    return start("output")


@pytest.mark.parametrize(
    "text",
    [
        "by print", "by print to stderr", "by wsgi.errors", "INFO:shop:by logging",
        "by descriptor 1", "by descriptor 2", "by the buffer",
    ],
)  # fmt: skip
def test_everything_written_is_logged_by_line(daemon, text):
    daemon.expect(FROM_WORKER)
    assert daemon.get("/everything").status == 200
    daemon.wait_line(FROM_WORKER + re.escape(text) + "$")


def test_output_of_the_import_is_logged(daemon):
    daemon.wait_line(FROM_WORKER + "printed at import$")


def test_output_of_the_end_is_logged(daemon):
    assert daemon.get("/partial").status == 200
    daemon.stop()
    assert daemon.count(FROM_WORKER + "printed at exit$") == 1


def request_id(daemon, path, text):
    """The request id on the line that has this text, which only one line of a request has."""
    daemon.expect(FROM_WORKER)
    mark = daemon.mark()
    assert daemon.get(path).status in (200, 500)
    return daemon.wait_line(r"\]: \[?(\S*?)\]? ?" + re.escape(text) + "$", since=mark).group(1)


def test_lines_carry_the_id_of_their_request(daemon):
    first = request_id(daemon, "/everything", "by print")
    second = request_id(daemon, "/everything", "by print")
    assert first and second and first != second


def test_control_characters_are_escaped(daemon):
    assert daemon.get("/forged").status == 200
    line = daemon.wait_line("cleared.*forged$").group(0)
    assert "\x1b" not in line and "\r" not in line
    assert daemon.count(r"^\S+ notice master\[1\]") == 0


def test_a_long_line_loses_nothing(daemon):
    assert daemon.get("/long_line").status == 200
    daemon.wait_line("ab$")
    letters = sum(line.count("a") for line in daemon.lines if re.search("a{50}", line))
    assert letters >= 10000


def test_a_line_without_an_end_is_logged_with_its_request(daemon):
    mark = daemon.mark()
    assert daemon.get("/partial").status == 200
    daemon.wait_line("without an end$", since=mark)


def test_a_traceback_says_which_request_it_was(daemon):
    daemon.expect(FROM_WORKER)
    answer = daemon.get("/failure", query="a=1")
    assert answer.status == 500
    daemon.wait_line(r"error.*GET /failure\?a=1")
    daemon.wait_line(r"Traceback \(most recent call last\)")
    daemon.wait_line(r"output\.py.*failure")
    line = daemon.wait_line("LookupError: the reason .* of it all$").group(0)
    assert "\x1b" not in line
    assert b"LookupError" not in answer.body and b"Traceback" not in answer.body
    assert not answer.stderr


def test_the_method_and_uri_in_the_log_are_escaped(daemon):
    daemon.expect(FROM_WORKER)
    assert daemon.get("/failure", REQUEST_URI="/failure\r\nforged: line\x1b[2J").status == 500
    line = daemon.wait_line("error.*GET /failure.*forged: line").group(0)
    assert "\x1b" not in line


def test_every_line_has_the_form_of_the_log(daemon):
    daemon.expect(FROM_WORKER)
    for path in ("/everything", "/forged", "/failure", "/partial", "/long_line"):
        daemon.get(path)
    daemon.wait_line("without an end")
    assert all(LINE.fullmatch(line) for line in daemon.lines)


@pytest.mark.parametrize("way", ["raw", "flushed"])
def test_what_a_worker_that_is_killed_has_written_is_logged(start, way):
    daemon = start("output")
    daemon.expect("killed by signal 9", r" output/1\[\d+\]: ")
    assert daemon.get("/killed", query=way).status == 502
    daemon.wait_line(r"notice output/1\[\d+\]: (\[\S+\] )?without an end$")


def test_log_level_leaves_lines_out():
    """A daemon that does not even say that it is ready: its socket takes the request before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        options = ("--fastcgi", f"fd:{number}", "--log-level", "error")
        quiet = Daemon("output", *options, pass_fds=(number,))
        try:
            assert fastcgi.fetch(listener.getsockname(), cgi.variables("/partial")).status == 200
            quiet.stop()
        finally:
            quiet.kill()
    assert quiet.lines == []


@pytest.mark.parametrize(
    ("flood", "line"),
    [("entries", r"\] flooded$"), ("lines", r": x$"), ("records", r"flooded$")],
)
def test_another_pool_is_answered_while_one_floods_the_log(start, tmp_path, flood, line):
    site = Site(tmp_path)
    site.write(site.pool("flooding", "flooding"), site.pool("calm", "mirror"))
    daemon = start(None, config=site.file)
    assert site.get("flooding", f"/{flood}").status == 200
    daemon.wait_line(line)
    for _ in range(20):
        assert site.get("calm").status == 200
        assert site.get("flooding").status == 200
    assert site.get("flooding", "/enough").status == 200


def test_a_record_of_very_many_lines_is_cut_and_says_so(start):
    daemon = start("flooding")
    daemon.get("/record")
    daemon.wait_line(r"\| \.\.\. \(cut, \d+ lines more\)$")
    assert daemon.count(r"/1\[\d+\]: .*\| ") == 1000
