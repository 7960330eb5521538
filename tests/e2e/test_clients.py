"""Programs of others: spawn-fcgi as our parent, cgi-fcgi as our client; kinds of addresses."""

import os
import signal
import socket
import subprocess

import pytest
from harness import cgi, fastcgi, sockets
from harness.daemon import Daemon

HELLO = cgi.variables("/pid")


def works(address):
    return fastcgi.fetch(address, HELLO).status == 200


def test_F1_spawn_fcgi_hands_the_socket_over_as_descriptor_0(start):
    command = ("spawn-fcgi", "-n", "-s", "{directory}/spawned", "--")
    daemon = start("crashing", command=command)
    assert works(daemon.path("spawned"))
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(10) == 0
    os.unlink(daemon.path("spawned"))  # Whoever binds a socket removes it.


def test_an_inherited_socket_by_number(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        daemon = start("crashing", "--fastcgi", f"fd:{number}", pass_fds=(number,))
        assert works(listener.getsockname())
        daemon.stop()


def cgi_fcgi(daemon, body=b"", **variables):
    """libfcgi's own client, which takes CGI's environment and standard input."""
    method = "POST" if body else "GET"
    fields = cgi.variables(method=method, length=len(body) or None, **variables)
    done = subprocess.run(
        ["cgi-fcgi", "-bind", "-connect", daemon.fastcgi],
        env={**fields, "PATH": os.environ["PATH"]},
        input=body,
        capture_output=True,
        timeout=20,
        check=True,
    )
    return cgi.parse(done.stdout)


@pytest.fixture(scope="module")
def files():
    with Daemon("files") as running:
        yield running


def test_cgi_fcgi_gets(files):
    assert cgi_fcgi(files, path="/sized", query="300").body == bytes(range(256)) + bytes(range(44))


@pytest.mark.parametrize("size", [1, 65536, 1_000_000])
def test_cgi_fcgi_posts(files, size):
    body = os.urandom(size)
    assert cgi_fcgi(files, body, path="/echo").body == body


def test_addresses_of_all_kinds_at_once(start):
    port, port6, port_any = sockets.free_port(), sockets.free_port("::1"), sockets.free_port()
    abstract = f"@pycgid-test-{os.getpid()}-{port}"
    daemon = start(
        "crashing", "--fastcgi", f"127.0.0.1:{port}", "--fastcgi", f"[::1]:{port6}",
        "--fastcgi", f"*:{port_any}", "--fastcgi", f"unix:{abstract}",
        "--scgi", f"localhost:{sockets.free_port()}",
    )  # fmt: skip
    for address in (("127.0.0.1", port), ("::1", port6), abstract):
        assert works(address)
    assert works(("127.0.0.1", port_any)) and works(("::1", port_any))
    assert daemon.count("ready") == 1
