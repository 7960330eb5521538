"""Reloads under constant load lose no request and reset no connection (issue 3, point 2)."""

import contextlib
import os
import signal
import threading

import pytest
from harness import cgi, fastcgi
from harness.fastcgi import KEEP

RELOADS = 20
APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""
BROKEN = "raise RuntimeError('this version is broken')\n"


def deploy(site, text):
    """Replaces the application by one move."""
    (site / "new").write_text(text)
    os.rename(site / "new", site / "echo_app.py")


def request(number, request_id=1, flags=KEEP):
    return fastcgi.request(cgi.variables(query=str(number)), b"", request_id, flags)


class Load:
    """Clients that ask without a pause, one thread each, until the end of the block."""

    def __init__(self, daemon):
        self.daemon = daemon
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
        with self.daemon.connect() as connection:
            number = 0
            while number := number + 1:
                connection.send(request(number))
                yield number, connection.answer()

    def multiplexed(self, width=4):
        """Always `width` requests at once on one connection."""
        with self.daemon.connect() as connection:
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
            with contextlib.closing(self.daemon.connect()) as connection:
                connection.send(request(number, flags=0))
                yield number, connection.answer()


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    deploy(tmp_path, APPLICATION)
    return tmp_path


@pytest.mark.timeout(150)
def test_20_reloads_and_20_failing_ones_lose_nothing(start, site):
    daemon = start("echo_app", chdir=str(site), processes=2)
    daemon.expect("reload failed", r" echo_app/\d\[\d+\]: ")
    with Load(daemon) as load:
        for _ in range(RELOADS):
            for text, outcome in ((APPLICATION, "reloaded pool"), (BROKEN, "reload failed")):
                deploy(site, text)
                mark = daemon.mark()
                daemon.signal(signal.SIGHUP)
                daemon.wait_line(outcome, 30, since=mark)
    assert load.failures == []
    assert daemon.count("reloaded pool") == daemon.count("reload failed") == RELOADS
    assert min(load.answered[name] for name in ("kept", "multiplexed", "per_request")) > RELOADS
