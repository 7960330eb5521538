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
