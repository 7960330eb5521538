"""Calls write() without end."""


def application(_, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        while True:
            write(b"x" * 65536)
    except OSError as error:
        print("told:", error)
        raise
