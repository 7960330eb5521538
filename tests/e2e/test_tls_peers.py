"""Peers of an address with TLS that do it wrong: nobody else notices, and the log tells why."""

import random
import re
import socket
import ssl

import pytest
from harness import cgi, fastcgi, processes, scgi, sockets, tls
from harness.fastcgi import KEEP


@pytest.fixture(scope="module")
def daemon(identity):
    with tls.TlsDaemon("pep3333", identity) as running:
        yield running


def closes(connection):
    """Whether the peer closes without an answer; an alert of TLS is none."""
    try:
        while connection.recv(65536):
            pass
    except (ConnectionResetError, BrokenPipeError):
        pass
    return True


@pytest.mark.parametrize(
    "data",
    [fastcgi.request(cgi.variables("/")), scgi.request("/"), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["fastcgi", "scgi", "http"],
)
def test_a_plain_client_is_told_apart(daemon, client, data):
    mark = daemon.mark()
    with sockets.connect(("127.0.0.1", daemon.port)) as connection:
        connection.sendall(data)
        assert closes(connection)
    daemon.wait_line(
        r"warning pep3333: connections? (from \S+ )?closed: (1 more in the last second: )?"
        r"it does not speak TLS; .*\"tls:\"",
        since=mark,
    )
    assert tls.fetch(daemon.port, client, cgi.variables("/single")).status == 200


def test_garbage_harms_nobody(daemon, client):
    """Random bytes, some of which begin like a record of a handshake, beside a living request."""
    generator = random.Random(20261125)
    starts = (b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\x80\x01", b"\x80\x2e\x01", b"\x17\x03\x03")
    with tls.fastcgi_connection(daemon.port, client) as living:
        living.send(fastcgi.request(cgi.variables("/waiting"), flags=KEEP))
        visitor = daemon.gate.arrival()
        for round_number in range(200):
            garbage = generator.randbytes(generator.randrange(1, 3000))
            with sockets.connect(("127.0.0.1", daemon.port)) as connection:
                connection.sendall(starts[round_number % len(starts)] + garbage)
                connection.shutdown(socket.SHUT_WR)
                assert closes(connection)
        visitor.release()
        assert living.answer().status == 200
    assert processes.wait_until(lambda: connections_told_of(daemon) >= 150)
    assert daemon.count("connections? .*closed: ") < 150


def connections_told_of(daemon):
    """Those that are told of together, too."""
    counts = re.findall(r"connections closed: (\d+) more in the last second: ", "\n".join(daemon.lines))
    return daemon.count(r"connection from 127\.0\.0\.1:\d+ closed: ") + sum(map(int, counts))


def test_garbage_behind_the_handshake_harms_nobody(daemon, client):
    generator = random.Random(4)
    for _ in range(50):
        connection = tls.connect(daemon.port, client)
        with sockets_of(connection) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x64" + generator.randbytes(100))
            assert closes(raw)
    daemon.wait_line("closed: TLS failed: ")
    assert tls.fetch(daemon.port, client, cgi.variables("/single")).status == 200


def sockets_of(connection):
    """The socket beneath, without TLS."""
    raw = socket.socket(fileno=connection.detach())
    raw.settimeout(10)
    return raw


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_has_its_time(identity, client, sent):
    daemon = tls.TlsDaemon("pep3333", identity, "--params-timeout", "500ms")
    with daemon, sockets.connect(("127.0.0.1", daemon.port)) as connection:
        connection.sendall(sent)
        assert closes(connection)
        daemon.wait_line('its TLS handshake was not over within option "params-timeout"')
        assert tls.fetch(daemon.port, client, cgi.variables("/single")).status == 200


def test_a_handshake_that_drips_has_no_more_time(identity):
    """Each byte comes in time, but the handshake as a whole does not."""
    daemon = tls.TlsDaemon("pep3333", identity, "--params-timeout", "1s")
    with daemon, sockets.connect(("127.0.0.1", daemon.port)) as connection:
        connection.settimeout(0.1)  # The pace of the drops.
        begun, ended = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), False
        for at in range(len(begun)):
            try:
                connection.sendall(begun[at : at + 1])
                ended = connection.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended
        daemon.wait_line('its TLS handshake was not over within option "params-timeout"')


def test_a_client_that_only_connects_is_not_worth_a_line(identity):
    """As HAProxy's checks do."""
    with tls.TlsDaemon("pep3333", identity) as daemon:
        for _ in range(5):
            sockets.connect(("127.0.0.1", daemon.port)).close()
        assert daemon.get("/single").status == 200
    assert daemon.count("closed: ") == 0


def test_a_client_that_does_not_trust_us_is_told_of(daemon):
    mark = daemon.mark()
    with pytest.raises(ssl.SSLCertVerificationError):
        tls.connect(daemon.port, ssl.create_default_context())
    daemon.wait_line(
        r"closed: it refuses our certificate \(unknown CA\); .*\"tls-certificate\"", since=mark
    )


def test_old_versions_are_refused(daemon, authority):
    client = tls.context(authority)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    mark = daemon.mark()
    with pytest.raises(ssl.SSLError):
        tls.connect(daemon.port, client)
    daemon.wait_line("it speaks no version of TLS that is allowed here", since=mark)


def test_allow_peer_comes_before_the_handshake(identity, client):
    daemon = tls.TlsDaemon("pep3333", identity, "--allow-peer", "127.0.0.2")
    with daemon:
        with pytest.raises(OSError):
            tls.connect(daemon.port, client)
        daemon.wait_line(r'refused a connection from \S+ on tls:.*"allow-peer"')
        assert daemon.count("TLS") == 0
