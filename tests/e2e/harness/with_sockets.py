"""Runs a program with listening sockets, as systemd's socket activation does.

usage: with_sockets.py [--pid PID] NAME=PATH... -- PROGRAM [ARGUMENT...]
A PATH that begins with "datagram:" makes a datagram socket. Names may repeat.
"""

import os
import socket
import sys

FIRST = 3


def listening(path):
    kind = socket.SOCK_DGRAM if path.startswith("datagram:") else socket.SOCK_STREAM
    made = socket.socket(socket.AF_UNIX, kind)
    made.bind(path.removeprefix("datagram:"))
    if kind == socket.SOCK_STREAM:
        made.listen(64)
    return made


def main():
    arguments = sys.argv[1:]
    pid = os.getpid()
    if arguments[0] == "--pid":
        pid = int(arguments[1])
        arguments = arguments[2:]
    split = arguments.index("--")
    names, paths = zip(*(each.split("=", 1) for each in arguments[:split]), strict=True)
    # Out of the way first: a socket may have been made where another one belongs.
    made = [os.dup2(listening(path).detach(), 100 + i) for i, path in enumerate(paths)]
    for i, fd in enumerate(made):
        os.dup2(fd, FIRST + i)
        os.close(fd)
    os.environ.update(LISTEN_PID=str(pid), LISTEN_FDS=str(len(made)))
    os.environ["LISTEN_FDNAMES"] = ":".join(names)
    os.execv(arguments[split + 1], arguments[split + 1 :])


main()
