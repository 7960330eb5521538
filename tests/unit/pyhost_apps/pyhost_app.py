"""What the worker's tests ask: the first segment of the path names a function."""

import atexit
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading

PLAIN = [("Content-Type", "text/plain")]


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].split("/")[1]](environ, start_response)


def ok(start_response, *blocks):
    start_response("200 OK", list(PLAIN))
    return list(blocks)


class Closing:
    """An iterable that says in the log when it is closed."""

    def __init__(self, environ, blocks):
        self.errors = environ["wsgi.errors"]
        self.blocks = blocks

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        self.errors.write("closed\n")


# --- environ ---


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


# --- start_response ---


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
        except (AssertionError, ValueError) as error:
            results.append(type(error).__name__)
    return ok(start_response, " ".join(results).encode())


# --- blocks ---


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


def endless_write(environ, start_response):
    write = start_response("200 OK", list(PLAIN))
    while True:
        write(b"x" * 65536)


# --- failures and ends ---


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


# --- input ---


def reads(environ, start_response):
    """Runs the calls in the header Calls, a JSON list of [method, arguments...]."""
    source = environ["wsgi.input"]
    results = []
    for name, *arguments in json.loads(environ["HTTP_CALLS"]):
        result = list(source) if name == "iterate" else getattr(source, name)(*arguments)
        results.append([r.decode() for r in result] if name != "read" and type(result) is list
                       else result.decode())
    return ok(start_response, json.dumps(results).encode())


def reads_broken(environ, start_response):
    try:
        environ["wsgi.input"].read()
    except OSError as error:
        environ["wsgi.errors"].write(f"{type(error).__name__}: {error}\n")
        raise


def checksum(environ, start_response):
    import hashlib

    return ok(start_response, hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode())


def reads_in_thread(environ, start_response):
    """Answers while another thread still reads the body."""
    result = []
    errors = environ["wsgi.errors"]
    begun = threading.Event()

    def read():
        source = environ["wsgi.input"]
        source.readline()
        begun.set()
        result.append(source.readline())
        errors.write(f"thread read {result[0]}\n")

    threading.Thread(target=read).start()
    begun.wait()
    return ok(start_response, b"answered")


# --- files ---


def wrapped(environ, start_response):
    kind, _, offset = environ["QUERY_STRING"].partition("@")
    file = FILES[kind]()
    if offset:
        file.seek(int(offset))
    headers = list(PLAIN)
    if "HTTP_LENGTH" in environ:
        headers.append(("Content-Length", environ["HTTP_LENGTH"]))
    start_response("200 OK", headers)
    result = environ["wsgi.file_wrapper"](file, 4)
    return (block for block in result) if "HTTP_MIDDLEWARE" in environ else result


def real_file():
    file = tempfile.TemporaryFile()
    file.write(b"0123456789")
    file.seek(0)
    return file


class WatchedFile:
    """No file of Python's, but one that passes for it."""

    def __init__(self):
        self.file_ = real_file()
        self.read = self.file_.read
        self.fileno = self.file_.fileno
        self.seek = self.file_.seek

    def close(self):
        sys.stderr.write("file closed\n")
        self.file_.close()


def compressed_file():
    packed = real_file()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(b"0123456789")
    packed.seek(0)
    return gzip.GzipFile(fileobj=packed)


def named_file():
    file = tempfile.NamedTemporaryFile()
    file.write(b"0123456789")
    file.seek(0)
    return file


FILES = {
    "real": real_file,
    "watched": WatchedFile,
    "named": named_file,
    "memory": lambda: io.BytesIO(b"0123456789"),
    "compressed": compressed_file,
    "buffered_compressed": lambda: io.BufferedReader(compressed_file()),
    "pipe": lambda: subprocess.Popen(["echo", "-n", "0123456789"], stdout=subprocess.PIPE).stdout,
}


# --- output ---


def prints(environ, start_response):
    print("by print")
    print("to stderr", file=sys.stderr)
    environ["wsgi.errors"].writelines(["by errors \u20ac\n", "lone \ud800\n"])
    sys.stdout.write("half ")
    sys.stderr.write("other half\n")
    sys.stdout.buffer.write(b"line\nunfinished")
    return ok(start_response, b"printed")


def stream_kinds(environ, start_response):
    out, err = sys.stdout, sys.stderr
    err.close()
    kinds = [out.fileno(), err.fileno(), out.isatty(), out.encoding, err.errors, out.name,
             out.writable(), out.readable(), err is environ["wsgi.errors"], err.closed]
    return ok(start_response, json.dumps(kinds).encode())


def prints_much(environ, start_response):
    print("a" * 5000 + "\u20ac" * 1000)
    return ok(start_response, b"printed")


def errors_from_thread(environ, start_response):
    """A thread that outlives the request and writes when the next one says so."""
    global go_on
    go_on = threading.Event()
    errors = environ["wsgi.errors"]

    def later():
        go_on.wait()
        errors.write("from a thread")  # without a newline: written when the thread ends

    threading.Thread(target=later).start()
    return ok(start_response, b"soon")


def lets_thread_go_on(environ, start_response):
    go_on.set()
    return ok(start_response, b"now")


# --- threads and signals ---

together = threading.Barrier(3)


def meets(environ, start_response):
    """Answers only when three requests run at once; with its thread's number."""
    together.wait(20)
    return ok(start_response, str(threading.get_ident()).encode())


def thread_of_all(environ, start_response):
    class Watched(Closing):
        def __iter__(self):
            yield str(threading.get_ident()).encode()

        def close(self):
            self.errors.write(f"closed in {threading.get_ident()}\n")

    start_response("200 OK", [*PLAIN, ("X-Called-In", str(threading.get_ident()))])
    return Watched(environ, [])


def terminates_child(environ, start_response):
    """A child that blocked signals could not be terminated. The barrier makes sure that this runs
    in a thread other than the main one, at least twice of three times."""
    together.wait(20)
    child = subprocess.Popen(["sleep", "600"])
    child.terminate()
    return ok(start_response, str(child.wait(20)).encode())


def logs_for_ever(environ, start_response):
    def log():
        while True:
            environ["wsgi.errors"].write("still here\n")

    threading.Thread(target=log, daemon=True).start()
    return ok(start_response, b"begun")


atexit.register(print, "atexit has run")


def on_signal(number, frame):
    print(f"signal {number} in {threading.current_thread().name}")
    raise RuntimeError("handler failed")


signal.signal(signal.SIGUSR1, on_signal)


def process(environ, start_response):
    with open("/proc/self/cmdline", "rb") as file:
        command_line = file.read().rstrip(b"\0").decode()
    with open("/proc/self/comm") as file:
        comm = file.read().strip()
    return ok(start_response, json.dumps([command_line, comm, sys.argv, sys.path[:2]]).encode())
