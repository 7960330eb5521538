"""An application that tries what its user must not be able to do, and tells what came of it: the
name of the error, or "done". The body of the request is JSON, see ATTEMPTS."""

import ctypes
import errno
import json
import os
import signal
import socket

PTRACE_ATTACH = 16


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def write(path):
    with open(path, "ab") as file:
        file.write(b"!")


def connect(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def kill(pid):
    os.kill(pid, signal.SIGTERM)


def attach(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def renice(pid):
    os.setpriority(os.PRIO_PROCESS, pid, 19)


ATTEMPTS = {
    "read": read,
    "write": write,
    "list": os.listdir,
    "connect": connect,
    "kill": kill,
    "attach": attach,
    "renice": renice,
}


def outcome(attempt, target):
    try:
        ATTEMPTS[attempt](target)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def application(environ, start_response):
    wanted = json.loads(environ["wsgi.input"].read() or "[]")
    results = [[attempt, target, outcome(attempt, target)] for attempt, target in wanted]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(results).encode()]
