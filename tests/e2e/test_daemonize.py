"""Options "daemonize" and "pidfile", for SysV init; and life as process 1 of a container."""

import os
import re
import signal
import subprocess

import pytest
from harness import cgi, daemon, fastcgi, processes
from harness.daemon import APPS
from harness.gate import Gate

USAGE, SYSTEM, CONFIGURATION = 64, 71, 78


class Site:
    """A daemon in the background, with its files in a directory; ended, whatever happens."""

    def __init__(self, directory):
        os.chmod(directory, 0o755)
        self.directory = directory
        self.pid = None

    def path(self, name):
        return str(self.directory / name)

    def words(self, *options, app="mirror"):
        known = ["--fastcgi", f"unix:{self.path('sock')}", "--processes", "1", "--threads", "2"]
        known += ["--pidfile", self.path("pid"), "--chdir", APPS]
        return [daemon.PROGRAM, app, *known, *options, *daemon.common_options()]

    def popen(self, *options, log=True, **more):
        logs = ["--daemonize", "--log", self.path("log")] if log else []
        return subprocess.Popen(
            self.words(*logs, *options, **more),
            env=daemon.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, *options, **more):
        """Returns status and what came on standard error, up to the last process that holds it."""
        with self.popen(*options, **more) as process:
            output, errors = process.communicate(timeout=30)
        assert output == ""
        if process.returncode == 0:
            self.pid = int(self.read("pid"))
        return process.returncode, errors

    def read(self, name):
        return (self.directory / name).read_text()

    def get(self):
        return fastcgi.fetch(self.path("sock"), cgi.variables("/a"))

    def family(self):
        """The daemon, its gateway and its workers."""
        return [self.pid, *processes.children(self.pid)]

    def end(self, number=signal.SIGTERM):
        family = self.family()
        processes.kill(self.pid, number)
        for pid in family:
            assert processes.wait_gone(pid)

    def clean_up(self):
        """After a test that failed, too."""
        if os.path.exists(self.path("pid")) and self.read("pid").strip().isdigit():
            self.pid = int(self.read("pid"))
            for pid in self.family() if "pycgid" in processes.title(self.pid) else ():
                processes.kill(pid)


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.clean_up()


def test_the_parent_ends_when_the_daemon_serves(site):
    assert site.start() == (0, "")
    assert "ready: pool" in site.read("log")
    assert site.get().status == 200
    assert site.read("pid") == f"{site.pid}\n"
    assert os.stat(site.path("pid")).st_mode & 0o777 == 0o644
    site.end()
    assert sorted(os.listdir(site.directory)) == ["log"]


def test_it_is_on_its_own(site):
    site.start()
    with open(f"/proc/{site.pid}/stat", encoding="ascii") as file:
        _, parent, group, session, terminal = file.read().rpartition(")")[2].split()[:5]
    assert int(session) not in (site.pid, os.getsid(0)) and group == session
    assert terminal == "0" and int(parent) != os.getpid()
    for pid in site.family():
        title = processes.title(pid)
        for fd in (0,) if "worker" in title else (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null", title
    site.end()


def test_it_keeps_its_directory(site):
    """Relative paths mean in the background what they mean in the foreground."""
    words = site.words("--daemonize", "--log", "log")
    words[words.index(site.path("pid"))] = "pid"
    subprocess.run(words, env=daemon.environment(), cwd=site.directory, check=True, timeout=30)
    site.pid = int(site.read("pid"))
    assert os.readlink(f"/proc/{site.pid}/cwd") == str(site.directory)
    site.end()
    assert os.listdir(site.directory) == ["log"]


@pytest.mark.parametrize(
    ("options", "status", "named"),
    [
        (["--venv", "/no/such/venv"], CONFIGURATION, "/no/such/venv"),
        (["--scgi", "unix:/no/such/sock"], SYSTEM, "/no/such/sock"),
        (["--pythonpath", "/", "--warmup", "/a", "--max-params", "1X"], USAGE, "max-params"),
    ],
)
def test_a_start_that_fails_is_the_parents_failure(site, options, status, named):
    found, errors = site.start(*options)
    assert found == status
    assert errors.startswith("pycgid: ") and errors.count("\n") == 1 and named in errors
    assert not os.path.exists(site.path("pid")) and not os.path.exists(site.path("sock"))


def test_an_application_that_does_not_load_is_the_parents_failure(site):
    status, errors = site.start(app="no_such_app")
    assert status == CONFIGURATION
    assert errors.count("\n") == 1 and "no_such_app" in errors
    assert os.listdir(site.directory) == ["log"]


def waiting_site(site):
    (site.directory / "waiting.py").write_text(
        f"import os, sys\nsys.path.insert(0, {APPS!r})\n"
        "from gate_client import wait_at_gate\nwait_at_gate('import')\n"
    )
    gate = Gate(str(site.directory))
    options = ["--env", f"GATE={gate.path}", "--pythonpath", str(site.directory)]
    return gate, site.popen(*options, app="waiting")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_is_interrupted_is_given_up(site, number):
    gate, parent = waiting_site(site)
    with parent:
        visitor = gate.arrival(20)
        parent.send_signal(number)
        errors = parent.communicate(timeout=20)[1]
    assert parent.returncode == 75 and "ended by a signal before it was ready" in errors
    assert processes.wait_gone(visitor.pid)
    gate.close()
    assert not os.path.exists(site.path("pid")) and not os.path.exists(site.path("sock"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_start_that_ends_by_a_signal_to_the_master_itself(site, number):
    gate, parent = waiting_site(site)
    with parent:
        visitor = gate.arrival(20)
        processes.kill(processes.parent(visitor.pid), number)
        errors = parent.communicate(timeout=20)[1]
    assert (parent.returncode, errors) == (75, "pycgid: ended by a signal before it was ready\n")
    assert processes.wait_gone(visitor.pid)
    gate.close()
    assert not os.path.exists(site.path("pid")) and not os.path.exists(site.path("sock"))


def test_a_daemon_that_is_killed_before_it_is_ready(site):
    gate, parent = waiting_site(site)
    with parent:
        visitor = gate.arrival(20)
        processes.kill(processes.parent(visitor.pid))
        errors = parent.communicate(timeout=20)[1]
    assert parent.returncode == 70 and "ended before it was ready" in errors
    assert processes.wait_gone(visitor.pid)
    gate.close()


@pytest.mark.parametrize(
    "options", [[], ["--log", "stderr"], ["--log", "{log}", "--access-log", "stderr"]]
)
def test_a_log_on_standard_error_is_refused(site, options):
    options = [option.format(log=site.path("log")) for option in options]
    status, errors = site.start("--daemonize", *options, log=False)
    assert status == USAGE and errors.count("\n") == 1
    assert '"daemonize"' in errors and "syslog" in errors and "path" in errors


def test_the_file_may_say_so_too(site):
    pool = ["[mirror]", "app = mirror", f"chdir = {APPS}", f"fastcgi = unix:{site.path('sock')}"]
    pool += ["processes = 1", *(["allow-root = yes"] if os.geteuid() == 0 else [])]
    pool += [f"env = {setting}" for setting in daemon.worker_env()]
    config = ["daemonize = yes", f"pidfile = {site.path('pid')}", f"log = {site.path('log')}"]
    (site.directory / "conf").write_text("\n".join(config + pool) + "\n")
    done = daemon.run("--config", site.path("conf"), deadline=30)
    assert (done.returncode, done.stderr) == (0, "")
    site.pid = int(site.read("pid"))
    assert site.get().status == 200
    site.end()
    (site.directory / "conf").write_text("\n".join(config[:2] + pool) + "\n")
    done = daemon.run("--config", site.path("conf"))
    assert done.returncode == CONFIGURATION and f"{site.path('conf')}:1)" in done.stderr


# --- pidfile ---


def test_a_second_daemon_is_refused(site):
    site.start()
    status, errors = site.start("--scgi", f"unix:{site.path('other')}")
    assert status == SYSTEM
    assert errors == (
        f'pycgid: is running already, pid {site.pid}: pid file "{site.path("pid")}" names it '
        '(option "pidfile"); stop it first, or name another file\n'
    )
    assert site.get().status == 200 and site.read("pid") == f"{site.pid}\n"
    site.end()


def test_the_pidfile_of_a_daemon_that_was_killed_is_replaced(site):
    site.start()
    killed = site.pid
    site.end(signal.SIGKILL)
    assert site.read("pid") == f"{killed}\n"
    assert site.start() == (0, "")
    assert site.pid != killed and site.get().status == 200
    site.end()
    assert not os.path.exists(site.path("pid"))


def test_a_pidfile_in_the_foreground(start, tmp_path):
    running = start("mirror", "--pidfile", str(tmp_path / "pid"))
    assert processes.wait_until((tmp_path / "pid").exists)
    assert (tmp_path / "pid").read_text() == f"{running.process.pid}\n"
    running.stop()
    assert not (tmp_path / "pid").exists()


# --- process 1 ---

FORKING = """
import os, subprocess, sys

def application(environ, start_response):
    # Its parent ends at once: it becomes a child of process 1.
    code = "import os, sys; os.fork() and os._exit(0); os.setsid(); sys.stdin.read(1)"
    orphan = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    orphan.wait()
    orphan.stdin.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getppid()).encode()]
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces here")
def test_as_process_1_of_a_container(start, tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "forking.py").write_text(FORKING)
    command = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    sock = str(tmp_path / "sock")
    running = start("forking", "--fastcgi", f"unix:{sock}", command=command, chdir=str(tmp_path))
    (master,) = running.family("master")
    for _ in range(5):
        assert fastcgi.fetch(sock, cgi.variables()).text == "1"
    assert processes.wait_until(lambda: len(all_children(master)) == 2), "gateway and worker"
    os.kill(master, signal.SIGTERM)
    assert running.process.wait(20) == 0
    running.wait_line(r"notice master\[1\]: stopped")
    running.check_log()
    assert not [line for line in running.lines if " warning " in line or " error " in line]


def all_children(parent):
    """Zombies included."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(parent):
            found.append(int(pid))
    return found
