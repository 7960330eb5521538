"""What needs more memory than there is: the request fails, the worker lives."""

import contextlib
import resource

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
