"""Constant load on an application."""

import contextlib
import threading

from . import cgi, fastcgi
from .fastcgi import KEEP


def request(number, request_id=1, flags=KEEP):
    return fastcgi.request(cgi.variables(query=str(number)), b"", request_id, flags)


class Load:
    """Clients that ask without a pause, one thread each, until the end of the block.
    `connect()` leads to an application that answers the query string."""

    def __init__(self, connect):
        self.connect = connect
        self.answered = {}
        self.failures = []
        self._over = threading.Event()

    def __enter__(self):
        clients = (self.kept, self.multiplexed, self.per_request)
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in clients]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client):
        try:
            for count, (expected, answer) in enumerate(client()):
                self.answered[client.__name__] = count + 1
                if answer.status != 200 or answer.body != str(expected).encode():
                    self.failures.append((client.__name__, expected, answer))
                if self._over.is_set():
                    return
        except Exception as error:  # A reset connection, or one that ended: the test reports it.
            self.failures.append((client.__name__, repr(error)))

    def kept(self):
        with self.connect() as connection:
            number = 0
            while number := number + 1:
                connection.send(request(number))
                yield number, connection.answer()

    def multiplexed(self, width=4):
        """Always `width` requests at once on one connection."""
        with self.connect() as connection:
            for each in range(1, width + 1):
                connection.send(request(each, each))
            number = 0
            while number := number + 1:
                request_id = (number - 1) % width + 1
                yield number, connection.answer(request_id)
                connection.send(request(number + width, request_id))

    def per_request(self):
        number = 0
        while number := number + 1:
            with contextlib.closing(self.connect()) as connection:
                connection.send(request(number, flags=0))
                yield number, connection.answer()
