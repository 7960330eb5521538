"""Signals to the processes of a daemon: only the master obeys them."""

import os
import signal
import subprocess

import pytest
from harness import cgi, daemon as daemons, fastcgi, processes
from harness.daemon import APPS

WAITING = cgi.variables("/waiting")
TO_ALL = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
HARMLESS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
OBEYED = TO_ALL + HARMLESS
SITE = """
import os, signal, subprocess, sys, threading
from gate_client import wait_at_gate

def child_state():
    script = "import signal, json; print(json.dumps([[int(signal.getsignal(n)) for n in (1, 3, 10," \\
        " 12, 15)], [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])]]))"
    return subprocess.run([sys.executable, "-c", script], capture_output=True).stdout

def forked_dies_of(number):
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), number)
        os._exit(7)
    return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode()

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]
    if path == "/wait":
        wait_at_gate("wait")
    if path == "/child":
        return [child_state()]
    if path == "/fork":
        return [forked_dies_of(int(environ["QUERY_STRING"]))]
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)

    def write(before="", name="signalled"):
        (tmp_path / f"{name}.py").write_text(before + SITE)
        return {"app": name, "chdir": str(tmp_path)}

    return write


def run_site(start, site, *options, before="", **settings):
    where = site(before)
    return start(
        where["app"], "--pythonpath", APPS, *options, chdir=where["chdir"], **settings
    )


def send_to_all(daemon, number):
    """As a container's end or pkill(1) does: all at once, in any order."""
    for pid in reversed(daemon.members()):
        processes.kill(pid, number)


@pytest.mark.parametrize("preload", [[], ["--preload"]])
@pytest.mark.parametrize("number", TO_ALL)
def test_a_signal_to_all_processes_finishes_requests(start, site, number, preload):
    daemon = run_site(start, site, *preload, threads=1)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait")))
        visitor = daemon.gate.arrival()
        mark = daemon.mark()
        send_to_all(daemon, number)
        daemon.wait_line("stopping", since=mark)
        visitor.release()
        assert connection.answer().status == 200
    assert daemon.process.wait(20) == 0


@pytest.mark.parametrize("preload", [[], ["--preload"]])
@pytest.mark.parametrize("number", HARMLESS)
def test_a_signal_to_all_processes_loses_nothing(start, site, number, preload):
    daemon = run_site(start, site, *preload, processes=2, threads=1)
    gateway, mark = daemon.gateway, daemon.mark()
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait")))
        visitor = daemon.gate.arrival()
        send_to_all(daemon, number)
        daemon.wait_line("opened anew" if number == signal.SIGUSR1 else "reloaded", 20, mark)
        visitor.release()
        assert connection.answer().status == 200
    assert daemon.get().status == 200 and daemon.gateway == gateway


def test_only_the_master_obeys(start, site):
    """Gateway, template and workers stay whatever they are sent; TERM to a worker is below."""
    daemon = run_site(start, site, "--preload")
    family = daemon.members()
    for number in OBEYED:
        for pid in [daemon.gateway, *daemon.family("template")]:
            os.kill(pid, number)
    for number in [signal.SIGINT, signal.SIGQUIT, *HARMLESS]:
        os.kill(daemon.workers[0], number)
    assert daemon.get().status == 200 and daemon.members() == family


def test_usr2_reloads(start, site):
    daemon = run_site(start, site)
    mark = daemon.mark()
    daemon.signal(signal.SIGUSR2)
    daemon.wait_line("reloaded pool .*: generation 2 serves", 20, mark)


@pytest.mark.parametrize("preload", [[], ["--preload"]])
def test_term_to_a_worker_drains_it(start, site, preload):
    """It finishes what it has, gets no more when another is ready, and is replaced; said."""
    daemon = run_site(start, site, "--log-level", "info", *preload, threads=1)
    old = daemon.only_worker()
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait")))
        visitor = daemon.gate.arrival()
        mark = daemon.mark()
        os.kill(old, signal.SIGTERM)
        daemon.wait_line(rf"notice \S+/1\[{old}\]: was sent TERM: finishes its requests", 20, mark)
        daemon.wait_line(rf"\S+/1\[{old}\]: replaced after TERM", 20, mark)
        assert int(daemon.get().body) != old
        visitor.release()
        assert connection.answer().status == 200
    assert processes.wait_gone(old) and len(daemon.workers) == 1
    daemon.wait_line(rf"info \S+/1\[{old}\]: exited with status 0", since=mark)


def test_term_to_an_idle_worker_replaces_it(start, site):
    daemon = run_site(start, site, "--log-level", "info")
    old = daemon.only_worker()
    mark = daemon.mark()
    os.kill(old, signal.SIGTERM)
    daemon.wait_line(rf"\[{old}\]: exited with status 0", 20, mark)
    assert int(daemon.get().body) != old


def test_term_to_a_worker_that_imports_is_remembered(start, site):
    daemon = run_site(start, site, "--log-level", "info")
    old = daemon.only_worker()
    site("from gate_client import wait_at_gate\nwait_at_gate('import')\n")
    daemon.signal(signal.SIGHUP)
    visitor = daemon.gate.arrival()
    os.kill(visitor.pid, signal.SIGTERM)
    mark = daemon.mark()
    visitor.release()
    daemon.wait_line("reloaded pool", 20, mark)
    daemon.gate.arrival().release()
    daemon.wait_line(rf"\[{visitor.pid}\]: replaced after TERM", 20, mark)
    daemon.wait_line(rf"\[{visitor.pid}\]: exited with status 0", 20, mark)


def test_children_of_an_application_know_nothing_of_it(start, site):
    """Default dispositions and an empty mask in programs, defaults in forks."""
    daemon = run_site(start, site)
    assert daemon.get("/child").body.strip() == b"[[0, 0, 0, 0, 0], []]"
    for number in [signal.SIGTERM, *HARMLESS]:
        assert int(daemon.get("/fork", QUERY_STRING=str(int(number))).body) == -number


def test_the_template_starts_children_as_a_worker_does(start, site):
    before = "import subprocess\nsleeper = subprocess.Popen(['sleep', '1000'])\n"
    daemon = run_site(start, site, "--preload", before=before)
    (sleeper,) = [pid for pid in daemon.members() if processes.title(pid) == "sleep 1000"]
    assert processes.status_of(sleeper)["SigBlk"] == ["0" * 16]
    os.kill(sleeper, signal.SIGTERM)
    assert processes.wait_until(lambda: not processes.is_alive(sleeper))


def test_handlers_of_an_application_work(start, site):
    before = (
        "import signal\n"
        "for number in (1, 10, 12, 15):\n"
        "    signal.signal(number, lambda number, _: print('handled', number, flush=True))\n"
    )
    daemon = run_site(start, site, before=before, threads=1)
    for number in (1, 10, 12, 15):
        mark = daemon.mark()
        # One that comes in the instant before the thread sleeps has its handler run later.
        while not daemon.count(f"handled {number}"):
            os.kill(daemon.workers[0], number)
            assert daemon.get().status == 200
        daemon.wait_line(f"handled {number}", since=mark)


def test_a_default_that_an_import_restores_is_not_kept(start, site):
    before = "import signal\nfor n in (1, 10, 12, 15): signal.signal(n, signal.SIG_DFL)\n"
    daemon = run_site(start, site, before=before)
    worker = daemon.only_worker()
    for number in HARMLESS:
        os.kill(worker, number)
    assert int(daemon.get().body) == worker


@pytest.mark.parametrize("number", OBEYED)
def test_a_signal_in_the_first_instant_is_not_lost(site, number):
    """Sent before the program can have done anything."""
    where = site()
    for attempt in range(5):
        sock = os.path.join(where["chdir"], f"sock{attempt}")
        process = subprocess.Popen(
            [daemons.PROGRAM, where["app"], "--fastcgi", f"unix:{sock}", "--chdir", where["chdir"],
             "--pythonpath", APPS, "--processes", "1", *daemons.common_options()],
            env=daemons.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        with process:
            started = processes.wait_until(lambda: pycgid_runs(process.pid))
            process.send_signal(number)
            assert started
            if number in HARMLESS:
                line = "opened anew" if number == signal.SIGUSR1 else "reloaded"
                assert any(line in each for each in process.stdout)
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        assert process.returncode == 0


def pycgid_runs(pid):
    """It is past exec(2) and holds signals back."""
    try:
        return int(processes.status_of(pid)["SigBlk"][0], 16) & 1 << signal.SIGUSR2 - 1
    except (OSError, KeyError):
        return False


def test_all_processes_have_the_programs_name(start, site):
    daemon = run_site(start, site, "--preload", processes=2)
    family = daemon.members()
    assert len(family) == 5
    for pid in family:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            assert file.read() == "pycgid\n", processes.title(pid)
    found = subprocess.run(["pidof", "pycgid"], capture_output=True, text=True, check=True)
    assert set(family) <= {int(pid) for pid in found.stdout.split()}
