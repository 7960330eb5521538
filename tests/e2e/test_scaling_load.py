"""Pools with a range of processes under load: growing, shrinking and dying workers lose nothing
that they need not lose (issue 3, point 4)."""

import threading

import pytest
from harness import cgi, elastic, fastcgi, processes
from harness.elastic import grow, wait_ends
from harness.fastcgi import KEEP


class Clients:
    """Clients that ask without a pause until the end of the block, each on a kept connection or
    with one for each request."""

    def __init__(self, daemon, kept=0, separate=0):
        self.daemon = daemon
        self.statuses = []
        self.failures = []
        self._over = threading.Event()
        clients = [self._ask_kept] * kept + [self._ask_separately] * separate
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in clients]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, ask):
        try:
            ask()
        except Exception as error:  # A reset connection, or one that ended: the test reports it.
            self.failures.append(repr(error))

    def _ask_kept(self):
        with self.daemon.connect(timeout=30) as connection:
            while not self._over.is_set():
                connection.send(fastcgi.request(cgi.variables("/nap"), flags=KEEP))
                self.statuses.append(connection.answer().status)

    def _ask_separately(self):
        while not self._over.is_set():
            with self.daemon.connect(timeout=30) as connection:
                connection.send(fastcgi.request(cgi.variables("/nap")))
                self.statuses.append(connection.answer().status)


@pytest.mark.timeout(180)
def test_constant_load_loses_nothing_while_it_grows_and_shrinks(start):
    daemon = start("elastic", *elastic.OPTIONS, processes="1-4", threads=2)
    with Clients(daemon, kept=1) as constant:
        for times in (1, 2):
            mark = daemon.mark()
            with Clients(daemon, kept=6, separate=6) as rush:
                daemon.wait_line(r"elastic/4\[\d+\]: ready after", 60, since=mark)
            # Not down to one: a thread may still end a request when the next one comes.
            wait_ends(daemon, 2 * times)
    assert constant.failures + rush.failures == []
    assert set(constant.statuses) == set(rush.statuses) == {200}


@pytest.mark.timeout(180)
def test_workers_that_are_killed_while_it_grows(start):
    """The requests that run in them are lost, no others; the pool has its workers again."""
    daemon = start("elastic", *elastic.OPTIONS, processes="1-4", threads=1)
    daemon.expect(r"elastic/\d\[\d+\]: was killed by signal 9", "lost with worker")
    mark = 0
    with Clients(daemon, kept=4, separate=4) as clients:
        for _ in range(6):
            ready = daemon.wait_line(r"elastic/\d\[(\d+)\]: ready after", 60, since=mark)
            mark = daemon.mark()
            processes.kill(int(ready.group(1)))
            daemon.wait_line(rf"\[{ready.group(1)}\]: was killed by signal 9", 30, since=mark)
    assert clients.failures == []
    lost = clients.statuses.count(502)
    assert lost <= 6 and clients.statuses.count(200) == len(clients.statuses) - lost
    assert len(grow(daemon, 4)) == 4 and len(daemon.workers) == 4
