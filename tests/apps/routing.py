"""One application made of many small ones, chosen by the first segment of the path."""

from wsgiref.validate import validator


class Router:
    def __init__(self):
        self._apps = {}

    def validated(self, app):
        """Decorator: adds an application that wsgiref.validate watches."""
        self._apps[app.__name__] = validator(app)
        return app

    def plain(self, app):
        """Decorator: adds an application that does what wsgiref.validate does not allow."""
        self._apps[app.__name__] = app
        return app

    def __call__(self, environ, start_response):
        name = environ["PATH_INFO"].split("/")[1]
        return self._apps[name](environ, start_response)


def answer(start_response, text, status="200 OK", headers=()):
    """A whole text response."""
    body = text.encode()
    start_response(
        status,
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *headers,
        ],
    )
    return [body]
