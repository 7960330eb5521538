"""Workers that have served long enough are replaced, and no request sees it (issue 3, point 4)."""

import os

import pytest
from harness import cgi, fastcgi, processes
from harness.fastcgi import KEEP

APPLICATION = """
import os
hoard = []

def application(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        hoard.append(b"x" * (200 << 20))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def begin(start, tmp_path):
    """Starts the application with the options; its text is in hoarder.py of the directory."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "hoarder.py").write_text(APPLICATION)

    def run(*options, **more):
        return start("hoarder", "--log-level", "info", *options, chdir=str(tmp_path), **more)

    return run


def ask_until(connection, enough, path="/"):
    """Asks, on one connection, until `enough` says so of the set of pids that answered."""
    pids = set()
    while not enough(pids):
        connection.send(fastcgi.request(cgi.variables(path), flags=KEEP))
        answer = connection.answer()
        assert answer.status == 200
        pids.add(int(answer.body))
    return pids


def test_max_requests(begin):
    daemon = begin("--max-requests", "5")
    with daemon.connect() as connection:
        pids = ask_until(connection, lambda pids: len(pids) == 3)
    old = daemon.wait_line(r"hoarder/1\[(\d+)\]: replaced after 5 requests .*\"max-requests\"")
    assert int(old.group(1)) in pids
    assert processes.wait_gone(int(old.group(1)))


def test_a_worker_below_max_requests_stays(begin):
    daemon = begin("--max-requests", "5")
    worker = daemon.only_worker()
    assert {int(daemon.get().body) for _ in range(4)} == {worker}
    assert daemon.count("replaced after") == 0


def test_max_rss(begin):
    daemon = begin("--max-rss", "150M", processes=2)
    small = set(daemon.workers)
    big = int(daemon.get("/grow").body)
    line = daemon.wait_line(r"\[(\d+)\]: replaced because it uses \d+M .*\"max-rss\"")
    assert int(line.group(1)) == big
    assert processes.wait_gone(big)
    assert len(daemon.workers) == 2 and small - {big} <= set(daemon.workers)


def test_max_lifetime(begin):
    daemon = begin("--max-lifetime", "1s", processes=2)
    old = daemon.workers
    with daemon.connect() as connection:
        ask_until(connection, lambda pids: len(pids - set(old)) >= 2)
    for pid in old:
        daemon.wait_line(rf"\[{pid}\]: replaced after .*\"max-lifetime\"")
        assert processes.wait_gone(pid)


def test_the_old_one_goes_on_while_its_replacement_cannot_load(begin, tmp_path):
    daemon = begin("--max-requests", "3")
    daemon.expect("SyntaxError|Traceback|File |def application", r" hoarder/1\[\d+\]: ")
    (tmp_path / "hoarder.py").write_text("def application(:\n")
    with daemon.connect() as connection:
        (old,) = ask_until(connection, lambda _: daemon.count("replacing it in") > 0)
        (tmp_path / "hoarder.py").write_text(APPLICATION)
        assert old in ask_until(connection, lambda pids: len(pids - {old}) > 0)
    assert processes.wait_gone(old)


def test_a_replaced_worker_finishes_its_request(start):
    daemon = start("pep3333", "--max-requests", "2", "--log-level", "info")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/waiting"), flags=KEEP))
        visitor = daemon.gate.arrival()
        for _ in range(2):
            assert daemon.get("/single").status == 200
        daemon.wait_line("replaced after 2 requests")
        assert daemon.get("/single").status == 200
        visitor.release()
        assert connection.answer().status == 200
    assert processes.wait_gone(visitor.pid)
