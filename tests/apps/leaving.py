"""Requests that last, and what is done at a worker's end."""

import atexit
import threading

from gate_client import wait_at_gate

import pycgid

PLAIN = [("Content-Type", "text/plain")]

atexit.register(print, "atexit has run")
pycgid.at_exit(print, "at_exit has run")


def stream(environ):
    """Goes on until it is cut."""
    try:
        yield b"begun"
        while True:
            threading.Event().wait(0.01)
    finally:
        print("cleaned up")


def polite(environ):
    """Goes on until the worker is to end."""
    yield b"begun"
    while not environ["pycgid.stopping"]():
        threading.Event().wait(0.01)
    yield b", and ended"


def job(environ):
    """Leaves a thread behind that does not end."""
    threading.Thread(target=threading.Event().wait, name="the job").start()
    yield b"begun"


def wait(environ):
    wait_at_gate("wait")
    yield b"whole"


def application(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return globals()[environ["PATH_INFO"].strip("/") or "wait"](environ)
