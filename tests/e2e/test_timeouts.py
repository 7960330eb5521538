"""Peers that stop in the middle: params-timeout, body-timeout, send-timeout, keep-timeout; and
requests for which there is no thread: queue-timeout."""

import contextlib
import select
import time

import pytest
from harness import cgi, fastcgi, scgi, sockets
from harness.fastcgi import KEEP

SINGLE = cgi.variables("/single")


def seconds_until_end(connection):
    """How long the connection lives; whatever it says in its last moment is read."""
    begun = time.monotonic()
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - begun


@pytest.mark.parametrize("sent", [b"", fastcgi.begin(), fastcgi.begin()[:5]])
def test_params_timeout_closes_the_connection(start, sent):
    daemon = start("pep3333", "--params-timeout", "300ms", "--keep-timeout", "300ms")
    with sockets.connect(daemon.fastcgi) as connection:
        connection.sendall(sent)
        assert 0.2 < seconds_until_end(connection) < 5
    assert daemon.get("/single").status == 200


def test_params_timeout_holds_for_scgi(start):
    daemon = start("pep3333", "--params-timeout", "300ms")
    with sockets.connect(daemon.scgi) as connection:
        connection.sendall(b"100:CONTENT")
        assert 0.2 < seconds_until_end(connection) < 5


def pace(seconds):
    """What a slow peer takes between two steps."""
    select.select([], [], [], seconds)


def test_params_timeout_counts_from_the_last_variable(start):
    daemon = start("pep3333", "--params-timeout", "1s")
    with daemon.connect() as connection:
        connection.send(fastcgi.begin())
        for name, value in SINGLE.items():
            pace(2.5 / len(SINGLE))
            connection.send(fastcgi.record(fastcgi.PARAMS, 1, fastcgi.pairs({name: value})))
        connection.send(fastcgi.record(fastcgi.PARAMS, 1) + fastcgi.stdin())
        assert connection.answer().status == 200


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi"])
def test_body_timeout_ends_the_request(start, protocol):
    daemon = start("pep3333", "--body-timeout", "300ms")
    if protocol == "fastcgi":
        fields = cgi.variables("/whole", "POST", length=100)
        sent = fastcgi.begin() + fastcgi.params(fields) + fastcgi.record(fastcgi.STDIN, 1, b"x")
    else:
        sent = scgi.netstring(scgi.headers(scgi.variables("/whole", "POST", 100))) + b"x"
    with sockets.connect(getattr(daemon, protocol)) as connection:
        connection.sendall(sent)
        assert 0.2 < seconds_until_end(connection) < 5
    assert daemon.get("/single").status == 200


def test_body_timeout_counts_from_the_last_byte(start):
    """A body that drips in time is never cut, however long it takes in all."""
    daemon = start("files", "--body-timeout", "1s")
    fields = cgi.variables("/upload", "POST", length=13)
    with daemon.connect() as connection:
        connection.send(fastcgi.begin() + fastcgi.params(fields))
        connection.socket.settimeout(0.15)
        for _ in range(12):
            connection.send(fastcgi.record(fastcgi.STDIN, 1, b"x"))
            with pytest.raises(TimeoutError):  # The pace, and a proof that nothing is said yet.
                connection.socket.recv(1)
        connection.socket.settimeout(10)
        connection.send(fastcgi.stdin(b"x"))
        assert connection.answer().text.startswith("13 ")


@pytest.mark.parametrize("body", [None, b"", b"x"])
def test_no_timeout_of_input_ends_a_request_that_runs(start, body):
    """Nothing more is to come from the front: it is the application's turn. lighttpd and Caddy
    send a CONTENT_LENGTH of 0, nginx an empty one."""
    daemon = start("pep3333", "--params-timeout", "200ms", "--body-timeout", "200ms")
    length = None if body is None else len(body)
    fields = cgi.variables("/waiting", "POST" if body else "GET", length=length)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(fields, body or b"", flags=KEEP))
        visitor = daemon.gate.arrival()
        connection.socket.settimeout(0.8)
        with pytest.raises(TimeoutError):
            connection.socket.recv(1)
        visitor.release()
        connection.socket.settimeout(10)
        assert connection.answer().status == 200


def test_keep_timeout_closes_idle_connections_alone(start):
    daemon = start("pep3333", "--keep-timeout", "300ms")
    with daemon.connect() as idle, daemon.connect() as busy:
        for connection, path in ((idle, "/single"), (busy, "/waiting")):
            connection.send(fastcgi.request(cgi.variables(path), flags=KEEP))
        visitor = daemon.gate.arrival()
        assert idle.answer().status == 200
        assert 0.2 < seconds_until_end(idle.socket) < 5
        visitor.release()
        assert busy.answer().status == 200


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi"])
def test_send_timeout_gives_up_on_a_client_that_does_not_read(start, protocol):
    daemon = start("pep3333", "--send-timeout", "300ms", "--response-buffer", "64K")
    fields = fastcgi.request(cgi.variables("/endless"))
    if protocol == "scgi":
        fields = scgi.netstring(scgi.headers(scgi.variables("/endless")))
    with sockets.connect(getattr(daemon, protocol)) as connection:
        connection.sendall(fields)
        daemon.wait_line("closed endless")
    assert daemon.get("/single").status == 200


def test_send_timeout_counts_from_the_last_byte(start):
    """A client that reads slowly, but in time, gets everything, however long it takes in all."""
    daemon = start("files", "--send-timeout", "1s", "--response-buffer", "64K")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/download", query="8")))
        blocks = connection.blocks()
        size = 0
        for _ in range(10):
            pace(0.25)
            size += sum(len(next(blocks)) for _ in range(8))
        size += sum(len(block) for block in blocks)
    assert size > 8 << 20
    assert daemon.count("send-timeout") == 0


def test_queue_timeout_does_not_limit_what_has_a_thread(start):
    daemon = start("pep3333", "--queue-timeout", "200ms", threads=1)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/waiting"), flags=KEEP))
        visitor = daemon.gate.arrival()
        connection.socket.settimeout(0.8)
        with pytest.raises(TimeoutError):
            connection.socket.recv(1)
        visitor.release()
        connection.socket.settimeout(10)
        assert connection.answer().status == 200


def test_queue_timeout_ends_every_wait_for_a_thread(start):
    """Of a request that was handed ahead to a worker, and of those in the queue behind it."""
    daemon = start("pep3333", "--queue-timeout", "300ms", threads=1)
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(daemon.connect())
        busy.send(fastcgi.request(cgi.variables("/waiting")))
        visitor = daemon.gate.arrival()
        waiting = [stack.enter_context(daemon.connect()) for _ in range(40)]
        begun = time.monotonic()
        for connection in waiting:
            connection.send(fastcgi.request(SINGLE))
        assert [connection.answer().status for connection in waiting] == [503] * 40
        assert time.monotonic() - begun >= 0.28
        visitor.release()
        assert busy.answer().status == 200
