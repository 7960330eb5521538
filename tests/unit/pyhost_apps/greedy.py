"""What needs more memory than there is: the request fails, the worker lives."""

import contextlib
import resource
import sys

from answers import PLAIN, ok

MEGABYTE = 1 << 20


@contextlib.contextmanager
def memory(more):
    """So many bytes more than the process has now, and no more."""
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def reads_long_line(environ, start_response):
    """There is memory for the half of it."""
    source = environ["wsgi.input"]
    with memory(int(environ["CONTENT_LENGTH"]) // 2):
        return ok(start_response, source.readline())


def starts_long_head(environ, start_response):
    value = "v" * (24 * MEGABYTE)
    with memory(16 * MEGABYTE):
        start_response("200 OK", [*PLAIN, ("X-Long", value)])
    return [b"started"]


def starts_long_status(environ, start_response):
    status = "200 " + "v" * (24 * MEGABYTE)
    with memory(16 * MEGABYTE):
        start_response(status, list(PLAIN))
    return [b"started"]


def prints_long_line(environ, start_response):
    """There is memory for a part of what it takes to encode it."""
    line = "p" * (64 * MEGABYTE)
    with memory(16 * MEGABYTE):
        try:
            print(line, file=environ["wsgi.errors"] if environ["QUERY_STRING"] else sys.stdout)
        except MemoryError:
            return ok(start_response, b"too long")
    return ok(start_response, b"printed")


HOARD = []


def fill():
    """Takes all the memory that there is, in pieces; small objects have room in Python's own."""
    for size in (MEGABYTE, 1 << 16, 1 << 14, 1 << 12):
        with contextlib.suppress(MemoryError):
            while True:
                HOARD.append(bytearray(size))


def hoards(environ, start_response):
    """Not a line's worth is left, for the requests that follow, too."""
    bound = memory(0)
    HOARD.extend([bound, None])
    bound.__enter__()
    fill()
    return ok(start_response, b"hoarding")


def gives_back(environ, start_response):
    bound = HOARD[0]
    HOARD.clear()
    bound.__exit__(None, None, None)
    return ok(start_response, b"given back")


LONG = b"w" * 60_000
LONG_LINE = LONG + b"\n"


def writes_without_memory(environ, start_response):
    """What encodes it is not asked: the log itself finds no memory."""
    write = sys.modules["pycgid_host"].log_write
    fill()
    for piece in (LONG_LINE, LONG, b"more", b"\n"):
        write(1, piece)
    return ok(start_response, b"written")


def fails_without_memory(environ, start_response):
    fill()
    raise LookupError("nothing is left")
