"""wsgi.input and wsgi.file_wrapper."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import threading

from answers import PLAIN, ok


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
        kind = type(error)
        environ["wsgi.errors"].write(f"{kind.__name__}, {kind.__base__.__name__}: {error}\n")
        raise


def checksum(environ, start_response):
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
