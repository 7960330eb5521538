"""environ, start_response, blocks, failures and ends."""

import json
import os
import sys

from answers import PLAIN, Closing, ok


def environ(environ, start_response):
    shown = {
        "type": type(environ).__name__,
        "keys": sorted(environ),
        "strings": {k: v for k, v in environ.items() if type(v) is str},
        "version": environ["wsgi.version"],
        "flags": [environ["wsgi." + n] for n in ("multithread", "multiprocess", "run_once")],
        "terminated": environ["wsgi.input_terminated"],
        "marked": "test.mark" in environ,
    }
    environ["test.mark"] = "left behind"
    environ["PATH_INFO"] = "changed"
    del environ["SERVER_NAME"]
    return ok(start_response, json.dumps(shown).encode())


def started(environ, start_response):
    """start_response with what the query says in Python; tells the exception."""
    try:
        arguments = eval(environ["QUERY_STRING"])
        start_response(*arguments)
    except AssertionError as error:
        return ok(start_response, b"refused: " + str(error).encode())
    return [b"accepted"]


def again(environ, start_response):
    start_response("200 OK", list(PLAIN))
    try:
        start_response("404 Not Found", list(PLAIN))
    except AssertionError as error:
        return [str(error).encode()]


def replaced(environ, start_response):
    start_response("200 OK", [*PLAIN, ("X-First", "1")])
    try:
        raise ValueError("on purpose")
    except ValueError:
        start_response("500 Replaced", list(PLAIN), exc_info=sys.exc_info())
    return [b"replaced"]


def raised_again(environ, start_response):
    start_response("200 OK", list(PLAIN))
    yield b"sent"
    try:
        raise ValueError("the original")
    except ValueError:
        start_response("500 Too Late", list(PLAIN), sys.exc_info())


class Traced(Exception):
    deleted = False

    def __del__(self):
        Traced.deleted = True


def exc_info_released(environ, start_response):
    def fail():
        try:
            raise Traced
        except Traced:
            start_response("200 OK", list(PLAIN), sys.exc_info())

    fail()
    return [b"released" if Traced.deleted else b"kept"]


def never_started(environ, start_response):
    return []


def block_first(environ, start_response):
    return Closing(environ, [b"too early"])


def lazy(environ, start_response):
    start_response("201 Lazy", list(PLAIN))
    yield b"lazy"


kept = []


def keeps(environ, start_response):
    kept[:] = [start_response, start_response("200 OK", list(PLAIN)), environ["wsgi.input"]]
    return [b"kept"]


def uses_kept(environ, start_response):
    """What start_response, write and input of an earlier request do now."""
    results = []
    for function, arguments in (
        (kept[0], ("200 OK", [])),
        (kept[1], (b"block",)),
        (kept[2].read, ()),
        (kept[2].readline, ()),
    ):
        try:
            function(*arguments)
            results.append("nothing")
        except (RuntimeError, ValueError) as error:
            results.append(type(error).__name__)
    return ok(start_response, " ".join(results).encode())


def one(environ, start_response):
    return ok(start_response, b"one block")


def many(environ, start_response):
    return ok(start_response, b"a", b"", b"b", b"c")


def none(environ, start_response):
    return ok(start_response)


def without_body(environ, start_response):
    start_response(environ["QUERY_STRING"] + " Status", [])
    return [b"dropped elsewhere"]


class Lengthy(Closing):
    def __len__(self):
        return 1


def lengthy(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Lengthy(environ, [b"only"])


def declared(environ, start_response):
    """Ten bytes in two blocks under the Content-Length of the query."""
    start_response("200 OK", [*PLAIN, ("Content-Length", environ["QUERY_STRING"])])
    return Closing(environ, [b"01234", b"56789"])


def declared_and_more(environ, start_response):
    """Waits for a line of the body when all of its Content-Length has been sent."""
    start_response("200 OK", [*PLAIN, ("Content-Length", "3")])
    yield b"all"
    environ["wsgi.errors"].write(f"then {environ['wsgi.input'].readline()}\n")


def stepwise(environ, start_response):
    """Waits for a line of the body between its blocks."""
    start_response("200 OK", list(PLAIN))
    yield b"first"
    yield b""
    yield environ["wsgi.input"].readline()


def written(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    write(b"written ")
    write(b"")
    write(environ["wsgi.input"].readline())
    return [b"returned"]


def written_beyond(environ, start_response):
    write = start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
    try:
        write(b"01234")
    except AssertionError as error:
        environ["wsgi.errors"].write(f"{error}\n")
    return []


def wrong_block(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return Closing(environ, [eval(environ["QUERY_STRING"])])


def bytes_itself(environ, start_response):
    start_response("200 OK", list(PLAIN))
    return b"not in a list"


def large(environ, start_response):
    """As many megabytes as the query says, in one block."""
    return ok(start_response, b"0123456789abcdef" * 65536 * int(environ["QUERY_STRING"]))


def endless(environ, start_response):
    start_response("200 OK", list(PLAIN))

    def blocks():
        while True:
            yield b"x" * 65536

    return Closing(environ, blocks())


def carries_on(environ, start_response):
    """Does not mind that its read fails."""
    start_response("200 OK", list(PLAIN))
    yield b"first"
    try:
        environ["wsgi.input"].readline()
    except OSError:
        pass
    yield b"second"
    environ["wsgi.errors"].write("carried on\n")


def endless_write(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    while True:
        write(b"x" * 65536)


def commits_late(environ, start_response):
    """Writes more than a ring when its read has failed."""
    write = start_response("200 OK", list(PLAIN))
    write(b"first")
    try:
        environ["wsgi.input"].readline()
    except OSError:
        pass
    for _ in range(3):
        write(b"x" * 1_000_000)
    environ["wsgi.errors"].write("committed\n")
    return []


def fails(environ, start_response):
    start_response("200 OK", list(PLAIN))
    raise LookupError("the reason")


def fails_late(environ, start_response):
    start_response("200 OK", list(PLAIN))

    def blocks():
        yield b"begun"
        raise LookupError("in the middle")

    return Closing(environ, blocks())


def ends(environ, start_response):
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}[environ["QUERY_STRING"]]


def unprintable(environ, start_response):
    class Unprintable(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    raise Unprintable


def closes(environ, start_response):
    """Its close() waits for a line of the body, and says so."""

    class Slow(Closing):
        def close(self):
            self.errors.write(f"closed after {environ['wsgi.input'].readline()}\n")

    start_response("200 OK", list(PLAIN))
    return Slow(environ, [b"all"])


def close_fails(environ, start_response):
    class Failing(Closing):
        def close(self):
            raise LookupError("in close")

    start_response("200 OK", list(PLAIN))
    return Failing(environ, [b"fine"])


def close_is_none(environ, start_response):
    result = Closing(environ, [b"fine"])
    result.close = None
    start_response("200 OK", list(PLAIN))
    return result


def forks(environ, start_response):
    """The child returns from the application as if it were the worker."""
    if os.fork() == 0:
        return ok(start_response, b"the child")
    os.wait()
    return ok(start_response, b"the parent")
