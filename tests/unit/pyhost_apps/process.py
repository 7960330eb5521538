"""Output, threads, signals and the process itself."""

import atexit
import codecs
import io
import json
import signal
import subprocess
import sys
import threading

from answers import PLAIN, Closing, ok


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
    print("\u20ac" * 3000)
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


def detaches_streams(environ, start_response):
    """What programs that want another encoding do, each with what the former left."""
    before = sys.stdout, sys.stderr
    sys.stdout = io.TextIOWrapper(sys.stdout.detach(), "latin-1", write_through=True)
    print("to the new stdout \xe4")
    sys.stderr = codecs.getwriter("utf-8")(sys.stderr.detach())
    print("to the new stderr \xe4", file=sys.stderr)
    sys.stdout = sys.stderr = None
    print("to the old stdout", file=before[0])
    print("to the old stderr", file=before[1])
    print("to wsgi.errors", file=environ["wsgi.errors"])
    environ["wsgi.errors"].detach()
    print("to wsgi.errors again", file=environ["wsgi.errors"])
    print("to the original stderr", file=sys.__stderr__)
    print("to the original stdout", file=sys.__stdout__)
    sys.stdout, sys.stderr = before
    return ok(start_response, b"still here")
