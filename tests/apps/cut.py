"""Responses that begin and are never whole: CHUNKED without a Content-Length, SIZED with one."""

import os
import signal

TYPE = ("Content-Type", "text/plain")
LENGTHS = {"chunked": [], "sized": [("Content-Length", "1000000")]}


def fails():
    raise RuntimeError("this application fails on purpose")


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def stops():
    """Returns before its Content-Length is reached."""


WAYS = {way.__name__: way for way in (fails, dies, stops)}


def application(environ, start_response):
    """/KIND/WAY/SIZE: so many bytes, and then the end."""
    _, kind, way, size = environ["PATH_INFO"].split("/")
    start_response("200 OK", [TYPE, *LENGTHS[kind]])

    def blocks():
        left = int(size)
        while left:
            yield b"x" * min(left, 10000)
            left -= min(left, 10000)
        WAYS[way]()

    return blocks()
