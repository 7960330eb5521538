"""What the applications of the worker's tests share."""

PLAIN = [("Content-Type", "text/plain")]


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
