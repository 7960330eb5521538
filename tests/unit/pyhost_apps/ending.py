"""Requests that are cut while they run, and processes that they fork."""

import _thread
import gc
import os
import sys
import threading
import types

from answers import PLAIN, ok

go = threading.Event()


def lets_go_on(environ, start_response):
    go.set()
    return ok(start_response, b"now")


def wait_for_go():
    """In Python, where an exception from outside arrives."""
    while not go.wait(0.01):
        pass


def waits(environ, start_response):
    print("waiting")
    wait_for_go()
    return ok(start_response, b"went on")


def clean_up():
    """As one that gives a connection back to its pool."""
    print("cleaning up")
    wait_for_go()
    print("released")


class Endless:
    def __iter__(self):
        while True:
            yield b"x" * 65536

    def close(self):
        clean_up()


def yields_for_ever(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Endless()


def writes_for_ever(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    try:
        while True:
            write(b"x" * 65536)
    finally:
        clean_up()


class Garbage:
    """Is found by the next collection, wherever that runs, and takes its time there."""

    def __init__(self, found):
        self.found = found
        self.me = self

    def __del__(self):
        self.found.release()
        wait_for_go()


def ends_while_garbage_is_collected(environ, start_response):
    """The collection runs in whatever makes an object next: not here, where a lock is waited for."""
    sys.modules.setdefault("greenlet", types.ModuleType("greenlet"))
    found = _thread.allocate_lock()
    found.acquire()
    gc.collect()
    thresholds = gc.get_threshold()
    Garbage(found)
    print("waiting for a collection")
    gc.set_threshold(1)
    if sys.version_info < (3, 12):  # Later ones collect between two lines of Python only.
        found.acquire()  # makes no object
    gc.set_threshold(*thresholds)
    return ok(start_response, b"ended")


lent = []  # the write() of a request, which another one uses


def lends_write(environ, start_response):
    lent.append(start_response("200 OK", list(PLAIN)))
    lent[0](b"lent")
    wait_for_go()
    return []


def uses_lent_write(environ, start_response):
    try:
        while True:
            lent[0](b"x" * 65536)
    except OSError as error:
        print(f"lent: {type(error).__name__}")
    wait_for_go()
    return ok(start_response, b"went on")


def reads_for_ever(environ, start_response):
    print("reading")
    try:
        environ["wsgi.input"].read()
    finally:
        clean_up()


class Whole:
    def __iter__(self):
        return iter([b"whole"])

    def close(self):
        clean_up()


def closes_slowly(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Whole()


class Lengthy:
    """Whose length says more than a number."""

    def __init__(self, find_length):
        self.find_length = find_length

    def __len__(self):
        return self.find_length()

    def __iter__(self):
        return iter([b"whole"])


def length_takes_long(environ, start_response):
    def find_length():
        print("looking for the length")
        wait_for_go()

    start_response("200 OK", list(PLAIN))
    return Lengthy(find_length)


def length_exits(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Lengthy(sys.exit)


class ExitingFile:
    """A file that has a descriptor and no position."""

    def __init__(self):
        self.file = None

    def fileno(self):
        sys.exit("from fileno")

    def read(self, size):
        return b""


def file_exits(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return environ["wsgi.file_wrapper"](ExitingFile())


def fails_when_cut(environ, start_response):
    """A fault of its own, in what it does because nobody wants the answer."""
    write = start_response("200 OK", list(PLAIN))
    try:
        while True:
            write(b"x" * 65536)
    except OSError:
        raise FileNotFoundError("a fault of mine") from None


# --- forks ---


def forked(environ, start_response, child):
    """The status with which `child` ends, which runs in a fork of this process."""
    pid = os.fork()
    if pid == 0:
        return child(start_response)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return ok(start_response, str(status).encode())


def child_exits(environ, start_response):
    def child(_):
        print("an unterminated line", end="")
        sys.exit(int(environ["QUERY_STRING"]))

    return forked(environ, start_response, child)


def child_exits_with_words(environ, start_response):
    return forked(environ, start_response, lambda _: sys.exit("in the child's words"))


def child_fails(environ, start_response):
    def child(_):
        raise LookupError("in the child")

    return forked(environ, start_response, child)


def child_returns(environ, start_response):
    return forked(environ, start_response, lambda start: ok(start, b"the child"))


def iteration_forks(environ, start_response):
    """The parent's answer is the status of its child, which ends in the iteration."""
    start_response("200 OK", list(PLAIN))
    yield b"the child ended with "
    pid = os.fork()
    if pid == 0:
        sys.exit(7)
    yield str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode()


class ForksInClose(Whole):
    def close(self):
        pid = os.fork()
        if pid == 0:
            sys.exit(5)
        print(f"close's child: {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")


def forks_in_close(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return ForksInClose()
