"""SCGI at the daemon's door (S1 to S11)."""

import json

import pytest
from harness import cgi, scgi, sockets
from harness.daemon import Daemon

WORKER_LINES = r" \S+/\d+\[\d+\]: "


@pytest.fixture(scope="module")
def daemon():
    with Daemon("mirror", "--max-body", "1M", "--max-params", "64K") as running:
        running.expect(WORKER_LINES)
        yield running


def exchange(daemon, data):
    return scgi.exchange(daemon.scgi, data)


def test_S1_a_request(daemon):
    shown = json.loads(scgi.fetch(daemon.scgi, "/a", query="b=c").body)
    assert shown["PATH_INFO"] == "/a" and shown["QUERY_STRING"] == "b=c"


def test_S1_a_request_in_single_bytes(daemon):
    with sockets.connect(daemon.scgi) as connection:
        for byte in scgi.request("/digest", "POST", b"body"):
            connection.sendall(bytes([byte]))
        assert cgi.parse(scgi.read_all(connection)).text.startswith("4 ")


@pytest.mark.parametrize("length", [b"x", b" 10", b"-1", b"+10", b"010", b"1e3", b""])
def test_S1_lengths_that_are_no_lengths(daemon, length):
    headers = scgi.headers(scgi.variables())
    answer = exchange(daemon, length + b":" + headers + b",")
    assert answer.status == 400


def test_S1_a_missing_comma(daemon):
    headers = scgi.headers(scgi.variables())
    assert exchange(daemon, str(len(headers)).encode() + b":" + headers + b";").status == 400


def test_S1_headers_beyond_the_limit(daemon):
    assert exchange(daemon, b"99999999:").status == 431
    assert scgi.fetch(daemon.scgi, HTTP_X="x" * 70000).status == 431


@pytest.mark.parametrize("headers", [b"\0value\0", b"CONTENT_LENGTH\x000\0SCGI\0001\0ODD\0", b"A"])
def test_S2_headers_that_are_no_pairs(daemon, headers):
    assert exchange(daemon, scgi.netstring(headers)).status == 400


def test_S3_content_length_may_stand_elsewhere(daemon):
    fields = list(scgi.variables("/a").items())
    fields.append(fields.pop(0))
    assert exchange(daemon, scgi.netstring(scgi.headers(fields))).status == 200


@pytest.mark.parametrize("value", [None, "", "x", "-1", "99999999999999999999"])
def test_S3_S10_content_length_that_is_no_number(daemon, value):
    fields = scgi.variables()
    del fields["CONTENT_LENGTH"]
    if value is not None:
        fields = {"CONTENT_LENGTH": value, **fields}
    assert exchange(daemon, scgi.netstring(scgi.headers(fields))).status == 400


def test_S4_lighttpd_sends_scgi_last(daemon):
    fields = list(scgi.variables("/a").items())
    fields.append(fields.pop(1))
    assert fields[-1] == ("SCGI", "1")
    assert exchange(daemon, scgi.netstring(scgi.headers(fields))).status == 200


def test_S5_repeated_names_are_joined(daemon):
    fields = [*scgi.variables("/a").items(), ("HTTP_X_A", "1"), ("HTTP_X_A", "2")]
    shown = json.loads(exchange(daemon, scgi.netstring(scgi.headers(fields))).body)
    assert shown["HTTP_X_A"] == "1, 2"


@pytest.mark.parametrize("size", [1, 65536, 1_000_000])
def test_S6_the_answer_does_not_wait_for_the_end_of_the_connection(daemon, size):
    answer = scgi.fetch(daemon.scgi, "/digest", "POST", b"x" * size)
    assert answer.text.startswith(f"{size} ")


def test_S6_a_client_that_half_closes_gets_its_answer(daemon):
    with sockets.connect(daemon.scgi) as connection:
        connection.sendall(scgi.request("/digest", "POST", b"body"))
        connection.shutdown(1)
        assert cgi.parse(scgi.read_all(connection)).text.startswith("4 ")


def test_S6_a_short_body_never_reaches_the_application(daemon):
    fields = scgi.netstring(scgi.headers(scgi.variables("/digest", "POST", 100)))
    with sockets.connect(daemon.scgi) as connection:
        connection.sendall(fields + b"short")
        connection.shutdown(1)
        output = scgi.read_all(connection)
        assert not output or cgi.parse(output).status == 400


def test_S7_a_response_cut_short_ends_in_a_reset(start):
    """The end of the connection is SCGI's only end mark, so that a cut must not look like one."""
    port = sockets.free_port()
    daemon = start("pep3333", "--scgi", f"127.0.0.1:{port}")
    daemon.expect(WORKER_LINES)
    with sockets.connect(("127.0.0.1", port)) as connection:
        connection.sendall(scgi.request("/cut"))
        with pytest.raises(ConnectionResetError):
            scgi.read_all(connection)


def test_S8_what_was_not_read_does_not_cost_the_answer(daemon):
    """A refusal while the client still sends: all of the answer arrives, then a good end."""
    head = scgi.netstring(scgi.headers(scgi.variables("/digest", "POST", 8_000_000)))
    with sockets.connect(daemon.scgi) as connection:
        connection.sendall(head)
        for _ in range(8):
            connection.sendall(b"x" * 1_000_000)
        answer = cgi.parse(scgi.read_all(connection))
        assert answer.status == 413


def test_S10_too_large_a_body_is_413(daemon):
    assert exchange(daemon, scgi.request("/digest", "POST", b"x" * 1_100_000)).status == 413


def test_S11_names_of_any_case_are_passed_on(daemon):
    shown = json.loads(scgi.fetch(daemon.scgi, "/a", **{"mixed_Case": "kept"}).body)
    assert shown["mixed_Case"] == "kept"


def test_S9_bytes_behind_the_body_do_no_harm(daemon):
    """What a client sends that hopes for an upgrade."""
    data = scgi.request("/digest", "POST", b"body", HTTP_UPGRADE="websocket")
    assert exchange(daemon, data + b"\x81\x05hello").text.startswith("4 ")
