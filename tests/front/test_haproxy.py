"""HAProxy, which keeps connections, may multiplex, asks for values, and speaks TLS to FastCGI."""

import os
import re

import pytest
import servers
from backend import Backend
from behaviour import FrontBehaviour, PathBehaviour
from harness import tls
from http_client import fetch

# HAProxy's own answer to a chunked body above its buffer (contrib/haproxy.cfg).
TOO_LARGE = None if servers.version("haproxy", "-v") >= (3, 2) else 400
CONTRIB = os.path.join(os.path.dirname(__file__), "../../contrib/haproxy.cfg")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def identity(authority):
    return authority.issue("localhost")


@pytest.fixture(scope="module")
def front(tmp_path_factory, authority):
    """Certificate and key of HAProxy in one file, as it wants them."""
    made = authority.issue("front")
    path = tmp_path_factory.mktemp("front") / "front.pem"
    with open(made.certificate, "rb") as certificate, open(made.key, "rb") as key:
        path.write_bytes(certificate.read() + key.read())
    return path


class HaproxyBehaviour(FrontBehaviour):
    options = ()
    chunked = TOO_LARGE

    @classmethod
    def serve(cls, root, mounted):
        return servers.haproxy(f"unix@{root.fastcgi}", f"unix@{mounted.fastcgi}", cls.options)


class TestKept(HaproxyBehaviour):
    """As HAProxy is without any option."""


class TestMultiplexed(HaproxyBehaviour):
    options = ("option mpxs-conns", "option max-reqs 20")


class TestValues(HaproxyBehaviour):
    """It asks before its first request, and works only when it is answered."""

    options = ("option get-values", "option max-reqs 20", "option mpxs-conns")


class TestNotKept(HaproxyBehaviour):
    options = ("no option keep-conn",)


class PathsAlone(PathBehaviour):
    options = ()

    @classmethod
    def serve(cls, root, mounted):
        return servers.haproxy(f"unix@{root.fastcgi}", f"unix@{mounted.fastcgi}", cls.options)


class TestIndex(PathsAlone):
    options = ("index index.php",)


class TestPathInfo(PathsAlone):
    options = (r"path-info ^()(/.*)$",)


class TestTls(FrontBehaviour):
    chunked = TOO_LARGE

    @pytest.fixture(scope="class")
    def doors(self, authority, identity):
        type(self).authority = authority
        return {"identity": identity}

    @classmethod
    def serve(cls, root, mounted):
        words = f"ssl verify required verifyhost localhost ca-file {cls.authority.path}"
        one, other = (f"127.0.0.1:{each.tls_port} {words}" for each in (root, mounted))
        return servers.haproxy(one, other, cls.options)

    options = ()


class TestTlsMultiplexed(TestTls):
    options = ("option mpxs-conns", "option max-reqs 20")


def contrib(daemon, authority, certificate):
    with open(CONTRIB, encoding="utf-8") as file:
        text = file.read()
    for pattern, own in (
        (r"192\.0\.2\.7:9000 proto", f"127.0.0.1:{daemon.tls_port} proto"),
        (r"/etc/haproxy/pycgid-ca\.pem", authority.path),
        (r"/etc/haproxy/front\.pem", str(certificate)),
        (r"verifyhost \S+", "verifyhost localhost"),
    ):
        text, count = re.subn(pattern, own, text)
        assert count == 1, pattern
    return servers.haproxy_of_contrib(text)


@pytest.fixture(scope="module")
def strict(authority, identity):
    with Backend("mirror", identity=identity, client_ca=authority.path) as backend:
        yield backend


def test_the_configuration_of_contrib_shows_its_certificate(strict, authority, front):
    with contrib(strict, authority, front) as server:
        body = bytes(range(256)) * 4000
        answer = fetch(server.port, "/digest", "POST", body)
        assert answer.status == 200 and answer.body.startswith(b"1024000 ")
        assert b'"HTTPS"' not in fetch(server.port, "/v").body


def test_haproxy_without_a_certificate_is_refused(strict, authority):
    words = f"127.0.0.1:{strict.tls_port} ssl verify required ca-file {authority.path}"
    with servers.haproxy(words, words) as server:
        assert fetch(server.port, "/v").status in (502, 503)
    strict.wait_line('it has sent no certificate \\(option "tls-client-ca"\\)')


def test_haproxy_that_does_not_trust_us_connects_to_nobody(strict, tmp_path, front):
    stranger = tls.Authority(tmp_path, "stranger")
    with contrib(strict, stranger, front) as server:
        assert fetch(server.port, "/v").status == 503
    strict.wait_line("it refuses our certificate|it gave its TLS handshake up")
