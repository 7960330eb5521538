"""An application with whom the system is out of threads: the third one cannot be started."""

import threading

from pyhost_app import application  # noqa: F401

start = threading.Thread.start


def start_few(thread):
    if thread.name == "request-3":
        raise RuntimeError("can't start new thread")
    start(thread)


threading.Thread.start = start_few
