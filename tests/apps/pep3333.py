"""Small applications, each for one rule of PEP 3333."""

import gc
import json
import os
import sys
import threading
import weakref

from gate_client import wait_at_gate
from routing import Router, answer

application = Router()
PLAIN = [("Content-Type", "text/plain")]
local = threading.local()


class Blocks:
    """An iterable whose close() shows in the log."""

    def __init__(self, environ, name, blocks):
        self._errors = environ["wsgi.errors"]
        self._name = name
        self._blocks = iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._blocks)

    def close(self):
        self._errors.write(f"closed {self._name}\n")


# --- environ and input ---


@application.validated
def environ(environ, start_response):
    """What kinds of objects are in environ; whether a mark of an earlier request is there."""
    strings = {name: value for name, value in environ.items() if isinstance(value, str)}
    seen = {
        "strings": strings,
        "exact dict": type(environ) is dict,
        "exact str": all(type(value) is str for value in strings.values()),
        "marked": "test.mark" in environ,
        "version": environ["wsgi.version"],
        "flags": {
            name: environ["wsgi." + name]
            for name in ("multithread", "multiprocess", "run_once", "input_terminated")
        },
        "has": sorted(environ),
        "secret": os.environ.get("SECRET"),
    }
    environ["test.mark"] = "mark"
    return answer(start_response, json.dumps(seen))


@application.plain
def reads(environ, start_response):
    """Calls methods of wsgi.input: a JSON list of [name, arguments...] is in the header Ops."""
    source = environ["wsgi.input"]
    results = []
    for name, *arguments in json.loads(environ["HTTP_OPS"]):
        result = list(source) if name == "iterate" else getattr(source, name)(*arguments)
        results.append([each.decode() for each in result] if type(result) is list else result)
    shown = [each.decode() if type(each) is bytes else each for each in results]
    return answer(start_response, json.dumps(shown))


@application.validated
def unread(_, start_response):
    return answer(start_response, "never looked at the body")


@application.validated
def whole(environ, start_response):
    """Echoes the body, or tells which exception reading it raised."""
    try:
        return answer(start_response, environ["wsgi.input"].read(-1).decode())
    except OSError as error:
        environ["wsgi.errors"].write(f"reading failed: {type(error).__name__}\n")
        raise


# --- start_response ---


@application.plain
def start_response_returns(_, start_response):
    write = start_response("200 OK", PLAIN)
    return [b"callable" if callable(write) else b"not callable"]


@application.plain
def start_twice(_, start_response):
    start_response("200 OK", PLAIN)
    try:
        start_response("404 Not Found", PLAIN)
    except AssertionError:
        return [b"AssertionError"]
    return [b"no exception"]


@application.plain
def replaced(_, start_response):
    """An error page in place of a response that has not begun."""
    start_response("200 OK", [*PLAIN, ("X-First", "1")])
    try:
        raise ValueError("on purpose")
    except ValueError:
        start_response("500 Replaced", [*PLAIN, ("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


@application.plain
def raised_again(environ, start_response):
    """start_response with exc_info after the headers have left raises that exception."""
    start_response("200 OK", PLAIN)

    def blocks():
        yield b"sent"
        original = ValueError("on purpose")
        try:
            raise original
        except ValueError:
            try:
                start_response("500 Too Late", PLAIN, sys.exc_info())
            except ValueError as error:
                environ["wsgi.errors"].write(f"raised again: {error is original}\n")
                raise

    return blocks()


@application.plain
def exc_info_released(_, start_response):
    """No reference to the exception stays behind, with the cycle collector switched off."""

    class Reason(Exception):
        """Unlike those that are built in, it can be referred to weakly."""

    def fail():
        try:
            raise Reason
        except Reason as error:
            start_response("200 OK", PLAIN, sys.exc_info())
            return weakref.ref(error)

    gc.disable()
    try:
        return [b"released" if fail()() is None else b"kept"]
    finally:
        gc.enable()


BAD_HEADS = {
    "status-bytes": (b"200 OK", PLAIN),
    "status-control": ("200 OK\rX: y", PLAIN),
    "status-text": ("OK", PLAIN),
    "headers-tuple": ("200 OK", tuple(PLAIN)),
    "header-list": ("200 OK", [["X-A", "b"]]),
    "header-triple": ("200 OK", [("X-A", "b", "c")]),
    "name-bytes": ("200 OK", [(b"X-A", "b")]),
    "name-space": ("200 OK", [("X A", "b")]),
    "name-empty": ("200 OK", [("", "b")]),
    "value-bytes": ("200 OK", [("X-A", b"b")]),
    "value-crlf": ("200 OK", [("X-A", "b\r\nX-Evil: 1")]),
    "value-lf": ("200 OK", [("X-A", "b\nX-Evil: 1")]),
    "value-nul": ("200 OK", [("X-A", "b\0")]),
    "value-unicode": ("200 OK", [("X-A", "\u20ac")]),
    "status-header": ("200 OK", [("Status", "404")]),
}


@application.plain
def lenient(environ, start_response):
    """What other servers let pass, whatever PEP 3333 says."""
    headers = [("Connection", "keep-alive"), ("X-Tab", "a\tb"), ("Keep-Alive", "timeout=5")]
    start_response("200", [*PLAIN, *headers])
    return [b"fine"]


@application.plain
def bad_head(environ, start_response):
    status, headers = BAD_HEADS[environ["QUERY_STRING"]]
    start_response(status, headers)
    return [b"this must not be seen"]


@application.plain
def late_failure(environ, start_response):
    """Fails after start_response and an empty block: nothing has left yet."""
    start_response("200 OK", PLAIN)

    def blocks():
        yield b""
        raise RuntimeError("late failure")

    return Blocks(environ, "late_failure", blocks())


@application.plain
def lazy_start(_, start_response):
    start_response("201 Lazy", PLAIN)
    yield b"lazy"


@application.plain
def no_start(environ, _):
    return Blocks(environ, "no_start", [b"no head"])


# --- the body of the response ---


@application.validated
def steps(environ, start_response):
    """Blocks with a stop at the gate between them, and empty ones that must not matter."""
    start_response("200 OK", PLAIN)

    def blocks():
        yield b""
        yield b"one"
        wait_at_gate("after-one")
        yield b""
        yield b"two"

    return Blocks(environ, "steps", blocks())


@application.plain
def written(_, start_response):
    """write() before the blocks of the iterable, each of them sent at once."""
    write = start_response("200 OK", PLAIN)
    write(b"written ")
    wait_at_gate("after-write")
    write(b"")
    write(b"twice ")
    return [b"returned"]


@application.plain
def single(_, start_response):
    start_response("200 OK", PLAIN)
    return [b"one block"]


@application.plain
def length(environ, start_response):
    """The query names the Content-Length; ten bytes in two blocks are sent."""
    start_response("200 OK", [*PLAIN, ("Content-Length", environ["QUERY_STRING"])])
    return Blocks(environ, "length", [b"01234", b"56789"])


@application.plain
def bodiless(environ, start_response):
    """A body where the status allows none."""
    start_response(environ["QUERY_STRING"] + " Bodiless", [])
    return [b"this must not be seen"]


@application.plain
def wrong_block(environ, start_response):
    block = {"str": "text", "bytearray": bytearray(b"x"), "memoryview": memoryview(b"x")}
    start_response("200 OK", PLAIN)
    return Blocks(environ, "wrong_block", [block[environ["QUERY_STRING"]]])


@application.plain
def failing_close(_, start_response):
    """Its close() raises, which must cost nobody anything."""

    class Failing:
        def __iter__(self):
            return iter([b"fine"])

        def close(self):
            raise RuntimeError("close failed")

    start_response("200 OK", PLAIN)
    return Failing()


@application.plain
def endless(environ, start_response):
    """The query names the status."""
    start_response((environ["QUERY_STRING"] or "200") + " Endless", PLAIN)

    def blocks():
        while True:
            yield b"x" * 65536

    return Blocks(environ, "endless", blocks())


@application.plain
def cut(environ, start_response):
    """Fails when some of it has left."""
    start_response("200 OK", PLAIN)

    def blocks():
        yield b"begun"
        raise RuntimeError("cut in the middle")

    return Blocks(environ, "cut", blocks())


@application.plain
def committing(environ, start_response):
    """Commits behind its last block, long after its head has left.

    The query is its status and whether it yields or writes.
    """
    errors = environ["wsgi.errors"]
    status, way = environ["QUERY_STRING"].split("-")
    write = start_response(status + " Begun", PLAIN)

    def blocks():
        yield b"begun"
        wait_at_gate("begun")
        for _ in range(3):
            yield b"x" * 100_000
        errors.write("committed\n")

    if way == "yields":
        return Blocks(environ, "committing", blocks())
    try:
        for block in blocks():
            write(block)
    except BaseException as reason:
        errors.write(f"rolled back {reason!r}\n")
        raise
    return Blocks(environ, "committing", [])


# --- threads, errors, ends ---


@application.validated
def errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write("written\n")
    stream.writelines(["line one\n", "line two \u20ac\n"])
    stream.flush()
    return answer(start_response, "errors")


@application.plain
def errors_later(environ, start_response):
    """Uses wsgi.errors from another thread when the request is over."""

    def later(stream):
        wait_at_gate("later")
        stream.write("from another thread\n")

    threading.Thread(target=later, args=(environ["wsgi.errors"],), daemon=True).start()
    return answer(start_response, "soon")


@application.plain
def ends(environ, start_response):
    """Raises what would end a program."""
    start_response("200 OK", PLAIN)
    raise {
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "GeneratorExit": GeneratorExit(),
    }[environ["QUERY_STRING"]]


@application.plain
def threads(environ, start_response):
    """Which threads the call, the iteration and close() ran in."""

    class Watched:
        def __iter__(self):
            local.iterated = True
            yield str(threading.get_native_id()).encode()

        def close(self):
            same = local.name == name and getattr(local, "iterated", False)
            environ["wsgi.errors"].write(f"close in the same thread: {same}\n")

    name = local.name = threading.get_native_id()
    start_response("200 OK", PLAIN)
    return Watched()


@application.plain
def waiting(environ, start_response):
    """Waits at the gate before it answers with its process."""
    wait_at_gate(environ["QUERY_STRING"] or "waiting")
    return answer(start_response, str(os.getpid()))
