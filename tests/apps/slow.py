"""Requests that run for too long, in every way there is."""

import functools
import re
import threading
import time

from gate_client import wait_at_gate

import pycgid


def spin():
    while True:
        pass  # Where a test finds it.


def spin_on():
    """Catches what it should let pass."""
    while True:
        try:
            spin()
        except BaseException:  # pylint: disable=broad-except
            pass


def spin_broadly():
    """Catches all that an application usually catches."""
    while True:
        try:
            spin()
        except Exception:  # pylint: disable=broad-except
            pass


def match_for_ever():
    """In C code that never lets go of the GIL."""
    re.match(r"(a+)+b", "a" * 64)


def tidy_up():
    """Ends its request in its own way."""
    try:
        spin()
    except pycgid.RequestTimeout:
        print("tidied up")
        raise


class Closing:
    """A response with this for its close()."""

    def __init__(self, close):
        self.close = close

    def __iter__(self):
        return iter([b"whole"])


def drip():
    yield b"begun"
    spin()


WAYS = {
    "/spin": spin,
    "/spin-on": spin_on,
    "/spin-broadly": spin_broadly,
    "/match": match_for_ever,
    "/tidy": tidy_up,
    "/lock": threading.Semaphore(0).acquire,
    "/wait": lambda: wait_at_gate("wait"),
}


RESPONSES = {
    "/close": lambda: Closing(spin),
    # Not one instruction of Python follows the sleep.
    "/sleeping-close": lambda: Closing(functools.partial(time.sleep, 0.6)),
    "/drip": drip,
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in WAYS:
        WAYS[path]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return RESPONSES.get(path, lambda: [b"whole"])()
