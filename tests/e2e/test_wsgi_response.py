"""PEP 3333: start_response and the body of the response (W7 to W15, W21)."""

import pytest
from harness import cgi, fastcgi, scgi, sockets
from harness.daemon import Daemon

WORKER_LINES = r" \S+/\d+\[\d+\]: "


@pytest.fixture(scope="module")
def daemon():
    """One for all; applications that fail have their tracebacks in its log."""
    with Daemon("pep3333") as running:
        running.expect(WORKER_LINES)
        yield running


def test_W7_start_response_returns_write(daemon):
    assert daemon.get("/start_response_returns").body == b"callable"


def test_W7_second_call_is_an_assertion_error(daemon):
    assert daemon.get("/start_twice").body == b"AssertionError"


def test_W7_exc_info_replaces_what_has_not_left(daemon):
    answer = daemon.get("/replaced")
    assert answer.status == 500 and answer.body == b"replaced"
    assert answer.header("X-First") is None and answer.header("X-Second") == "2"


def test_W7_exc_info_is_raised_again_when_the_head_has_left(daemon):
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/raised_again")))
        assert cgi.parse(connection.broken_answer()).body == b"sent"
    daemon.wait_line("raised again: True")


def test_W7_exc_info_is_not_kept(daemon):
    assert daemon.get("/exc_info_released").body == b"released"


@pytest.mark.parametrize(
    "case",
    [
        "status-bytes", "status-control", "status-text", "headers-tuple", "header-list",
        "header-triple", "name-bytes", "name-space", "name-empty", "value-bytes", "value-crlf",
        "value-lf", "value-nul", "value-unicode", "status-header",
    ],
)  # fmt: skip
def test_W8_bad_head_is_a_500_and_a_log_line(daemon, case):
    mark = daemon.mark()
    answer = daemon.get("/bad_head", query=case)
    assert answer.status == 500
    assert b"must not be seen" not in answer.body and answer.header("X-Evil") is None
    daemon.wait_line(r"GET /bad_head\?" + case, since=mark)


def test_W9_failure_before_the_first_block_is_a_clean_500(daemon):
    answer = daemon.get("/late_failure")
    assert answer.status == 500 and b"late failure" not in answer.body
    daemon.wait_line("closed late_failure")


def test_W10_start_response_in_the_first_iteration(daemon):
    answer = daemon.get("/lazy_start")
    assert answer.status == 201 and answer.body == b"lazy"


def test_W10_no_start_response_at_all_is_a_500(daemon):
    answer = daemon.get("/no_start")
    assert answer.status == 500 and b"no head" not in answer.body
    daemon.wait_line("closed no_start")


def test_W11_each_block_leaves_before_the_next_is_made(daemon):
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/steps")))
        output = b""
        blocks = connection.blocks()
        while not output.endswith(b"\r\n\r\none"):
            output += next(blocks)
        daemon.gate.arrival().release()
        assert b"".join(blocks) == b"two"


def test_W11_each_block_leaves_over_scgi_too(daemon):
    with sockets.connect(daemon.scgi) as connection:
        connection.sendall(scgi.request("/steps"))
        output = b""
        while not output.endswith(b"\r\n\r\none"):
            output += connection.recv(100)
        daemon.gate.arrival().release()
        assert scgi.read_all(connection) == b"two"


def test_W13_one_block_gives_the_length(daemon):
    assert daemon.get("/single").header("Content-Length") == "9"


def test_W13_more_bytes_than_announced_are_cut(daemon):
    answer = daemon.get("/length", query="7")
    assert answer.body == b"0123456" and answer.header("Content-Length") == "7"
    daemon.wait_line(r"(warning|error).*Content-Length")


def test_W13_fewer_bytes_than_announced_break_the_connection(daemon):
    with daemon.connect() as connection:
        fields = cgi.variables("/length", query="11")
        connection.send(fastcgi.request(fields, flags=fastcgi.KEEP))
        assert cgi.parse(connection.broken_answer()).body == b"0123456789"
    daemon.wait_line(r"Content-Length.*11|11.*Content-Length")


def test_W8_what_other_servers_let_pass(start):
    """Hop-by-hop headers are dropped, which the log says once; a tab and a bare status pass."""
    daemon = start("pep3333")
    for _ in range(3):
        answer = daemon.get("/lenient")
        assert answer.status == 200 and answer.body == b"fine"
        assert answer.header("Status") == "200 OK" and answer.header("X-Tab") == "a\tb"
        assert answer.header("Connection") is None and answer.header("Keep-Alive") is None
    daemon.stop()
    assert daemon.count("warning .*dropped the application's header") == 1


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("POST", 304)])
def test_W14_an_endless_stream_ends_with_its_head_where_no_body_is_wanted(daemon, method, status):
    mark = daemon.mark()
    answer = daemon.get("/endless", query=str(status), method=method)
    assert (answer.status, answer.body) == (status, b"")
    daemon.wait_line("closed endless", since=mark)


def test_W14_head_has_the_length_and_no_body(daemon):
    for path, query in (("/single", ""), ("/length", "10")):
        answer = daemon.get(path, method="HEAD", query=query)
        assert answer.status == 200 and answer.body == b""
        assert answer.header("Content-Length") == ("10" if query else "9")


@pytest.mark.parametrize("status", ["204", "304"])
def test_W14_no_body_where_the_status_allows_none(daemon, status):
    answer = daemon.get("/bodiless", query=status)
    assert answer.status == int(status) and answer.body == b""
    assert answer.header("Content-Length") is None


def test_W15_write_sends_at_once_and_before_the_iterable(daemon):
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/written")))
        output = b""
        blocks = connection.blocks()
        while not output.endswith(b"written "):
            output += next(blocks)
        daemon.gate.arrival().release()
        assert b"".join(blocks) == b"twice returned"


@pytest.mark.parametrize("kind", ["str", "bytearray", "memoryview"])
def test_W21_blocks_are_bytes(daemon, kind):
    mark = daemon.mark()
    assert daemon.get("/wrong_block", query=kind).status == 500
    daemon.wait_line("TypeError.*bytes", since=mark)
    daemon.wait_line("closed wrong_block", since=mark)


def test_status_is_the_last_line_of_the_head(daemon):
    """HAProxy before the fix of its #2865 takes a later Location for the status."""
    assert daemon.get("/single").lines[-1].startswith("Status: 200")


def test_F33_status_carries_the_applications_phrase(daemon):
    assert daemon.get("/lazy_start").header("Status") == "201 Lazy"
