"""Threads and processes that go on with what a request gave them when it is over."""

import os
import threading

from answers import PLAIN, ok


def writes_on(environ, start_response):
    """Until that fails."""
    write = start_response("200 OK", list(PLAIN))

    def go_on():
        try:
            while True:
                write(b"LATE" * 50000)
        except Exception as error:
            print(f"refused: {type(error).__name__}: {error}")

    threading.Thread(target=go_on).start()
    return []


def write_together(environ, start_response):
    """Four threads; the query says how many blocks each of them writes, and how large they are."""
    write = start_response("200 OK", list(PLAIN))
    blocks, size = map(int, environ["QUERY_STRING"].split("x"))

    def go_on(letter):
        for _ in range(blocks):
            write(letter * size)

    threads = [threading.Thread(target=go_on, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [b"."]


def writes_at_the_end(environ, start_response):
    """A thread is in the midst of a large block when the request ends."""
    write = start_response("200 OK", list(PLAIN))
    size = int(environ["QUERY_STRING"])
    write(b"<")
    begun = threading.Event()

    def go_on():
        block = b"x" * size
        begun.set()
        try:
            write(block)
        except Exception as error:
            print(f"refused: {type(error).__name__}")

    threading.Thread(target=go_on).start()
    begun.wait()
    return []


def starts_inside(environ, start_response):
    """What is wrong with a header shows the header, which calls start_response itself."""

    class Header:
        def __repr__(self):
            start_response("200 OK", list(PLAIN))(b"from inside ")
            return "a header"

    try:
        start_response("404 Not Found", [Header()])
    except AssertionError as error:
        return [str(error).encode()]


def starts_together(environ, start_response):
    """Several threads call start_response; one of them is the first."""
    results = []

    def go_on(number):
        try:
            start_response(f"200 Thread {number}", [*PLAIN, ("X-Number", str(number))] * 20)
            results.append(str(number))
        except AssertionError:
            results.append("second")

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [" ".join(sorted(results)).encode()]


def write_and_one(environ, start_response):
    start_response("200 OK", list(PLAIN))(b"written ")
    return [b"and one"]


go, say_go = os.pipe()


def forks_reader(environ, start_response):
    """The child reads the body twice: at once, and when the next request says so."""
    ready, say_ready = os.pipe()
    if os.fork() == 0:
        source = environ["wsgi.input"]
        try:
            print(f"child read {source.read(4)}")
        except ValueError as error:
            print(f"child refused: {error}")
        os.write(say_ready, b".")
        os.read(go, 1)
        try:
            print(f"child read late {source.read()}")
        except ValueError as error:
            print(f"child refused late: {error}")
        os._exit(0)
    os.read(ready, 1)
    os.close(ready)
    os.close(say_ready)
    return ok(start_response, environ["wsgi.input"].read())


def lets_fork_read(environ, start_response):
    os.write(say_go, b".")
    return ok(start_response, b"go")
