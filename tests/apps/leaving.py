"""Requests that last, and what is done at a worker's end."""

import atexit
import ctypes
import os
import threading
import time

from gate_client import wait_at_gate

import pycgid

PLAIN = [("Content-Type", "text/plain")]


def tell(text):
    """Into a file, too, as the log of a worker goes through its gateway."""
    print(text)
    if "TOLD" in os.environ:
        with open(os.environ["TOLD"], "a", encoding="utf-8") as file:
            print(text, file=file)


atexit.register(tell, "atexit has run")
pycgid.at_exit(tell, "at_exit has run")


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


def stuck(environ):
    """In C, where it cannot be cut."""
    yield b"begun"
    time.sleep(600)


def stuck_for_all(environ):
    """In C that lets no other thread of Python run."""
    yield b"begun"
    lock = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(lock)


def wait(environ):
    wait_at_gate("wait")
    yield b"whole"


def application(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return globals()[environ["PATH_INFO"].strip("/") or "wait"](environ)
