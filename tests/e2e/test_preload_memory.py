"""Option preload: what a further worker of a Django application costs (issue 3, point 10)."""

import contextlib
import os

import pytest
from harness import cgi, fastcgi
from harness.daemon import APPS
from harness.memory import private_kib
from harness.place import SOURCE

WORKERS = 2
REQUESTS = 200
DJANGO = os.path.join(SOURCE, "tests/bench/apps")
MEASURED = """
import gc
from django_app import application as django
from gate_client import wait_at_gate

def application(environ, start_response):
    if environ["PATH_INFO"] != "/measure":
        return django(environ, start_response)
    gc.collect()
    wait_at_gate("measure")
    start_response("204 No Content", [])
    return []
"""


@pytest.fixture
def begin(start, tmp_path):
    """Starts Django with all that `startproject` sets up."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "measured.py").write_text(MEASURED)

    def run(*options):
        paths = ("--pythonpath", APPS, "--pythonpath", DJANGO)
        more = {"processes": WORKERS, "threads": 1, "chdir": str(tmp_path)}
        return start("measured", *paths, *options, **more)

    return run


def private_of_workers(daemon):
    """Sizes after traffic and a full collection in each worker."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.connect()) for _ in range(WORKERS)]
        for _ in range(REQUESTS):
            for connection in connections:
                connection.send(fastcgi.request(cgi.variables("/"), flags=fastcgi.KEEP))
            assert {connection.answer().status for connection in connections} == {200}
        for connection in connections:
            connection.send(fastcgi.request(cgi.variables("/measure")))
        visitors = [daemon.gate.arrival() for _ in connections]
        assert {visitor.pid for visitor in visitors} == set(daemon.workers)
        sizes = [private_kib(visitor.pid) for visitor in visitors]
        for visitor in visitors:
            visitor.release()
        assert {connection.answer().status for connection in connections} == {204}
    return sizes


def test_a_further_worker_costs_a_quarter(begin):
    alone = begin()
    separate = private_of_workers(alone)
    alone.stop()
    shared = private_of_workers(begin("--preload"))
    print(f"private KiB of each worker: loaded by itself {separate}, preloaded {shared}")
    assert max(shared) * 4 <= min(separate)
