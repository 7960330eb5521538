"""The life of a worker: its number, and the commands of options on-start and on-exit."""

import json
import os
import pwd
import re
import signal
import time

import pytest
from harness import daemon as pycgid
from harness import cgi, fastcgi, processes
from harness.daemon import APPS
from harness.real_users import FIRST, GATEWAY, worker_of

APPLICATION = """
import json, os, pycgid

with open("trace", "a") as file:
    file.write(f"loaded {os.getpid()}\\n")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    told = [os.getpid(), pycgid.worker, environ["pycgid.worker"], os.environ["PYCGID_WORKER"]]
    return [json.dumps(told).encode()]
"""
START = "echo start $PYCGID_POOL $PYCGID_WORKER $PYCGID_PID $MINE >> trace"
EXIT = "echo exit $PYCGID_POOL $PYCGID_WORKER $PYCGID_PID $PYCGID_STATUS $MINE >> trace"


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "lively.py").write_text(APPLICATION)
    return tmp_path


@pytest.fixture
def begin(start, site):
    def run(*options, **more):
        daemon = start("lively", "--env", "MINE=set", *options, chdir=str(site), **more)
        daemon.wait_line("ready: pool")
        return daemon

    return run


def trace(site):
    file = site / "trace"
    return file.read_text().splitlines() if file.exists() else []


def wait_trace(site, line):
    assert processes.wait_until(lambda: line in trace(site)), (line, trace(site))


def told(daemon):
    return json.loads(daemon.get().body)


def kill_worker(daemon, pid):
    daemon.expect(r" lively/\d\[\d+\]: ")
    mark = daemon.mark()
    processes.kill(pid)
    daemon.wait_line("replacing it", since=mark)


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_a_worker_and_its_replacement_have_one_number(begin, options):
    daemon = begin(*options, threads=1)
    pid, *numbers = told(daemon)
    assert numbers == [1, 1, "1"]
    kill_worker(daemon, pid)
    new, *numbers = told(daemon)
    assert new != pid and numbers == [1, 1, "1"]


def test_on_start_runs_before_the_application_is_loaded(begin, site):
    daemon = begin("--on-start", START)
    pid = told(daemon)[0]
    assert trace(site) == [f"start lively 1 {pid} set", f"loaded {pid}"]


def test_with_preload_on_start_runs_in_each_forked_worker(begin, site):
    daemon = begin("--on-start", START, "--preload", processes=2)
    first, *more = trace(site)
    assert first == f"loaded {daemon.family('template')[0]}"
    workers = daemon.workers
    assert sorted(more) == sorted(
        f"start lively {processes.title(pid)[-1]} {pid} set" for pid in workers
    )
    kill_worker(daemon, workers[0])
    assert processes.wait_until(lambda: len(trace(site)) == 4)


def test_what_on_start_prints_is_the_workers(begin):
    daemon = begin("--on-start", "echo printed; echo complained >&2")
    pid = told(daemon)[0]
    for word in ("printed", "complained"):
        daemon.wait_line(rf"notice lively/1\[{pid}\]: {word}$")


@pytest.mark.parametrize("options", [(), ("--preload",)])
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 3", r'the command that starts a worker ended with status 3 \(option "on-start"\)'),
        ("kill -9 $$", r'was killed by signal 9 \(option "on-start"\)'),
        ("sleep 1000", r'"on-start" did not end in time \(option "start-timeout"\)'),
    ],
)
def test_an_on_start_that_fails_fails_the_start(site, command, reason, options):
    arguments = ["lively", "--chdir", str(site), "--fastcgi", f"unix:{site}/socket"]
    arguments += ["--on-start", command, "--processes=1", "--start-timeout=2s", *options]
    done = pycgid.run(*arguments, *pycgid.common_options())
    assert done.returncode == 75
    assert re.search(reason, done.stderr.splitlines()[-1]), done.stderr
    assert options or trace(site) == []


def test_a_reload_whose_on_start_fails_changes_nothing(begin, site):
    daemon = begin("--on-start", "! test -e forbidden")
    pid = told(daemon)[0]
    (site / "forbidden").touch()
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line(r"reload failed: .*status 1 \(option \"on-start\"\)", since=mark)
    assert told(daemon)[0] == pid


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_on_exit_runs_when_a_worker_is_killed(begin, site, options):
    daemon = begin("--on-exit", EXIT, *options)
    pid = told(daemon)[0]
    kill_worker(daemon, pid)
    wait_trace(site, f"exit lively 1 {pid} 137 set")


def test_on_exit_runs_when_a_worker_is_superseded_and_at_the_end(begin, site):
    daemon = begin("--on-exit", EXIT)
    old = told(daemon)[0]
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool", since=mark)
    wait_trace(site, f"exit lively 1 {old} 0 set")
    new = told(daemon)[0]
    daemon.stop()
    assert trace(site)[-1] == f"exit lively 1 {new} 0 set"
    assert sum(line.startswith("exit") for line in trace(site)) == 2


@pytest.mark.parametrize("options", [(), ("--preload",)])
@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
def test_on_exit_runs_at_the_end_without_a_gateway(begin, site, options, seen):
    """The gateway is killed just before; the master has been told of it by then, or not yet."""
    daemon = begin("--on-exit", EXIT, *options, processes=2)
    first = set(daemon.workers)
    assert len(first) == 2
    daemon.expect(r"gateway\[\d+\]: ", r" lively/\d\[\d+\]: ")
    gateway = daemon.gateway
    if not seen:
        daemon.signal(signal.SIGSTOP)
    processes.kill(gateway)
    if seen:
        daemon.wait_line("gateway.*was killed by signal 9")
    daemon.signal(signal.SIGTERM)
    if not seen:
        daemon.signal(signal.SIGCONT)
    assert daemon.process.wait(20) == 0
    ended = [line.split() for line in trace(site) if line.startswith("exit")]
    loaded = [line.split()[1] for line in trace(site) if line.startswith("loaded")]
    pids = [words[3] for words in ended]
    assert len(set(pids)) == len(pids) and {str(pid) for pid in first} <= set(pids), ended
    assert options or set(loaded) <= set(pids), (loaded, ended)
    daemon.stop()


def test_on_exit_is_logged_with_the_workers_name(begin):
    daemon = begin("--on-exit", "echo printed; exit 5")
    pid = told(daemon)[0]
    kill_worker(daemon, pid)
    daemon.wait_line(r"notice lively/1/on-exit\[\d+\]: printed$")
    daemon.wait_line(
        rf"warning lively/1/on-exit\[\d+\]: the command for the end of lively/1\[{pid}\] exited"
        r' with status 5 \(option "on-exit"\)$'
    )


def test_nobody_waits_for_an_on_exit_that_hangs(begin, site):
    """It ends by a file, and until then everything else goes on; the end of the daemon is last."""
    daemon = begin("--on-exit", "echo waits; while ! test -e go; do sleep 0.02; done; echo went")
    pid = told(daemon)[0]
    kill_worker(daemon, pid)
    daemon.wait_line(r"on-exit\[\d+\]: waits")
    assert told(daemon)[0] != pid
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool", since=mark)
    daemon.signal(signal.SIGTERM)
    assert processes.wait_until(lambda: daemon.count(r"on-exit\[\d+\]: waits") == 3)
    assert daemon.process.poll() is None
    (site / "go").touch()
    assert daemon.process.wait(10) == 0
    daemon.stop()
    assert daemon.count(r"on-exit\[\d+\]: went") == 3
    assert "stopped" in daemon.lines[-1]


def test_a_second_term_waits_for_no_on_exit(begin):
    daemon = begin("--on-exit", "echo waits; sleep 1000")
    daemon.signal(signal.SIGTERM)
    daemon.wait_line(r"on-exit\[\d+\]: waits")
    begun = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(10) == 0 and time.monotonic() - begun < 5


def test_on_exit_dies_with_the_master(begin):
    daemon = begin("--on-exit", "echo waits $$; exec sleep 1000")
    kill_worker(daemon, told(daemon)[0])
    pid = int(daemon.wait_line(r"waits (\d+)").group(1))
    daemon.signal(signal.SIGKILL)
    assert processes.wait_gone(pid)
    daemon.kill()


def test_on_exit_meets_signals_as_they_are_by_default(begin):
    daemon = begin("--on-exit", "grep Sig /proc/self/status")
    kill_worker(daemon, told(daemon)[0])
    for name in ("SigBlk", "SigIgn"):
        daemon.wait_line(rf"on-exit\[\d+\]: {name}:\\t0000000000000000$")


def test_the_check_runs_neither(site):
    arguments = ["-t", "lively", "--chdir", str(site), "--fastcgi", f"unix:{site}/socket"]
    arguments += ["--on-start", START, "--on-exit", EXIT, *pycgid.common_options()]
    done = pycgid.run(*arguments)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in trace(site)] == ["loaded"]


@pytest.mark.skipif(os.geteuid() != 0, reason="changes users")
def test_both_run_as_the_user_of_the_pool(place, start):
    user = pwd.getpwnam(FIRST)
    said = "echo $(id -un) $(id -Gn | wc -w) $(umask) $(pwd) $HOME $SECRET"
    options = {"on_start": said, "on_exit": said, "user": FIRST, "umask": "0027"}
    place.write(f"user = {GATEWAY}", place.pool("one", "intruder", env="SECRET=known", **options))
    running = start(None, config=place.file)
    expected = f"{FIRST} {len(os.getgrouplist(FIRST, user.pw_gid))} 0027 {APPS} {user.pw_dir} known"
    running.wait_line(rf"one/1\[\d+\]: {expected}$")
    running.expect(r"one/1\[\d+\]: ")
    processes.kill(worker_of(running, "one"))
    running.wait_line(rf"one/1/on-exit\[\d+\]: {expected}$")


METRICS = """
import os
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, multiprocess

asked = Counter("asked", "Requests")
workers = Gauge("workers", "Workers", multiprocess_mode="livesum")

def application(environ, start_response):
    asked.inc()
    workers.set(1)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    start_response("200 OK", [("X-Worker", str(environ["pycgid.worker"]))])
    yield generate_latest(registry)
    while environ["PATH_INFO"] == "/held" and os.path.exists("held"):
        time.sleep(0.01)
"""


@pytest.fixture
def counting(start, site):
    """A daemon whose workers count for Prometheus, and the directory of their files."""
    pytest.importorskip("prometheus_client")
    (site / "lively.py").write_text(METRICS)
    metrics = site / "metrics"
    dead = (
        "from prometheus_client.multiprocess import mark_process_dead;"
        "mark_process_dead($PYCGID_PID)"
    )
    options = ["--on-start", f"mkdir -p {metrics}"]
    options += ["--on-exit", f'/usr/bin/python3 -c "{dead}"']
    options += ["--env", f"PROMETHEUS_MULTIPROC_DIR={metrics}"]
    return start("lively", *options, chdir=str(site)), metrics


def test_prometheus_counts_the_workers_of_a_pool_together(counting):
    daemon, metrics = counting
    assert "asked_total 1.0\n" in daemon.get().text
    pid = daemon.only_worker()
    kill_worker(daemon, pid)
    wait_for_mark(metrics, pid)
    text = daemon.get().text
    assert "asked_total 2.0\n" in text and "workers 1.0\n" in text


def test_prometheus_tells_workers_of_one_number_apart(counting, site):
    daemon, metrics = counting
    (site / "held").touch()
    old = daemon.only_worker()
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/held")))
        connection.next_id()
        mark = daemon.mark()
        daemon.signal(signal.SIGHUP)
        daemon.wait_line("reloaded", since=mark)
        answer = daemon.get()
        assert answer.header("X-Worker") == "1" and daemon.workers != [old]
        assert "asked_total 2.0\n" in answer.text and "workers 2.0\n" in answer.text
        (site / "held").unlink()
        assert "asked_total 1.0\n" in connection.answer().text
    wait_for_mark(metrics, old)
    text = daemon.get().text
    assert "asked_total 3.0\n" in text and "workers 1.0\n" in text


def wait_for_mark(metrics, pid):
    live = metrics / f"gauge_livesum_{pid}.db"
    assert processes.wait_until(lambda: not live.exists()), os.listdir(metrics)
