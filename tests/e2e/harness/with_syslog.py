"""Runs a program where /dev/log is a socket of the test's own, and shows what comes there as lines
"syslog: ..." on standard output. To be run by `unshare --mount`, so that nobody else sees it.

usage: with_syslog.py EMPTY_DIRECTORY PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys

PR_SET_PDEATHSIG = 1
DEVICES = ("full", "null", "random", "urandom", "zero")


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def replace_dev(directory):
    """/dev becomes a directory of our own with the devices that programs need."""
    mount("-t", "tmpfs", "tmpfs", directory)
    for name in DEVICES:
        path = os.path.join(directory, name)
        open(path, "x").close()
        mount("--bind", f"/dev/{name}", path)
    os.mkdir(os.path.join(directory, "shm"))
    mount("--rbind", directory, "/dev")


def show(listener):
    while True:
        text = listener.recv(1 << 16).decode("utf-8", "backslashreplace")
        os.write(1, f"syslog: {text}\n".encode())


def main():
    directory, *command = sys.argv[1:]
    replace_dev(directory)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        show(listener)
    listener.close()
    os.execv(command[0], command)


main()
