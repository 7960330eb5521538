"""Answers that cannot be completed end in a way that no front server takes for a regular end."""

import contextlib
import os

import pytest
from harness import cgi, fastcgi, sockets
from harness.fastcgi import KEEP


@pytest.fixture
def port():
    return sockets.free_port()


def read_until_reset(connection):
    while connection.recv(1 << 20):
        pass


def test_the_mark_of_a_cut_waits_for_the_other_requests_of_its_connection(start):
    daemon = start("pep3333")
    daemon.expect(r" \S+/\d+\[\d+\]: ")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/waiting"), b"", 2, KEEP))
        visitor = daemon.gate.arrival()
        connection.send(fastcgi.request(cgi.variables("/cut"), b"", 1, KEEP))
        while not connection.next_record(1).content.endswith(b"begun"):
            pass
        visitor.release()
        assert connection.answer(2).status == 200
        assert connection.broken_answer(1) == b""
        assert connection.next_record(2) is None, "nothing follows the mark"


def test_a_connection_that_takes_nothing_is_reset(start, port):
    """Its socket has no room for the mark of a cut."""
    options = ("--send-timeout", "300ms", "--response-buffer", "64K")
    daemon = start("pep3333", "--fastcgi", f"127.0.0.1:{port}", *options)
    with fastcgi.Connection(("127.0.0.1", port)) as connection:
        connection.send(fastcgi.request(cgi.variables("/endless")))
        daemon.wait_line("send-timeout")
        with pytest.raises(ConnectionResetError):
            read_until_reset(connection.socket)


def test_a_file_that_becomes_shorter_resets_its_connection(start, port, tmp_path):
    """A record that has begun cannot be completed."""
    path = tmp_path / "sparse"
    with open(path, "wb") as sparse:
        os.truncate(sparse.fileno(), 100 << 20)
    daemon = start("files", "--fastcgi", f"127.0.0.1:{port}")
    with contextlib.closing(fastcgi.Connection(("127.0.0.1", port))) as connection:
        connection.send(fastcgi.request(cgi.variables("/real", query=str(path))))
        daemon.wait_line("file closed")
        os.truncate(path, 1000)
        with pytest.raises(ConnectionResetError):
            read_until_reset(connection.socket)
    daemon.wait_line("a file became shorter")
