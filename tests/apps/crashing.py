"""An application that dies in several ways, and a healthy part that tells its process."""

import os
import signal

from routing import Router, answer

application = Router()


@application.validated
def pid(_, start_response):
    return answer(start_response, str(os.getpid()))


@application.plain
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@application.plain
def aborts(*_):
    os.abort()


@application.plain
def exits(*_):
    os._exit(7)


@application.plain
def killed_late(_, start_response):
    """Dies when the response has begun."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    os.kill(os.getpid(), signal.SIGKILL)
