"""Option preload: the application is loaded once, workers are forked (issue 3, point 10)."""

import contextlib
import json
import os
import re
import signal

import pytest
from harness import cgi, daemon as pycgid, fastcgi, processes
from harness.daemon import APPS
from harness.fastcgi import KEEP

APPLICATION = """
import json, os, random, threading, uuid
from gate_client import wait_at_gate

LOADED_BY = os.getpid()
hooks = []
os.register_at_fork(
    before=lambda: hooks.append("before"),
    after_in_parent=lambda: hooks.clear(),
    after_in_child=lambda: hooks.append(os.getpid()),
)

def in_a_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        wait_at_gate("wait")
    facts = {
        "version": "VERSION",
        "pid": os.getpid(),
        "parent": os.getppid(),
        "group": os.getpgid(0),
        "loaded_by": LOADED_BY,
        "hooks": hooks,
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "thread": in_a_thread(os.getpid),
        "main": threading.main_thread().is_alive(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(facts).encode()]
"""


@pytest.fixture
def site(tmp_path):
    """A directory with an application whose text can be changed."""
    os.chmod(tmp_path, 0o755)
    write(tmp_path, "one")
    return tmp_path


def write(site, version):
    (site / "new").write_text(APPLICATION.replace("VERSION", version))
    os.rename(site / "new", site / "loaded.py")


@pytest.fixture
def begin(start, site):
    def run(*options, **more):
        options = ("--preload", "--pythonpath", APPS, "--log-level", "info", *options)
        daemon = start("loaded", *options, chdir=str(site), **more)
        daemon.wait_line("ready: pool")
        return daemon

    return run


def template(daemon):
    (pid,) = daemon.family("template")
    return pid


def facts(daemon):
    return json.loads(daemon.get().body)


def facts_of_all(daemon, workers, threads):
    """What every thread of every worker says while all of them run a request."""
    count = workers * threads
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.connect()) for _ in range(count)]
        for connection in connections:
            connection.send(fastcgi.request(cgi.variables("/wait")))
        visitors = [daemon.gate.arrival() for _ in connections]
        assert len({(visitor.pid, visitor.thread) for visitor in visitors}) == count
        for visitor in visitors:
            visitor.release()
        return [json.loads(connection.answer().body) for connection in connections]


def test_workers_are_forks_of_one_process(begin):
    daemon = begin(processes=3, threads=2)
    daemon.wait_line(r'ready: pool "loaded", 3 workers x 2 threads, preloaded, on ')
    mother = template(daemon)
    assert processes.title(mother) == "pycgid: template loaded"
    assert len(os.listdir(f"/proc/{mother}/task")) == 1
    told = facts_of_all(daemon, 3, 2)
    assert {each["pid"] for each in told} == set(daemon.workers)
    titles = [processes.title(pid) for pid in daemon.workers]
    assert sorted(titles) == [f"pycgid: worker loaded/{number}" for number in (1, 2, 3)]
    for each in told:
        assert each["loaded_by"] == mother and each["parent"] == daemon.process.pid
        assert each["group"] == each["thread"] == each["pid"] and each["main"]


def test_hooks_run_and_random_numbers_differ(begin):
    daemon = begin(processes=3, threads=1)
    told = facts_of_all(daemon, 3, 1)
    assert all(each["hooks"] == ["before", each["pid"]] for each in told)
    assert len({each["random"] for each in told}) == len({each["uuid"] for each in told}) == 3


def test_what_hooks_print_is_the_workers(start, site):
    (site / "printing.py").write_text(
        "import os, sys\n"
        "sys.stdout.write('while it loads')\n"
        "os.register_at_fork(after_in_child=lambda: print('just forked'))\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return []\n"
    )
    daemon = start("printing", "--preload", processes=2, chdir=str(site))
    for number in (1, 2):
        found = daemon.wait_line(rf"notice printing/{number}\[(\d+)\]: just forked$")
        assert int(found.group(1)) in daemon.workers
    pid = daemon.wait_line(r"notice printing/template\[(\d+)\]: while it loads$").group(1)
    assert int(pid) == template(daemon) and daemon.count("while it loads") == 1


def test_threads_that_started_while_it_loaded_are_told_of(start, site):
    (site / "threaded.py").write_text(
        "import threading\n"
        "for name in ('poller', 'flusher'):\n"
        "    threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [str(threading.active_count()).encode()]\n"
    )
    daemon = start("threaded", "--preload", chdir=str(site), threads=1)
    daemon.wait_line(r"warning threaded/template\[\d+\]: .* 2 threads \(poller, flusher\)")
    assert daemon.get().body == b"1"


def test_a_thread_that_ends_just_now_is_not_told_of(start, site):
    """As faulthandler's, which the kernel may know for an instant when it has done its work."""
    (site / "ending.py").write_text(
        "import _thread, threading\n"
        "_thread.start_new_thread(threading.Event().wait, (0.05,))\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return []\n"
    )
    daemon = start("ending", "--preload", chdir=str(site), threads=1)
    assert daemon.get().status == 200
    assert daemon.count("while it loaded") == 0


@pytest.mark.parametrize(
    ("text", "status"),
    [("import no_such_module\n", 75), ("def application(:\n", 78), ("other = 1\n", 78)],
)
def test_an_application_that_does_not_load_fails_as_without_preload(site, text, status):
    (site / "loaded.py").write_text(text)
    socket = f"unix:{site}/sock"
    arguments = ["loaded", "--chdir", str(site), "--fastcgi", socket, *pycgid.common_options()]
    plain = pycgid.run(*arguments)
    done = pycgid.run(*arguments, "--preload", "--processes", "2")
    assert (done.returncode, last_line(done)) == (status, last_line(plain))
    assert not (site / "sock").exists()
    checked = pycgid.run("-t", *arguments, "--preload")
    assert (checked.returncode, last_line(checked)) == (status, last_line(plain))


def last_line(done):
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os\nos.abort()\n", r"loaded/template\[\d+\] was killed by signal 6 .* ready"),
        ("import threading\nthreading.Event().wait()\n", r'did not load .*"start-timeout"'),
        (
            "import os, threading\n"
            "os.register_at_fork(before=threading.Event().wait)\n"
            "def application(environ, start_response): pass\n",
            r'did not load .*"start-timeout"',
        ),
        (
            "import os\n"
            "os.register_at_fork(after_in_child=lambda: os._exit(9))\n"
            "def application(environ, start_response): pass\n",
            r"loaded/\d\[\d+\] exited with status 9 before it was ready",
        ),
    ],
)
def test_a_template_that_does_not_get_there_fails_the_start(site, text, reason):
    (site / "loaded.py").write_text(text)
    options = ["--fastcgi", f"unix:{site}/sock", "--start-timeout", "2s", "--processes", "2"]
    options += ["--chdir", str(site), "--preload", *pycgid.common_options()]
    done = pycgid.run("loaded", *options, deadline=20)
    assert done.returncode == 75 and re.search(reason, last_line(done)), done.stderr


def test_the_check_loads_it(site):
    options = ["--chdir", str(site), "--pythonpath", APPS, "--fastcgi", f"unix:{site}/sock"]
    done = pycgid.run("-t", "loaded", "--preload", *options, *pycgid.common_options())
    assert done.returncode == 0, done.stderr


def test_warmup(begin, site):
    write(site, "warm")
    daemon = begin("--warmup", "/", processes=2)
    assert {each["version"] for each in facts_of_all(daemon, 2, 2)} == {"warm"}


def test_max_requests_forks_the_replacement_from_the_same_process(begin):
    daemon = begin("--max-requests", "3", processes=1, threads=1)
    with daemon.connect() as connection:
        told = []
        while len({each["pid"] for each in told}) < 4:
            connection.send(fastcgi.request(cgi.variables(), flags=KEEP))
            told.append(json.loads(connection.answer().body))
    assert {each["loaded_by"] for each in told} == {template(daemon)}
    assert all(each["hooks"] == ["before", each["pid"]] for each in told)


def test_reload_starts_a_new_template_and_ends_the_old(begin, site):
    daemon = begin(threads=1)
    old = template(daemon)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait")))
        visitor = daemon.gate.arrival()
        write(site, "two")
        daemon.signal(signal.SIGHUP)
        daemon.wait_line("reloaded pool")
        now = facts(daemon)
        assert now["version"] == "two" and now["loaded_by"] != old
        assert now["loaded_by"] in daemon.family("template")
        visitor.release()
        assert json.loads(connection.answer().body)["version"] == "one"
    assert processes.wait_gone(visitor.pid) and processes.wait_gone(old)
    assert template(daemon) == now["loaded_by"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
        ("import os\nos._exit(3)\n", r"loaded/template\[\d+\] exited with status 3"),
    ],
)
def test_a_reload_that_fails_keeps_the_old(begin, site, text, reason):
    daemon = begin(processes=2)
    before = daemon.family("template"), daemon.workers
    (site / "loaded.py").write_text(text)
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    failed = daemon.wait_line(rf"error .*reload failed: .*{reason}.* goes on", since=mark)
    assert failed and facts(daemon)["version"] == "one"
    # What was tried is killed, and may take a moment to go.
    for pid in set(daemon.family("template") + daemon.workers) - set(before[0] + before[1]):
        assert processes.wait_gone(pid)
    assert (daemon.family("template"), daemon.workers) == before


def test_hup_twice_in_a_row_ends_with_the_last(begin, site):
    daemon = begin()
    write(site, "two")
    daemon.signal(signal.SIGHUP)
    write(site, "three")
    daemon.signal(signal.SIGHUP)
    while (version := facts(daemon)["version"]) != "three":
        assert version in ("one", "two")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
def test_users(start):
    import pwd

    user = pwd.getpwnam("www-data")
    daemon = start("crashing", "--preload", "--user", "www-data", processes=2)
    for pid in [template(daemon), *daemon.workers]:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = file.read()
        assert re.search(r"NoNewPrivs:\t1\n", status)
        assert re.search(rf"Uid:(\t{user.pw_uid}){{4}}\n", status)
    assert int(daemon.get("/pid").body) in daemon.workers
