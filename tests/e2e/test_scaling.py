"""Pools with a range of processes: they grow when requests wait and shrink when idle, down to no
worker at all, which starts on demand (issue 3, point 4)."""

import contextlib
import os
import shutil
import signal

import pytest
from harness import cgi, elastic, fastcgi, processes
from harness.daemon import APPS, common_options, run
from harness.elastic import figures, grow, wait_ends

pytestmark = pytest.mark.timeout(170)


@pytest.fixture
def site(tmp_path):
    """A directory with the application, whose text can be changed."""
    os.chmod(tmp_path, 0o755)
    for module in ("elastic.py", "gate_client.py"):
        shutil.copy(os.path.join(APPS, module), tmp_path)
    return tmp_path


@pytest.fixture
def begin(start, site):
    def run_it(*options, **more):
        more = {"threads": 1, "chdir": str(site), **more}
        return start("elastic", *elastic.OPTIONS, *options, **more)

    return run_it


def test_it_grows_while_requests_wait_and_shrinks_when_idle(begin):
    daemon = begin(processes="1-3")
    daemon.wait_line('ready: pool "elastic", 1-3 workers x 1 thread, on ')
    first = daemon.only_worker()
    with contextlib.ExitStack() as stack:
        visitors = elastic.occupy(daemon, stack, 3)
        pids = {visitor.pid for visitor in visitors}
        assert len(pids) == 3 and first in pids
        late = stack.enter_context(daemon.connect(timeout=30))
        late.send(fastcgi.request(cgi.variables("/")))
        daemon.wait_line(
            "notice elastic: as many workers as there may be: all 3 threads are busy and 1 request "
            'waits .option "processes" or "threads"'
        )
        shown = figures(daemon)
        assert (shown["min_workers"], shown["workers"], shown["max_workers"]) == (1, 3, 3)
        assert set(daemon.workers) == pids
        for visitor in visitors:
            visitor.release()
        assert late.answer().status == 200
    ended = wait_ends(daemon, 2)
    for pid in ended:
        assert processes.wait_gone(pid)
    (last,) = pids - set(ended)
    assert daemon.workers == [last] and int(daemon.get("/").body) == last
    assert figures(daemon)["workers"] == 1


def test_only_a_worker_without_a_request_ends(begin):
    """Though others are older, and however long the request takes."""
    daemon = begin("--stop-timeout", "1s", processes="1-3")
    with contextlib.ExitStack() as stack:
        visitors = elastic.occupy(daemon, stack, 2)
        long = stack.enter_context(daemon.connect(timeout=60))
        long.send(fastcgi.request(cgi.variables("/wait")))
        busy = daemon.gate.arrival(30)
        for visitor in visitors:
            visitor.release()
        assert set(wait_ends(daemon, 2)) == {visitor.pid for visitor in visitors}
        busy.release()
        assert int(long.answer().body) == busy.pid


def test_0_to_max_starts_on_demand(begin):
    daemon = begin(processes="0-2")
    daemon.wait_line('ready: pool "elastic", 0-2 workers x 1 thread, on ')
    pids = set(daemon.workers)
    for times in (1, 2):
        ended = wait_ends(daemon, times)
        assert set(ended) == pids
        assert all(processes.wait_gone(pid) for pid in pids)
        assert daemon.workers == [] and figures(daemon)["workers"] == 0
        answer = daemon.get("/")
        assert answer.status == 200 and daemon.workers == [int(answer.body)]
        pids.add(int(answer.body))
    assert len(pids) == 3 and len(grow(daemon, 2)) == 2


def test_an_application_that_does_not_load_on_demand_is_answered_503(begin, site):
    daemon = begin(processes="0-2")
    wait_ends(daemon, 1)
    (site / "elastic.py").write_text("def application(:\n")
    daemon.expect("SyntaxError|Traceback|File |def application", r" elastic/1\[\d+\]: ")
    answer = daemon.get("/")
    assert answer.status == 503 and int(answer.header("Retry-After")) > 0
    daemon.wait_line("SyntaxError.*; the requests that wait for it are answered 503; another is")
    assert figures(daemon)["failures"]["not started"] == 1
    shutil.copy(os.path.join(APPS, "elastic.py"), site)
    assert daemon.get("/").status == 200


def test_an_application_that_does_not_load_fails_the_start_of_0_to_max(tmp_path):
    options = ["--fastcgi", f"unix:{tmp_path}/socket", "--processes", "0-2", *common_options()]
    done = run("not_there", *options, "--chdir", str(tmp_path), deadline=60)
    assert done.returncode == 78 and "not_there" in done.stderr


def test_a_queue_of_none_asks_for_workers_too(begin):
    """The request is refused, but the next ones find a worker."""
    daemon = begin("--max-queue", "0", processes="1-2")
    with contextlib.ExitStack() as stack:
        (visitor,) = elastic.occupy(daemon, stack, 1)
        assert daemon.get("/").status == 503
        daemon.wait_line(r"elastic/2\[\d+\]: ready after", 30)
        assert daemon.get("/").status == 200
        visitor.release()


def test_a_reload_begins_with_as_many_workers_as_there_are(begin):
    daemon = begin(processes="1-4")
    old = grow(daemon, 3)
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool .* generation 2 serves, 3 workers", 30)
    assert all(processes.wait_gone(pid, 30) for pid in old)
    assert len(daemon.workers) == 3 and len(grow(daemon, 4)) == 4


def test_a_reload_without_a_worker_tries_the_application(begin, site):
    daemon = begin(processes="0-4")
    wait_ends(daemon, 1)
    (site / "elastic.py").write_text("raise RuntimeError('broken')\n")
    daemon.expect("Traceback|File |RuntimeError", r" elastic/1\[\d+\]: ")
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reload failed: .*broken", 30)
    shutil.copy(os.path.join(APPS, "elastic.py"), site)
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool .* generation 3 serves", 30)
    assert daemon.get("/").status == 200


def test_a_new_gateway_finds_as_many_workers_as_before(begin):
    daemon = begin(processes="1-3")
    old = grow(daemon, 2)
    daemon.expect("replacing it and all workers", "exited with status 0")
    mark = daemon.mark()
    processes.kill(daemon.gateway)
    assert all(processes.wait_gone(pid, 30) for pid in old)
    for number in (1, 2):
        daemon.wait_line(rf"elastic/{number}\[\d+\]: ready after", 30, since=mark)
    assert len(daemon.workers) == 2 and daemon.get("/").status == 200
