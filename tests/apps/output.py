"""An application that writes to everything that could be a log."""

import atexit
import logging
import os
import signal
import sys

from routing import Router, answer

application = Router()
logging.basicConfig(level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s")
print("printed at import")
atexit.register(print, "printed at exit")


@application.validated
def everything(environ, start_response):
    print("by print")
    print("by print to stderr", file=sys.stderr)
    environ["wsgi.errors"].write("by wsgi.errors\n")
    logging.getLogger("shop").info("by logging")
    os.write(1, b"by descriptor 1\n")
    os.write(2, b"by descriptor 2\n")
    sys.stdout.buffer.write(b"by the buffer\n")
    sys.stdout.flush()
    return answer(start_response, "written")


@application.validated
def forged(_, start_response):
    """Tries to look like a line of the daemon's own, and to move the terminal's cursor."""
    print("\x1b[2Jcleared\r2026-01-01T00:00:00.000Z notice master[1]: forged")
    return answer(start_response, "forged")


@application.validated
def long_line(_, start_response):
    print("a" * 10000 + "b")
    return answer(start_response, "long")


@application.validated
def partial(_, start_response):
    """A line that does not end before the request does."""
    sys.stdout.write("without an end")
    return answer(start_response, "partial")


@application.validated
def killed(environ, _):
    """With lines that do not end before the worker does. The query names who writes."""
    if environ["QUERY_STRING"] == "raw":
        os.write(1, b"without an end")
    else:
        print("without an end", end="", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


@application.validated
def failure(_, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    raise LookupError("the reason \x1b of it all")
