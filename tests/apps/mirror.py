"""Shows for any path what the application sees: environ, as JSON. Behind it, under names of their
own, the answers that front servers treat specially."""

import hashlib
import json
from wsgiref.validate import validator

from gate_client import wait_at_gate

PLAIN = [("Content-Type", "text/plain")]


@validator
def application(environ, start_response):
    name = environ.get("PATH_INFO", "").rpartition("/")[2]
    return SPECIAL.get(name, mirror)(environ, start_response)


def mirror(environ, start_response):
    shown = {name: value for name, value in environ.items() if isinstance(value, (str, bool))}
    shown["type"] = type(environ).__name__
    shown["types"] = sorted({type(environ[name]).__name__ for name in shown if name.isupper()})
    body = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]


def digest(environ, start_response):
    """How long the request's body is, and its checksum; nothing of it is kept."""
    checksum, size = hashlib.sha256(), 0
    while piece := environ["wsgi.input"].read(65536):
        checksum.update(piece)
        size += len(piece)
    start_response("200 OK", PLAIN)
    return [f"{size} {checksum.hexdigest()}".encode()]


def found(_, start_response):
    """A redirect whose Location looks like a path of the front's own."""
    start_response("302 Found", [*PLAIN, ("Location", "/elsewhere")])
    return [b"elsewhere"]


def moved(_, start_response):
    """A redirect with a status that the front must not change."""
    start_response("301 Moved Permanently", [*PLAIN, ("Location", "http://example.org/new")])
    return [b"moved"]


def unchanged(_, start_response):
    start_response("304 Not Modified", [("ETag", '"1"')])
    return []


def empty(_, start_response):
    start_response("204 No Content", [])
    return []


def sized(_, start_response):
    """Ten bytes, announced; for HEAD also."""
    start_response("200 OK", [*PLAIN, ("Content-Length", "10")])
    return [b"0123456789"]


def cookies(_, start_response):
    start_response("200 OK", [*PLAIN, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"cookies"]


def missing(_, start_response):
    start_response("404 Not Here", PLAIN)
    return [b"nothing of that name"]


def stream(_, start_response):
    """Two blocks; the second is made when the test says so."""
    start_response("200 OK", [*PLAIN, ("X-Accel-Buffering", "no")])

    def blocks():
        yield b"first\n"
        wait_at_gate("stream")
        yield b"second\n"

    return blocks()


def large(_, start_response):
    """Four MiB of a pattern that shows every lost or doubled block."""
    start_response("200 OK", PLAIN)
    return (number.to_bytes(4, "big") * 16384 for number in range(64))


def failing(_, start_response):
    start_response("200 OK", PLAIN)
    raise RuntimeError("this application fails on purpose")


SPECIAL = {
    app.__name__: app
    for app in (
        digest, found, moved, unchanged, empty, sized, cookies, missing, stream, large, failing
    )
}  # fmt: skip
