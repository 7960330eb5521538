"""PEP 3333: wsgi.input (W5, W18), for bodies that travel in each of the ways they can."""

import io
import json

import pytest
from harness import cgi, fastcgi
from harness.daemon import Daemon

SMALL = b"first\nsecond line\n\nlast without end"
LARGE = b"".join(b"%d squared is %d\n" % (number, number**2) for number in range(60000))
OPERATIONS = {
    "read": [["read", 3], ["read", 0], ["read", 1000], ["read", -1], ["read", 5], ["read"]],
    "read-all": [["read"], ["read"], ["readline"]],
    "read-none": [["read", None], ["read", 1]],
    "readline": [["readline"], ["readline", 3], ["readline", 100], ["readline", -1], ["readline"]],
    "readline-zero": [["readline", 0], ["readline"]],
    "readlines": [["readline", 2], ["readlines"], ["readlines"], ["read"]],
    "iterate": [["read", 2], ["iterate"], ["read"]],
}


@pytest.fixture(scope="module")
def buffering():
    with Daemon("pep3333", "--body-buffer", "64K", "--max-params", "1M") as running:
        yield running


@pytest.fixture(scope="module")
def streaming():
    with Daemon("pep3333", "--request-buffering=no") as running:
        yield running


@pytest.fixture(params=["inlined", "file", "streamed", "streamed-large"])
def place(request, buffering, streaming):
    """A daemon, and a body that reaches the application in that daemon's way."""
    daemon = streaming if "streamed" in request.param else buffering
    return daemon, LARGE if request.param in ("file", "streamed-large") else SMALL


def operate(daemon, operations, body):
    answer = daemon.post("/reads", body, HTTP_OPS=json.dumps(operations))
    assert answer.status == 200
    return json.loads(answer.body)


def expected(operations, body):
    """What io.BytesIO answers: PEP 3333 asks for the same semantics."""
    source, results = io.BytesIO(body), []
    for name, *arguments in operations:
        result = list(source) if name == "iterate" else getattr(source, name)(*arguments)
        lines = isinstance(result, list)
        results.append([each.decode() for each in result] if lines else result.decode())
    return results


@pytest.mark.parametrize("name", OPERATIONS)
def test_W5_input_read_readline_hint(place, name):
    daemon, body = place
    operations = OPERATIONS[name]
    assert operate(daemon, operations, body) == expected(operations, body)


def test_W5_readlines_takes_a_hint(place):
    daemon, body = place
    lines, rest = operate(daemon, [["readlines", 8], ["read"]], body)
    assert "".join(lines).encode() + rest.encode() == body
    assert lines[0].encode() == body.split(b"\n")[0] + b"\n"


def test_W5_no_body_reads_as_empty(buffering, streaming):
    for daemon in (buffering, streaming):
        answer = daemon.get("/reads", HTTP_OPS=json.dumps([["read"], ["readline"], ["iterate"]]))
        assert json.loads(answer.body) == ["", "", []]


def test_W5_never_reads_past_the_body(streaming):
    """Bytes of STDIN beyond CONTENT_LENGTH are not part of the request."""
    fields = cgi.variables("/whole", "POST", length=5)
    with streaming.connect() as connection:
        connection.send(fastcgi.request(fields, b"12345surplus", flags=fastcgi.KEEP))
        assert connection.answer().body == b"12345"
        connection.send(fastcgi.request(fields, b"67890", flags=fastcgi.KEEP))
        assert connection.answer().body == b"67890"


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_W18_unread_body_does_not_hurt_the_next_request(place, size):
    daemon, _ = place
    fields = cgi.variables("/unread", "POST", length=size)
    with daemon.connect() as connection:
        for _ in range(3):
            connection.send(fastcgi.request(fields, b"x" * size, flags=fastcgi.KEEP))
            assert connection.answer().body == b"never looked at the body"


def test_length_is_set_from_a_buffered_body(buffering):
    """A front that sends no CONTENT_LENGTH (nginx, unbuffered and chunked)."""
    fields = cgi.variables("/environ", "POST")
    answer = fastcgi.fetch(buffering.fastcgi, fields, b"twelve bytes")
    assert json.loads(answer.body)["strings"]["CONTENT_LENGTH"] == "12"


def test_caddys_length_of_minus_one_is_no_length(buffering):
    fields = cgi.variables("/whole", "POST", CONTENT_LENGTH="-1")
    assert fastcgi.fetch(buffering.fastcgi, fields, SMALL).body == SMALL
