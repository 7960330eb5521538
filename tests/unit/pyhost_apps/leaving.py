"""What a worker does at its end."""

import atexit
import threading

from answers import ok

import pycgid

ended = threading.Event()


def fail():
    raise LookupError("at the end")


def thread(name, event):
    threading.Thread(target=event.wait, name=name).start()


atexit.register(print, "atexit has run")
pycgid.at_exit(ended.set)
pycgid.at_exit(print, "registered first", end="!\n")
pycgid.at_exit(fail)
pycgid.at_exit(print, "registered last")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/leaves_thread":
        thread("jobs", threading.Event())
        thread("ends by at_exit", ended)
    if path == "/reads":
        print("reading")
        environ["wsgi.input"].read()
    if path == "/stuck":
        print("stuck")
        threading.Event().wait()
    asked = environ["pycgid.stopping"]() is pycgid.stopping()
    return ok(start_response, f"{asked} {pycgid.stopping()}".encode())
