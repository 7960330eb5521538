"""A gateway that always has work must not forget the connections that have little."""

import contextlib
import socket
import threading

from harness import cgi, fastcgi

GET_VALUES = 9
# Cheap to send and dear to read: 20,000 names in each record, none of which is known.
DEAR = fastcgi.record(GET_VALUES, 0, b"\x01\x00A" * 20_000) * 16
ANSWERED = fastcgi.record(GET_VALUES, 0, b"") * 8000


def flood(connection, over):
    """Questions that the gateway answers itself, faster than it does."""
    with contextlib.suppress(OSError):
        while not over.is_set():
            connection.socket.sendall(DEAR)


def drain(connection):
    with contextlib.suppress(OSError):
        while connection.socket.recv(1 << 20):
            pass


def test_a_slow_connection_is_answered_while_the_gateway_never_sleeps(start):
    daemon = start("roles")
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        threads = []
        busy = [stack.enter_context(daemon.connect()) for _ in range(8)]
        for connection in busy:
            threads += [
                threading.Thread(target=flood, args=(connection, over)),
                threading.Thread(target=drain, args=(connection,)),
            ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                with daemon.connect(timeout=5) as connection:
                    connection.send(fastcgi.begin())
                    daemon.get("/")  # the first connection waits meanwhile
                    connection.send(fastcgi.params(cgi.variables("/")) + fastcgi.stdin())
                    assert connection.answer().body == b"responder"
        finally:
            over.set()
            for connection in busy:
                connection.socket.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)


def test_a_front_that_never_reads_its_answers_loses_its_connection(start):
    daemon = start("roles")
    with daemon.connect(timeout=20) as connection:
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                connection.socket.sendall(ANSWERED)
            raise AssertionError("the gateway keeps whatever it is asked for")
    daemon.wait_line("it does not read its answers")
    assert daemon.get("/").body == b"responder"
