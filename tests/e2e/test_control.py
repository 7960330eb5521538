"""Option "control": pycgidctl reloads, stops, opens logs anew and asks whether all is well."""

import os
import resource
import select
import signal
import stat
import time

import pytest
from harness import cgi, ctl, fastcgi, processes, sockets
from harness.daemon import APPS
from harness.fastcgi import KEEP

APPLICATION = """
from gate_client import wait_at_gate

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        wait_at_gate("wait")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""
BOOT_AT_GATE = "import gate_client; gate_client.wait_at_gate('boot')\n"


class Site:
    """A daemon with an application whose text can be changed, and its control socket."""

    def __init__(self, start, directory):
        os.chmod(directory, 0o755)
        self._start = start
        self.directory = directory
        self.write("one")

    def write(self, version="", text=APPLICATION):
        (self.directory / "new").write_text(text.replace("VERSION", version))
        os.rename(self.directory / "new", self.directory / "site_app.py")

    def start(self, *options, **more):
        options += ("--control", "{directory}/control", "--pythonpath", APPS)
        self.daemon = self._start("site_app", *options, chdir=str(self.directory), **more)
        return self.daemon

    @property
    def control(self):
        return self.daemon.path("control")

    def ctl(self, *arguments, **more):
        return ctl.run(*arguments, control=self.control, **more)

    def begin(self, *arguments):
        return ctl.begin(*arguments, control=self.control)


@pytest.fixture
def site(start, tmp_path):
    return Site(start, tmp_path)


def speak(path, request):
    """What the daemon answers to a request that pycgidctl would not send; all of it."""
    with sockets.connect(path) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


# --- ping, rights ---------------------------------------------------------------------------------


def test_ping(site):
    site.start()
    done = site.ctl("ping")
    assert (done.returncode, done.stdout, done.stderr) == (0, "pong\n", "")


def test_the_socket_is_the_masters_alone_and_goes_with_it(site):
    daemon = site.start()
    status = os.lstat(site.control)
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
    daemon.stop()  # It checks that no file is left.


def test_ping_and_status_while_the_gateway_is_stopped(site):
    daemon = site.start()
    os.kill(daemon.gateway, signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = site.ctl("ping")
        assert done.returncode == 1 and time.monotonic() - began < 10
        assert f"the gateway, pid {daemon.gateway}, has not answered within 4s" in done.stderr
        status = site.ctl("status")
        assert status.returncode == 0 and "only what the master knows: the gateway" in status.stdout
        assert str(daemon.workers[0]) in status.stdout
    finally:
        os.kill(daemon.gateway, signal.SIGCONT)
    assert site.ctl("ping").stdout == "pong\n"


def test_many_questions_to_a_gateway_that_is_stopped(site):
    daemon = site.start()
    os.kill(daemon.gateway, signal.SIGSTOP)
    try:
        pings = [site.begin("ping") for _ in range(20)]
        for ping in pings:
            status, _, complaint = ctl.end(ping)
            assert status == 1 and "has not answered" in complaint
    finally:
        os.kill(daemon.gateway, signal.SIGCONT)
    assert site.ctl("ping").stdout == "pong\n"


def test_ping_after_the_gateway_was_killed(site):
    daemon = site.start()
    old = daemon.gateway
    mark = daemon.mark()
    daemon.expect(r"gateway\[\d+\]: ", r"site_app/1")
    os.kill(old, signal.SIGKILL)
    daemon.wait_line(r"gateway\[\d+\]: was killed by signal 9", since=mark)
    limit = time.monotonic() + 20
    while site.ctl("ping").returncode != 0:
        assert time.monotonic() < limit
    assert daemon.gateway != old
    assert daemon.get().body == b"one"


# --- reload ---------------------------------------------------------------------------------------


def test_reload_waits_until_the_new_generation_serves(site):
    daemon = site.start()
    site.write("two", BOOT_AT_GATE + APPLICATION)
    reload = site.begin("reload")
    visitor = daemon.gate.arrival()
    assert reload.poll() is None and daemon.get().body == b"one"
    visitor.release()
    assert ctl.end(reload) == (0, 'pool "site_app": generation 2 serves\n', "")
    assert daemon.get().body == b"two"
    daemon.wait_line(rf"control: reload asked for by uid {os.geteuid()}, pid {reload.pid}")


def test_reload_of_a_broken_application_fails_with_its_reason(site):
    daemon = site.start()
    daemon.expect("reload failed", r"site_app/1")
    site.write(text="import no_such_module_anywhere\n")
    done = site.ctl("reload")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith('pycgidctl: pool "site_app": cannot load application')
    assert "no_such_module_anywhere" in done.stderr
    assert done.stderr.endswith("; generation 1 goes on\n") and done.stderr.count("\n") == 1
    assert daemon.get().body == b"one"
    assert "no_such_module_anywhere" in site.ctl("status").stdout
    site.write("two")
    assert site.ctl("reload").returncode == 0
    assert daemon.get().body == b"two"


def test_reload_of_a_warm_up_that_fails(site):
    daemon = site.start("--warmup", "/")
    daemon.expect("reload failed", r"site_app/1")
    site.write(text="def application(environ, start_response):\n    raise ValueError('cold')\n")
    done = site.ctl("reload")
    assert done.returncode == 1 and "warmup" in done.stderr
    assert daemon.get().body == b"one"


def test_reload_twice_at_once_answers_both(site):
    daemon = site.start()
    site.write("two", BOOT_AT_GATE + APPLICATION)
    first = site.begin("reload")
    visitor = daemon.gate.arrival()
    mark = daemon.mark()
    second = site.begin("reload")
    daemon.wait_line(rf"reload asked for by uid \d+, pid {second.pid}", since=mark)
    site.write("three")
    visitor.release()
    assert ctl.end(first)[0] == ctl.end(second)[0] == 0
    assert daemon.get().body == b"three"


def test_reload_while_the_gateway_dies_fails(site):
    daemon = site.start()
    daemon.expect(r"gateway\[\d+\]: ", r"site_app/1")
    site.write("two", BOOT_AT_GATE + APPLICATION)
    reload = site.begin("reload")
    daemon.gate.arrival()
    site.write("three")
    os.kill(daemon.gateway, signal.SIGKILL)
    status, _, complaint = ctl.end(reload)
    assert status == 1 and "the gateway has ended" in complaint


def test_stop_during_a_reload_answers_both(site):
    daemon = site.start()
    daemon.expect(r"site_app/1")
    site.write("two", BOOT_AT_GATE + APPLICATION)
    reload = site.begin("reload")
    daemon.gate.arrival()
    assert site.ctl("stop").returncode == 0
    status, _, complaint = ctl.end(reload)
    assert status == 1 and "the daemon is stopping" in complaint


# --- stop, reopen-logs ----------------------------------------------------------------------------


def test_stop_waits_for_the_end(site):
    daemon = site.start()
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait"), flags=KEEP))
        visitor = daemon.gate.arrival()
        stop = site.begin("stop")
        daemon.wait_line("stopping: finishing the requests in progress")
        assert site.ctl("status").returncode == 0
        assert stop.poll() is None
        visitor.release()
        assert connection.answer().body == b"one"
    assert ctl.end(stop) == (0, "", "")
    assert processes.children(os.getpid()).count(daemon.process.pid) == 0
    assert not os.path.exists(daemon.fastcgi)
    daemon.wait_line(rf"control: stop asked for by uid {os.geteuid()}, pid {stop.pid}")


def test_reopen_logs(site):
    log = site.directory / "access.log"
    daemon = site.start("--access-log", str(log))
    os.rename(log, site.directory / "old.log")
    mark = daemon.mark()
    done = site.ctl("reopen-logs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert log.exists()
    daemon.wait_line("logs were opened anew", since=mark)


# --- clients of all kinds -------------------------------------------------------------------------


def test_silent_clients_hold_up_nobody(site):
    daemon = site.start()
    silent = [sockets.connect(site.control) for _ in range(40)]
    silent[-1].sendall(b"stat")
    # The oldest made room for those that came later, long before its time was up.
    assert sockets.closed_by_peer(silent[0])
    assert site.ctl("ping").stdout == "pong\n"
    assert not select.select([silent[31]], [], [], 0)[0]
    assert site.ctl("reload").returncode == 0
    assert daemon.get().body == b"one"
    for connection in silent:
        connection.settimeout(30)
        assert sockets.closed_by_peer(connection)
        connection.close()
    assert site.ctl("ping").stdout == "pong\n"


def test_silent_clients_do_not_delay_the_end(site):
    daemon = site.start()
    with sockets.connect(site.control) as silent:
        daemon.stop()
        assert sockets.closed_by_peer(silent)


def test_clients_that_leave_are_forgotten(site):
    daemon = site.start()

    def sockets_held():
        return sum("socket" in link for link in processes.open_files(daemon.process.pid))

    before = sockets_held()
    for request in (b"", b"pi", b"ping\n", b"status json\n", b"reload\n"):
        with sockets.connect(site.control) as connection:
            connection.sendall(request)
            if request == b"reload\n":
                daemon.wait_line("reload asked for")
    daemon.wait_line("reloaded pool")
    assert site.ctl("ping").stdout == "pong\n"
    limit = time.monotonic() + 10
    while sockets_held() > before:  # the last one is closed a turn later
        assert time.monotonic() < limit


@pytest.mark.parametrize("most", [0, 3])
def test_a_master_without_descriptors_waits_for_some(site, most):
    daemon = site.start()
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
    used = processes.cpu_seconds(pid)
    done = site.ctl("ping")
    assert done.returncode == 69 and "does not answer" in done.stderr
    assert processes.cpu_seconds(pid) - used < 0.2
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert site.ctl("ping").stdout == "pong\n"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"ping\n", b"ok 5\npong\n"),
        (b"frobnicate now\n", b'no 29\nunknown command "frobnicate"\n'),
        (b"\n", b'no 19\nunknown command ""\n'),
        (b"x" * 5000, b""),
    ],
)
def test_requests_on_the_wire(site, request_, answer):
    site.start()
    try:
        assert speak(site.control, request_) == answer
    except ConnectionError:
        assert answer == b""
    assert site.ctl("ping").returncode == 0
