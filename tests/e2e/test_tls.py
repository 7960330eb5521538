"""Addresses with TLS: requests and answers of all kinds, their ends, idle connections."""

import json
import os
import ssl
import subprocess

import pytest
from harness import cgi, fastcgi, scgi, sockets, tls
from harness.fastcgi import KEEP

SLOWNESS = int(os.environ.get("PYCGID_SLOWNESS", "1"))


@pytest.fixture(scope="module")
def daemon(identity):
    with tls.TlsDaemon("pep3333", identity) as running:
        yield running


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_request_per_connection(daemon, authority, version):
    client = tls.context(authority, minimum_version=version, maximum_version=version)
    for _ in range(5):
        with tls.fastcgi_connection(daemon.port, client) as connection:
            connection.send(fastcgi.request(cgi.variables("/single")))
            assert connection.answer().text == "one block"
            assert connection.at_end()  # By a close_notify; anything else raises.


def test_kept_connections(daemon, client):
    with tls.fastcgi_connection(daemon.port, client) as connection:
        for _ in range(50):
            connection.send(fastcgi.request(cgi.variables("/single"), flags=KEEP))
            assert connection.answer().text == "one block"


def test_multiplexed_requests(daemon, client):
    with tls.fastcgi_connection(daemon.port, client) as connection:
        for path, each in (("/waiting", 1), ("/single", 2), ("/single", 3)):
            connection.send(fastcgi.request(cgi.variables(path), b"", each, KEEP))
        visitor = daemon.gate.arrival()
        assert connection.answer(2).text == connection.answer(3).text == "one block"
        visitor.release()
        assert connection.answer(1).status == 200


def test_scgi(daemon, client):
    with tls.connect(daemon.scgi_port, client) as connection:
        connection.sendall(scgi.request("/single"))
        assert cgi.parse(scgi.read_all(connection)).text == "one block"


def test_a_session_is_resumed(daemon, authority):
    client = tls.context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    session = None
    for resumed in (False, True):
        plain = sockets.connect(("127.0.0.1", daemon.port))
        with client.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
            assert connection.session_reused == resumed
            session = connection.session


def test_the_scheme_is_the_clients_not_the_back_ends(daemon, client):
    """TLS to the application server says nothing about what the browser speaks."""
    for scheme, https in (("http", None), ("https", "on")):
        more = {"HTTPS": https} if https else {}
        fields = cgi.variables("/environ", REQUEST_SCHEME=scheme, **more)
        shown = json.loads(tls.fetch(daemon.port, client, fields).text)
        assert shown["strings"]["wsgi.url_scheme"] == scheme


def test_bytes_that_come_one_by_one(daemon, client):
    data = fastcgi.request(cgi.variables("/single"))
    with tls.fastcgi_connection(daemon.port, client) as connection:
        for at in range(len(data)):
            connection.send(data[at : at + 1])
        assert connection.answer().text == "one block"


def test_keys_are_renewed_in_between(daemon, authority):
    """By KeyUpdate of TLS 1.3, which openssl's client sends at a line with "K"."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.scgi_port}", "-tls1_3"]
    with subprocess.Popen(
        [*words, "-CAfile", authority.path, "-verify_return_error"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        seen = read_until(process.stdout, b"Verify return code: 0 (ok)")
        process.stdin.write(b"K\n")
        seen += read_until(process.stdout, b"KEYUPDATE")
        process.stdin.write(scgi.request("/single"))
        assert b"one block" in read_until(process.stdout, b"one block"), seen
        process.kill()


def read_until(stream, mark):
    seen = b""
    while mark not in seen:
        piece = os.read(stream.fileno(), 65536)
        assert piece, seen
        seen += piece
    return seen


# --- ends -----------------------------------------------------------------------------------------


def test_an_answer_that_was_cut_has_no_close_notify(daemon, client):
    daemon.expect(r" error pep3333/1\[")
    with tls.fastcgi_connection(daemon.port, client) as connection:
        connection.send(fastcgi.request(cgi.variables("/cut")))
        with pytest.raises(tls.CUT):
            while record := connection.read_record():
                assert record.type != fastcgi.END


def test_a_short_answer_by_scgi_is_seen_as_broken(daemon, client):
    daemon.expect("Content-Length")
    with tls.connect(daemon.scgi_port, client) as connection:
        connection.sendall(scgi.request("/length", query="100"))
        with pytest.raises(tls.CUT):
            scgi.read_all(connection)


def test_keep_timeout_ends_with_close_notify(start, identity, client):
    daemon = tls.TlsDaemon("pep3333", identity, "--keep-timeout", "300ms")
    with daemon, tls.fastcgi_connection(daemon.port, client) as connection:
        connection.send(fastcgi.request(cgi.variables("/single"), flags=KEEP))
        assert connection.answer().status == 200
        assert connection.at_end()


def test_the_end_of_the_daemon_loses_nothing(identity, client):
    daemon = tls.TlsDaemon("pep3333", identity)
    with daemon, tls.fastcgi_connection(daemon.port, client) as connection:
        connection.send(fastcgi.request(cgi.variables("/waiting"), flags=KEEP))
        visitor = daemon.gate.arrival()
        daemon.signal(15)
        daemon.wait_line("stopping")
        visitor.release()
        assert connection.answer().status == 200
        assert connection.at_end()


# --- many -----------------------------------------------------------------------------------------


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_idle_connections_cost_little(identity, client):
    """Measured with 500 at a time, twice: the second time there is nothing left to warm up."""
    with tls.TlsDaemon("pep3333", identity) as daemon:
        costs = []
        for _ in range(2):
            before = resident(daemon.gateway)
            idle = [tls.fastcgi_connection(daemon.port, client) for _ in range(500)]
            for connection in idle:
                connection.send(fastcgi.request(cgi.variables("/single"), flags=KEEP))
                assert connection.answer().status == 200
            costs.append((resident(daemon.gateway) - before) / len(idle))
            for connection in idle:
                connection.close()
        print(f"KiB of the gateway for an idle TLS connection: {costs[0]:.1f}")
        assert SLOWNESS > 1 or costs[0] < 40
