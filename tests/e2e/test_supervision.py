"""Processes that die, and the end of the daemon (issue 2, point 6; F3)."""

import os
import signal

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import APPS
from harness.fastcgi import KEEP

WORKER_LINES = r" \S+/\d+\[\d+\]: "
WAITING = cgi.variables("/waiting")


def test_processes_have_titles(start):
    daemon = start("pep3333", processes=2)
    assert processes.title(daemon.process.pid).startswith("pycgid: master")
    assert processes.title(daemon.gateway).startswith("pycgid: gateway")
    assert len(daemon.workers) == 2
    assert all("pycgid: worker" in processes.title(pid) for pid in daemon.workers)


def test_an_idle_worker_that_dies_is_replaced(start):
    daemon = start("crashing")
    worker = daemon.only_worker()
    mark = daemon.mark()
    processes.kill(worker)
    daemon.wait_line("replac", since=mark)
    answer = daemon.get("/pid")
    assert answer.status == 200 and int(answer.body) != worker
    assert "signal 9" in daemon.wait_line(rf"{worker}.*killed by.*").group(0)


def test_a_worker_that_dies_with_requests_answers_502(start):
    daemon = start("pep3333", threads=2)
    daemon.expect(WORKER_LINES, "GET /waiting")
    with daemon.connect() as connection:
        for each in (1, 2, 3):
            connection.send(fastcgi.request(WAITING, b"", each, KEEP))
        visitors = [daemon.gate.arrival(), daemon.gate.arrival()]
        processes.kill(visitors[0].pid)
        statuses = [connection.answer(each).status for each in (1, 2)]
        assert statuses == [502, 502]
        # The queued one was nobody's yet: the new worker answers it.
        daemon.gate.arrival().release()
        assert connection.answer(3).status == 200


def test_the_other_worker_goes_on(start):
    daemon = start("pep3333", processes=2, threads=1)
    daemon.expect(WORKER_LINES, "GET /waiting")
    with daemon.connect() as connection:
        for each in (1, 2):
            connection.send(fastcgi.request(WAITING, b"", each, KEEP))
        visitors = [daemon.gate.arrival(), daemon.gate.arrival()]
        assert visitors[0].pid != visitors[1].pid
        processes.kill(visitors[0].pid)
        visitors[1].release()
        assert sorted(connection.answer(each).status for each in (1, 2)) == [200, 502]


@pytest.mark.parametrize("whom", [None, "worker", "master"])
def test_a_worker_that_forks_takes_its_children_along(start, tmp_path, whom):
    """A child of the application's shares the worker's process group, and its fate."""
    (tmp_path / "forking.py").write_text(
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [str(child.pid).encode()]\n"
    )
    os.chmod(tmp_path, 0o755)
    daemon = start("forking", chdir=str(tmp_path))
    child = int(daemon.get().body)
    if whom == "master":
        processes.kill(daemon.process.pid)
    elif whom == "worker":
        daemon.expect("killed by signal 9")
        processes.kill(daemon.workers[0])
    else:
        daemon.stop()
    assert processes.wait_gone(child)
    if whom == "master":
        daemon.kill()


@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_stands_still_does_not_get_one_request_after_the_other(start, which):
    daemon = start("pep3333", "--queue-timeout", "1s", processes=2, threads=1)
    daemon.expect("queue-timeout")
    stopped = daemon.workers[which]
    processes.kill(stopped, signal.SIGSTOP)
    try:
        statuses = [daemon.get("/single").status for _ in range(4)]
    finally:
        processes.kill(stopped, signal.SIGCONT)
    assert statuses in ([200] * 4, [503, 200, 200, 200])
    assert daemon.get("/single").status == 200


def test_a_gateway_that_dies_is_replaced(start):
    daemon = start("crashing")
    gateway = daemon.gateway
    daemon.expect("exited with status 0")  # A worker that noticed it before the master did.
    processes.kill(gateway)
    daemon.wait_line(rf"gateway\[{gateway}\].*killed by signal 9")
    assert daemon.get("/pid").status == 200 and daemon.get_scgi("/pid").status == 200
    assert daemon.gateway != gateway


def test_a_gateway_that_dies_takes_running_requests_along(start):
    daemon = start("pep3333")
    daemon.expect("gateway", WORKER_LINES, "exited with status 0")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(WAITING))
        visitor = daemon.gate.arrival()
        processes.kill(daemon.gateway)
        assert connection.at_end()
    assert processes.wait_gone(visitor.pid)
    assert daemon.get("/single").status == 200


@pytest.mark.parametrize("busy", [False, True])
def test_a_master_that_dies_leaves_no_orphan(start, busy):
    daemon = start("pep3333", processes=2)
    family = daemon.members()
    assert len(family) == 4
    with daemon.connect() as connection:
        if busy:
            connection.send(fastcgi.request(WAITING))
            daemon.gate.arrival()
        processes.kill(daemon.process.pid)
        daemon.process.wait()
        daemon.check_family_gone()
    daemon.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_F3_a_signal_ends_the_daemon_with_0(start, number):
    daemon = start("pep3333")
    daemon.signal(number)
    assert daemon.process.wait(10) == 0
    daemon.stop()


@pytest.mark.parametrize("flags", [0, KEEP])
def test_F3_term_finishes_what_has_been_accepted(start, flags):
    daemon = start("pep3333", threads=1)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(WAITING, b"", 1, flags))
        visitor = daemon.gate.arrival()
        connection.send(fastcgi.request(cgi.variables("/single"), b"", 2, flags))
        connection.send(fastcgi.get_values("FCGI_MAX_REQS"))
        assert connection.next_record(0), "the second request is accepted"
        mark = daemon.mark()
        daemon.signal(signal.SIGTERM)
        daemon.wait_line("stopping", since=mark)
        visitor.release()
        assert connection.answer(1).status == 200
        assert connection.answer(2).status == 200
        assert connection.at_end()
    assert daemon.process.wait(10) == 0


def test_term_sends_a_large_response_to_its_end(start):
    daemon = start("files")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/download", query="30")))
        blocks = connection.blocks()
        received = len(next(blocks))
        mark = daemon.mark()
        daemon.signal(signal.SIGTERM)
        daemon.wait_line("stopping", since=mark)
        received += sum(map(len, blocks))
        assert received > 30 << 20
    assert daemon.process.wait(10) == 0


def test_a_second_term_ends_at_once(start):
    daemon = start("pep3333")
    daemon.expect(WORKER_LINES, "GET /waiting")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(WAITING))
        daemon.gate.arrival()
        mark = daemon.mark()
        daemon.signal(signal.SIGTERM)
        daemon.wait_line("stopping", since=mark)
        assert daemon.process.poll() is None
        daemon.signal(signal.SIGTERM)
        daemon.process.wait(3)
        daemon.check_family_gone()


def test_stop_timeout_ends_what_does_not_end(start):
    daemon = start("pep3333", "--stop-timeout", "300ms")
    daemon.expect(WORKER_LINES, "GET /waiting", "stop-timeout")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(WAITING))
        daemon.gate.arrival()
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(10) == 0
        daemon.check_family_gone()


def test_an_application_that_dies_at_once_again_and_again_is_slowed_down(start, tmp_path):
    """Its first start is fine; every later one fails. The daemon must not spin."""
    (tmp_path / "once.py").write_text(
        "import os, os.path\n"
        "if os.path.exists('started'):\n"
        "    os._exit(9)\n"
        "open('started', 'w').close()\n"
        "def application(environ, start_response):\n"
        "    os._exit(9)\n"
    )
    os.chmod(tmp_path, 0o777)
    daemon = start("once", chdir=str(tmp_path))
    daemon.expect(WORKER_LINES, r"once|exited", "GET")
    mark = daemon.mark()
    assert daemon.get().status == 502
    for _ in range(3):
        daemon.wait_line("status 9", since=mark)
        mark = daemon.mark()
    assert daemon.count("status 9") < 20


def test_the_line_about_a_death_has_it_all(start):
    """Pid, signal, age, every request that was running, and what comes next."""
    daemon = start("pep3333", threads=2)
    worker = daemon.only_worker()
    with daemon.connect() as connection:
        for each in (1, 2):
            connection.send(fastcgi.request(WAITING, b"", each, KEEP))
        daemon.gate.arrival(), daemon.gate.arrival()
        processes.kill(worker)
        assert [connection.answer(each).status for each in (1, 2)] == [502, 502]
    request = r"request [0-9a-f]+-\d+ \(GET /waiting\): answered 502"
    daemon.wait_line(
        rf"error pep3333/1\[{worker}\]: was killed by signal 9 \(Killed\), after \d\S*,"
        rf" running {request}, {request}; replacing it$"
    )
    assert daemon.count(str(worker)) == 1 and daemon.count("GET /waiting") == 1


def test_the_line_about_a_crash_tells_of_the_core(start, tmp_path):
    """If the system keeps cores, which is not for the daemon to say."""
    daemon = start("crashing", "--rlimit-core", "unlimited", "--pythonpath", APPS, chdir=tmp_path)
    assert daemon.get("/aborts").status == 502
    daemon.wait_line(
        r"was killed by signal 6 \(Aborted\)(, core dumped)?, after \d\S*,"
        r" running request \S+ \(GET /aborts\): answered 502; replacing it$"
    )


def start_once(start, tmp_path, at_broken, *options):
    """An application that does this while it is loaded when there is a file `broken`."""
    (tmp_path / "once.py").write_text(
        "import os, os.path, threading\n"
        "if os.path.exists('broken'):\n"
        f"    {at_broken}\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'well']\n"
    )
    return start("once", "--log-level", "info", *options, chdir=str(tmp_path))


def wait_without_a_worker(daemon, tmp_path):
    """A request that is sent when the pool's worker has died, and the next one finds `broken`."""
    (tmp_path / "broken").touch()
    mark = daemon.mark()
    processes.kill(daemon.workers[0])
    daemon.wait_line("killed by signal 9 .*; replacing it", 20, mark)
    connection = daemon.connect()
    connection.send(fastcgi.request(cgi.variables("/waits")))
    return connection


def test_what_waits_is_answered_503_when_a_pool_has_no_workers(start, tmp_path):
    daemon = start_once(start, tmp_path, "os._exit(9)", "--queue-timeout", "10m")
    daemon.expect(WORKER_LINES, r"answered 503")
    with wait_without_a_worker(daemon, tmp_path) as connection:
        assert connection.answer().status == 503
    daemon.wait_line(r"\(GET /waits\): answered 503: its workers end before they are ready")


def test_what_waits_for_a_starting_worker_is_answered_503_when_the_daemon_ends(start, tmp_path):
    options = ("--queue-timeout", "10m", "--stop-timeout", "10m")
    daemon = start_once(start, tmp_path, "threading.Event().wait()", *options)
    daemon.expect(WORKER_LINES, r"answered 503")
    with wait_without_a_worker(daemon, tmp_path) as connection:
        daemon.signal(signal.SIGTERM)
        assert connection.answer().status == 503
    assert daemon.process.wait(20) == 0
    daemon.wait_line(r"\(GET /waits\): answered 503: the daemon is stopping")
    daemon.wait_line("warning once: answered 503: the daemon is stopping")


def test_a_pool_without_workers_answers_503(start, tmp_path):
    """When they die again and again, and the next one has to wait."""
    daemon = start_once(start, tmp_path, "os._exit(9)")
    daemon.expect(WORKER_LINES, r"request \S+ \(GET /\): answered 503")
    (tmp_path / "broken").touch()
    mark = daemon.mark()
    processes.kill(daemon.workers[0])
    daemon.wait_line(r"exited with status 9 before it was ready; replacing it in 1\.6s", 20, mark)
    answer = daemon.get()
    assert answer.status == 503 and int(answer.header("retry-after")) > 0
    daemon.wait_line("answered 503: its workers end before they are ready")
    (tmp_path / "broken").unlink()
    daemon.wait_line("ready after", 20, mark)
    assert daemon.get().status == 200
