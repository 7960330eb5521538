"""Threads that outlive their request, and a request of another client in the same slot."""

import threading


def application(environ, start_response):
    return globals()[environ["PATH_INFO"][1:]](environ, start_response)


def writes_on(environ, start_response):
    """Until that fails."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])

    def go_on():
        try:
            while True:
                write(b"SECRET OF A CLIENT" * 20000)
        except Exception as error:
            print(f"refused: {type(error).__name__}", flush=True)

    threading.Thread(target=go_on).start()
    return []


def mine(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"mine"]


def reads_and_writes(environ, start_response):
    """One thread reads the body while another writes the answer, of its length."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    size = int(environ["CONTENT_LENGTH"])
    received = []
    reader = threading.Thread(
        target=lambda: received.extend(iter(lambda: environ["wsgi.input"].read(5000), b""))
    )
    reader.start()
    for _ in range(size // 5000):
        write(b"w" * 5000)
    reader.join()
    return [b"%d" % sum(map(len, received))]


def reads_on(environ, start_response):
    """A thread reads when the answer is complete already."""
    source = environ["wsgi.input"]

    def go_on():
        try:
            while source.read(5000):
                pass
            print("read it all", flush=True)
        except OSError as error:
            print(f"refused: {type(error).__name__}", flush=True)

    threading.Thread(target=go_on).start()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"mine"]
