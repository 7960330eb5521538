"""nginx asks about a request, or shows it, without its body: with auth_request and mirror."""

import hashlib

import pytest
import servers
from backend import Backend
from harness import cgi, fastcgi
from http_client import fetch
from test_nginx import FASTCGI, SCGI

BODY = b"0123456789"
SEEN = f"10 {hashlib.sha256(BODY).hexdigest()}".encode()
# What the manuals of authentication proxies add to a location for auth_request, or do not.
WAYS = {
    "fastcgi": "fastcgi_pass_request_body off;",
    "fastcgi_cleared": 'fastcgi_pass_request_body off; fastcgi_param CONTENT_LENGTH "";',
    "scgi": "scgi_pass_request_body off;",
}


@pytest.fixture(scope="module", params=["yes", "no"])
def backend(request):
    with Backend("mirror", f"--request-buffering={request.param}") as running:
        yield running


def pass_to(backend, way):
    if way == "scgi":
        return f"{SCGI} unix:{backend.scgi};"
    return f"{FASTCGI} unix:{backend.fastcgi};"


@pytest.mark.parametrize("way", WAYS)
def test_auth_request_for_a_post(backend, way):
    passing = pass_to(backend, way)
    locations = {
        "/": f"auth_request /ask/digest; {passing}",
        "= /ask/digest": f"internal; {passing} {WAYS[way]}",
    }
    with servers.nginx(locations) as server:
        answer = fetch(server.port, "/x/digest", "POST", BODY)
        assert (answer.status, answer.body) == (200, SEEN)


@pytest.mark.parametrize("way", WAYS)
def test_a_mirrored_post_without_its_body(backend, way):
    passing = pass_to(backend, way)
    locations = {
        "/": f"mirror /copy/digest; mirror_request_body off; {passing}",
        "= /copy/digest": f"internal; {passing} {WAYS[way]}",
    }
    with servers.nginx(locations) as server:
        answer = fetch(server.port, "/x/digest", "POST", BODY)
        assert (answer.status, answer.body) == (200, SEEN)
    assert backend.count("answered 4") == 0


def test_a_withheld_body_has_the_length_0(backend):
    fields = cgi.variables("/v", "POST", length=10)
    assert b'"CONTENT_LENGTH": "0"' in fastcgi.fetch(backend.fastcgi, fields).body
