"""An application that fills the log: /entries, /lines and /records do so until /enough. /record
writes one record of very many lines, /note one line."""

import logging
import os
import socket
import stat
import threading

import pycgid

ENOUGH = threading.Event()
LOG = logging.getLogger("flood")
LOG.addHandler(pycgid.LogHandler())
# A small packet of those that become large: each of its lines has the id before it, escaped.
ENTRY = b"N\x40" + b"\x01" * 64 + b"flooded" + b"\n" * 65_000


def log_socket():
    """The worker's own, which it does not hand out: of its sockets, the one with most room."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    found = []
    for number in numbers:
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            candidate = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if candidate.type == socket.SOCK_SEQPACKET:
            found.append(candidate)
    return max(found, key=lambda one: one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))


def send_entries():
    log = log_socket()
    while not ENOUGH.is_set():
        log.send(ENTRY)


def write_lines():
    while not ENOUGH.is_set():
        os.write(1, b"x\n" * 2048)


def print_records():
    while not ENOUGH.is_set():
        LOG.warning("flooded" + "\n" * 60_000)


FLOODS = {"/entries": send_entries, "/lines": write_lines, "/records": print_records}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in FLOODS:
        threading.Thread(target=FLOODS[path], daemon=True).start()
    elif path == "/record":
        LOG.warning("one record" + "\n" * 60_000)
    elif path == "/note":
        LOG.warning("a note")
    elif path == "/enough":
        ENOUGH.set()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"flooding"]
