"""Applications that answer with wsgi.file_wrapper, or that take and give very much."""

import hashlib
import io
import os
import tempfile

from gate_client import wait_at_gate
from routing import Router

application = Router()
PLAIN = [("Content-Type", "application/octet-stream")]
MEBIBYTE = bytes(range(256)) * 4096


class Watched:
    """A file-like object without fileno(), whose close() shows in the log."""

    def __init__(self, environ, file):
        self._errors = environ["wsgi.errors"]
        self._file = file

    def read(self, size):
        return self._file.read(size)

    def close(self):
        self._file.close()
        self._errors.write("file closed\n")


class WatchedFile(Watched):
    """Likewise, with the descriptor of a real file."""

    def fileno(self):
        return self._file.fileno()

    def tell(self):
        return self._file.tell()


def named_file(environ):
    """The file that the query names, at the offset that the header Offset asks for."""
    file = open(environ["QUERY_STRING"], "rb")  # Its wrapper closes it.
    file.seek(int(environ.get("HTTP_OFFSET", "0")))
    return file


@application.plain
def real(environ, start_response):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](WatchedFile(environ, named_file(environ)), 8192)


@application.plain
def limited(environ, start_response):
    """The first ten bytes, by Content-Length."""
    start_response("200 OK", [*PLAIN, ("Content-Length", "10")])
    return environ["wsgi.file_wrapper"](named_file(environ))


@application.plain
def without_descriptor(environ, start_response):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](Watched(environ, named_file(environ)), 1000)


@application.plain
def in_memory(environ, start_response):
    file = io.BytesIO(b"skipped" + MEBIBYTE)
    file.seek(7)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](file)


@application.plain
def unlinked(environ, start_response):
    """A temporary file that is gone when the first byte leaves."""
    file = tempfile.TemporaryFile()  # Its wrapper closes it.
    file.write(MEBIBYTE)
    file.seek(0)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](file)


@application.plain
def from_pipe(environ, start_response):
    """A descriptor that is no regular file."""
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe")
    os.close(writer)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](os.fdopen(reader, "rb"))


@application.plain
def wrapped_in_generator(environ, start_response):
    """A middleware iterates the wrapper instead of returning it."""
    wrapper = environ["wsgi.file_wrapper"](WatchedFile(environ, named_file(environ)), 4096)
    start_response("200 OK", PLAIN)
    try:
        yield from wrapper
    finally:
        wrapper.close()


@application.validated
def upload(environ, start_response):
    """Size and checksum of the body, which is never held as a whole."""
    checksum, size = hashlib.sha256(), 0
    while piece := environ["wsgi.input"].read(1 << 18):
        checksum.update(piece)
        size += len(piece)
    start_response("200 OK", PLAIN)
    return [f"{size} {checksum.hexdigest()}".encode()]


@application.validated
def echo(environ, start_response):
    start_response("200 OK", PLAIN)
    return [environ["wsgi.input"].read(-1)]


@application.validated
def download(environ, start_response):
    """As many MiB as the query says, in blocks of one MiB."""
    start_response("200 OK", PLAIN)
    return (MEBIBYTE for _ in range(int(environ["QUERY_STRING"])))


@application.validated
def sized(environ, start_response):
    """As many bytes as the query says, in one block."""
    start_response("200 OK", PLAIN)
    size = int(environ["QUERY_STRING"])
    return [MEBIBYTE[:size]]


@application.plain
def interrupted(environ, start_response):
    """Goes on until its client is gone, and tells when that was noticed."""
    start_response("200 OK", PLAIN)
    try:
        while True:
            yield MEBIBYTE
    finally:
        environ["wsgi.errors"].write("download ended\n")


@application.plain
def piecemeal(environ, start_response):
    """Reads the body piece by piece, with a stop at the gate when the first is here."""
    first = environ["wsgi.input"].read(1)
    wait_at_gate("first-byte")
    rest = environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    yield first + rest


@application.plain
def read_or_tell(environ, start_response):
    """Reads the body, slowly; an OSError shows in the log."""
    wait_at_gate("reading")
    try:
        environ["wsgi.input"].read()
    except OSError as error:
        environ["wsgi.errors"].write(f"OSError: {error}\n")
        raise
    start_response("200 OK", PLAIN)
    return [b"whole"]
