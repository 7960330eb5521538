"""Option preload: templates, workers and those half forked, killed at every moment."""

import json
import os

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import APPS
from harness.fastcgi import KEEP

LINES = r" dying/(\d+|template)(\[\d+\])?: "

# Every process passes its moment, and waits there for the test when there is a file of that name.
# The handlers of the C library also run in the process between template and worker.
APPLICATION = """
import ctypes, json, os
from gate_client import wait_at_gate

LOADED_BY = os.getpid()
forks = 0

def pause(moment):
    if os.path.exists(moment):
        wait_at_gate(moment)

@ctypes.CFUNCTYPE(None)
def before_a_fork():
    pause("before" if os.getpid() == LOADED_BY else "between")

@ctypes.CFUNCTYPE(None)
def in_a_child():
    global forks
    forks += 1
    if forks == 2:
        pause("child")

ctypes.CDLL(None).__register_atfork(before_a_fork, None, in_a_child, None)
os.register_at_fork(after_in_child=lambda: pause("forked"))
pause("loading")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "loaded_by": LOADED_BY}).encode()]
"""


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "dying.py").write_text(APPLICATION)
    return tmp_path


@pytest.fixture
def begin(start, site):
    def run(*options, **more):
        options = ("--preload", "--pythonpath", APPS, "--log-level", "info", *options)
        daemon = start("dying", *options, chdir=str(site), **more)
        daemon.wait_line("ready: pool")
        daemon.expect(LINES)
        return daemon

    return run


def template(daemon):
    (pid,) = daemon.family("template")
    return pid


def facts(daemon):
    answer = daemon.get()
    assert answer.status == 200
    return json.loads(answer.body)


def check_family(daemon, workers):
    """Master, gateway, one template and the workers, and nobody else: neither an orphan nor a lost
    place."""
    told = facts(daemon)
    family = set(daemon.members())
    known = {daemon.process.pid, daemon.gateway, template(daemon), *daemon.workers}
    assert family == known and len(daemon.workers) == workers
    assert told["pid"] in daemon.workers


def test_workers_go_on_without_their_template(begin):
    daemon = begin(processes=2)
    old, workers = template(daemon), daemon.workers
    processes.kill(old)
    line = daemon.wait_line(rf"error dying/template\[{old}\]: was killed by signal 9 .*").group(0)
    assert "workers go on" in line
    assert facts(daemon)["loaded_by"] == old and daemon.workers == workers
    processes.kill(workers[0])
    daemon.wait_line(rf"dying/\d\[{workers[0]}\]: was killed by signal 9 .*replacing it")
    mark = line_of_end(daemon, old)
    ready = daemon.wait_line(r"info dying/template\[(\d+)\]: ready", since=mark)
    # A process on its way to be a worker has the template's title.
    daemon.wait_line(r"info dying/\d\[\d+\]: ready", since=mark)
    assert int(ready.group(1)) == template(daemon) != old
    check_family(daemon, 2)


def line_of_end(daemon, pid):
    """The number of the line that tells of a process's end."""
    return next(i for i, line in enumerate(daemon.lines) if f"[{pid}]: was killed" in line)


@pytest.mark.parametrize("moment", ["before", "between", "child", "forked"])
@pytest.mark.parametrize("victim", ["template", "visitor"])
def test_a_death_while_a_worker_is_forked(begin, site, moment, victim):
    """`visitor` is whoever has come to that moment: template, process in between, or worker."""
    daemon = begin(processes=1)
    mother, worker = template(daemon), daemon.only_worker()
    (site / moment).touch()
    processes.kill(worker)
    visitor = daemon.gate.arrival()
    assert (visitor.name, visitor.pid == mother) == (moment, moment == "before")
    (site / moment).unlink()
    mark = daemon.mark()
    processes.kill(mother if victim == "template" else visitor.pid)
    if moment == "forked" and victim == "template":
        daemon.wait_line(rf"template\[{mother}\]: was killed by signal 9")
        visitor.release()
    daemon.wait_line(r"info dying/1\[\d+\]: ready", since=mark)
    told = facts(daemon)
    assert (told["pid"] == visitor.pid) == (moment == "forked" and victim == "template")
    if moment != "forked":
        assert processes.wait_gone(visitor.pid)
    if told["loaded_by"] in daemon.family("template"):
        check_family(daemon, 1)


def test_a_template_that_dies_while_it_loads_again(begin, site):
    daemon = begin(processes=2)
    old, workers = template(daemon), daemon.workers
    (site / "loading").touch()
    processes.kill(old)
    assert processes.wait_gone(old)
    processes.kill(workers[0])
    visitor = daemon.gate.arrival()
    assert facts(daemon)["pid"] == workers[1]
    (site / "loading").unlink()
    processes.kill(visitor.pid)
    daemon.wait_line(rf"error dying/\d: dying/template\[{visitor.pid}\] was killed by signal 9 "
                     r"\(Killed\) before it was ready; replacing it")
    mark = line_of_end(daemon, old)
    daemon.wait_line(r"info dying/\d\[\d+\]: ready", since=mark)
    check_family(daemon, 2)


@pytest.mark.parametrize("moment", ["serving", "loading", "before", "between", "child", "forked"])
def test_a_master_that_dies_leaves_nobody(begin, site, moment):
    daemon = begin(processes=2)
    if moment != "serving":
        (site / moment).touch()
        if moment == "loading":
            old = template(daemon)
            processes.kill(old)
            assert processes.wait_gone(old)
        processes.kill(daemon.workers[0])
        daemon.gate.arrival()
    processes.kill(daemon.process.pid)
    daemon.process.wait()
    if moment in ("between", "child"):
        daemon.gate.close()  # What is half forked looks around once it goes on.
    daemon.check_family_gone()
    daemon.kill()


@pytest.mark.parametrize("moment", ["before", "between", "child", "forked"])
def test_the_daemon_ends_while_a_worker_is_forked(begin, site, moment):
    daemon = begin("--stop-timeout", "1s", processes=2)
    (site / moment).touch()
    processes.kill(daemon.workers[0])
    daemon.gate.arrival()
    daemon.process.terminate()
    assert daemon.process.wait(10) == 0


def test_templates_killed_again_and_again_under_load(begin):
    """The daemon serves all the time; stop() sees whether anybody is left behind."""
    daemon = begin("--max-requests", "2", processes=2, threads=1)
    mothers = set()
    with daemon.connect() as connection:
        while len(mothers) < 6:
            connection.send(fastcgi.request(cgi.variables(), flags=KEEP))
            answer = connection.answer()
            assert answer.status == 200
            new = json.loads(answer.body)["loaded_by"]
            if new in mothers:
                continue
            mothers.add(new)
            processes.kill(new)
