"""A response that breaks off in the middle: every front server must show its client that it did."""

import http.client

import pytest
import servers
from backend import Backend
from behaviour import WORKER_LINES
from http_client import fetch
from test_caddy import handle
from test_nginx import FASTCGI, SCGI


@pytest.fixture(scope="module")
def backend():
    with Backend("cut", processes=2) as running:
        running.expect(WORKER_LINES, "bytes of a Content-Length")
        yield running


def nginx(backend):
    """The stock configuration: a connection for each request."""
    return servers.nginx({"/": f"{FASTCGI} unix:{backend.fastcgi};"})


def nginx_over_tcp(backend):
    return servers.nginx({"/": f"{FASTCGI} 127.0.0.1:{backend.fastcgi_port};"})


def nginx_unbuffered(backend):
    return servers.nginx({"/": f"{FASTCGI} unix:{backend.fastcgi}; fastcgi_buffering off;"})


def nginx_kept(backend):
    upstream = f"upstream root {{ server unix:{backend.fastcgi}; keepalive 4; }}"
    return servers.nginx({"/": f"{FASTCGI} root; fastcgi_keep_conn on;"}, upstream)


def nginx_scgi_over_tcp(backend):
    return servers.nginx({"/": f"{SCGI} 127.0.0.1:{backend.scgi_port};"})


def lighttpd(backend):
    place = f'"socket" => "{backend.fastcgi}", "check-local" => "disable"'
    return servers.lighttpd(f'fastcgi.server = ("/" => (({place})))\n')


def caddy(backend):
    return servers.caddy(handle("handle", backend.fastcgi))


def apache(backend, more=""):
    """Apache closes the client's connection only after KeepAliveTimeout."""
    place = f"fcgi://127.0.0.1:{backend.fastcgi_port}/"
    return servers.apache(f'KeepAliveTimeout 1\nProxyPass "/" "{place}" {more}\n')


def apache_kept(backend):
    return apache(backend, "enablereuse=on")


def haproxy(backend):
    return servers.haproxy(f"unix@{backend.fastcgi}", f"unix@{backend.fastcgi}")


def haproxy_multiplexed(backend):
    address = f"unix@{backend.fastcgi}"
    return servers.haproxy(address, address, ("option mpxs-conns", "option max-reqs 20"))


FRONTS = [
    nginx,
    nginx_over_tcp,
    nginx_unbuffered,
    nginx_kept,
    nginx_scgi_over_tcp,
    lighttpd,
    caddy,
    apache,
    apache_kept,
    haproxy,
    haproxy_multiplexed,
]


def cases(front):
    """Caddy takes every end of a connection for the end of the response, so that only
    Content-Length tells its client; lighttpd sends a response that came at once with its end
    without any framing."""
    yield from ("/sized/fails/10", "/sized/stops/10", "/sized/fails/300000", "/sized/stops/300000")
    if front is not caddy:
        yield "/chunked/fails/300000"
    if front not in (caddy, lighttpd):
        yield "/chunked/fails/10"


def is_seen_as_cut(port, path):
    """Within the client's timeout, and not as a response that is whole."""
    try:
        answer = fetch(port, path)
    except (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError):
        return True
    return answer.status >= 500


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.__name__)
def test_a_cut_answer_is_seen_behind(front, backend):
    with front(backend) as server:
        for path in cases(front):
            assert is_seen_as_cut(server.port, path), path


def test_a_worker_that_dies_in_its_answer_is_seen(backend):
    with nginx(backend) as server:
        assert is_seen_as_cut(server.port, "/chunked/dies/300000")
        assert is_seen_as_cut(server.port, "/sized/dies/10")
