"""Sockets whose paths are removed, leftovers of a start, and a gateway that stands still."""

import json
import os
import signal
import socket
import stat

import pytest
from harness import cgi, ctl, fastcgi, processes
from harness.daemon import Daemon, run
from harness.fastcgi import KEEP
from harness.site import Site

LOOKING = """
import ctypes, json, os

def attempt(what):
    try:
        what()
        return "done"
    except OSError as error:
        return type(error).__name__

def take(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(438, os.pidfd_open(pid), 3, 0) < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    pids = [int(pid) for pid in environ["QUERY_STRING"].split("+")]
    told = [attempt(lambda: open(f"/proc/{pid}/mem", "rb").close()) for pid in pids]
    told += [attempt(lambda: take(pid)) for pid in pids]
    return [json.dumps(told).encode()]
"""


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    return Site(tmp_path)


def test_a_removed_socket_comes_back(start, site):
    """Within a second, with its rights; what has connected before is served."""
    site.write(site.pool("one", socket_mode="0600"))
    daemon = start(None, config=site.file)
    path = site.socket("one")
    with fastcgi.Connection(path) as connection:
        mark = daemon.mark()
        os.unlink(path)
        daemon.wait_line(f"the path of unix:{path} was removed, it is bound again", since=mark)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert site.get("one").status == 200
        connection.send(fastcgi.request(cgi.variables("/"), flags=KEEP))
        assert connection.answer().status == 200
    assert daemon.count("bound again") == 1


def test_a_path_that_another_has_taken_is_told_once_and_left_alone(start, site):
    site.write(site.pool("one"))
    daemon = start(None, config=site.file)
    path = site.socket("one")
    with socket.socket(socket.AF_UNIX) as other:
        os.unlink(path)
        other.bind(path)
        other.listen()
        mark = daemon.mark()
        daemon.wait_line(r"was removed or replaced: .*Address already in use", since=mark)
    # Whoever it was is gone: a stale socket is replaced.
    daemon.wait_line("it is bound again", since=mark)
    assert site.get("one").status == 200
    assert daemon.count("was removed or replaced") == 1


def test_a_removed_control_socket_comes_back(start, site):
    control = str(site.directory / "control")
    site.write(f"control = {control}", site.pool("one"))
    daemon = start(None, config=site.file)
    mark = daemon.mark()
    os.unlink(control)
    daemon.wait_line(f"the path of unix:{control} was removed, it is bound again", since=mark)
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
    assert ctl.run("--control", control, "ping").returncode == 0


def test_a_removed_pid_file_comes_back(start, site):
    """One that another has put there stays, until that goes."""
    path = site.directory / "pid"
    site.write(f"pidfile = {path}", site.pool("one"))
    daemon = start(None, config=site.file)
    assert processes.wait_until(path.exists)
    for _ in range(2):
        mark = daemon.mark()
        path.unlink()
        line = daemon.wait_line(f'pid file "{path}" was removed, it is written again', since=mark)
        assert line.string.endswith(f'(option "pidfile", {site.line_of("pidfile")})')
        assert path.read_text() == f"{daemon.process.pid}\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    (site.directory / "other").write_text("1\n")
    os.rename(site.directory / "other", path)
    daemon.wait_line(rf'pid file "{path}" was replaced, .*\(option "pidfile", .*\); remove it')
    mark = daemon.mark()
    path.unlink()
    daemon.wait_line("was removed, it is written again", since=mark)
    second = run("--config", site.file)
    assert second.returncode == 71 and second.stderr.splitlines()[-1] == (
        f'pycgid: is running already, pid {daemon.process.pid}: pid file "{path}" names it '
        f'(option "pidfile", {site.line_of("pidfile")}); stop it first, or name another file'
    )
    daemon.stop()
    assert not path.exists() and daemon.count("was replaced") == 1
    assert not [name for name in os.listdir(site.directory) if name.startswith("pid.")]


def test_a_pid_file_whose_directory_was_removed_is_told_once(start, site):
    path = site.directory / "run" / "pid"
    path.parent.mkdir()
    site.write(f"pidfile = {path}", site.pool("one"))
    daemon = start(None, config=site.file)
    assert processes.wait_until(path.exists)
    path.unlink()
    path.parent.rmdir()
    pattern = f'warning .*pid file "{path}" was removed: No such file or directory .option "pidfile"'
    daemon.wait_line(pattern)
    path.parent.mkdir()
    daemon.wait_line("was removed, it is written again")
    assert path.read_text() == f"{daemon.process.pid}\n" and daemon.count(pattern) == 1


@pytest.mark.parametrize("kind", ["stale", "live", "directory"])
def test_what_stands_at_the_temporary_name_is_not_in_the_way(site, kind):
    """As process 1 each start has the same temporary name; here a process number is foreseen."""
    site.write(site.pool("one"))
    path = site.socket("one")
    script = (
        f"import os, socket, sys\nname = '{path}.' + str(os.getpid())\n"
        f"if '{kind}' == 'directory': os.mkdir(name)\n"
        "else:\n"
        "    it = socket.socket(socket.AF_UNIX)\n"
        "    it.bind(name)\n"
        f"    if '{kind}' == 'live':\n"
        "        it.listen()\n"
        "        os.set_inheritable(it.fileno(), True)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    daemon = Daemon(None, config=site.file, command=["/usr/bin/python3", "-c", script])
    with daemon:
        assert site.get("one").status == 200


def test_a_gateway_that_stands_still_is_replaced(start, site):
    """Without any service manager."""
    site.write(site.pool("one"))
    daemon = start(None, config=site.file)
    daemon.expect("exited with status 0")
    gateway, mark = daemon.gateway, daemon.mark()
    os.kill(gateway, signal.SIGSTOP)
    daemon.wait_line(rf"gateway\[{gateway}\] has not answered for 20s, killing it", 40, mark)
    daemon.wait_line(rf"gateway\[{gateway}\]: was killed by signal 9.*replacing it", 20, mark)
    assert site.get("one").status == 200 and daemon.gateway != gateway


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's rights")
def test_without_root_a_worker_cannot_look_into_gateway_and_master(place):
    os.chmod(place.directory, 0o777)
    with open(place.path("looking.py"), "w", encoding="ascii") as file:
        file.write(LOOKING)
    sock = place.path("sock")
    command = ["setpriv", "--reuid=games", "--regid=games", "--clear-groups"]
    daemon = Daemon(
        "looking", "--fastcgi", f"unix:{sock}", command=command, chdir=place.directory
    )
    os.chmod(daemon.temp_dir, 0o777)
    with daemon:
        query = f"{daemon.gateway}+{daemon.process.pid}"
        answer = fastcgi.fetch(sock, cgi.variables("/", query=query))
        assert json.loads(answer.body) == ["PermissionError"] * 4


def test_a_worker_that_is_killed_takes_its_children_along(start, tmp_path):
    """Those with process groups of their own, too; not those that have begun a session."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "parenting.py").write_text(
        "import os, subprocess\n"
        "kept = subprocess.Popen(['sleep', '1001'], start_new_session=True)\n"
        "subprocess.Popen(['sleep', '1002'])\n"
        "subprocess.Popen(['sleep', '1003'], process_group=0)\n"
        "subprocess.Popen(['sh', '-c', 'sleep 1004 & sleep 1005'], process_group=0)\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [str(os.getpid()).encode()]\n"
    )
    daemon = start("parenting", chdir=str(tmp_path))
    daemon.expect("killed by signal 9")

    def sleepers():
        titles = {pid: processes.title(pid) for pid in daemon.members()}
        return {pid: title for pid, title in titles.items() if title.startswith("sleep 100")}

    assert processes.wait_until(lambda: len(sleepers()) == 5)
    first = sleepers()
    processes.kill(daemon.only_worker())
    for pid, title in first.items():
        if title != "sleep 1001":
            assert processes.wait_gone(pid), title
    (daemonlike,) = [pid for pid, title in first.items() if title == "sleep 1001"]
    assert processes.is_alive(daemonlike)
    assert processes.wait_until(lambda: len(sleepers()) == 6)
    second = sleepers()
    # The master's death is the end of the workers, and of what they have started.
    processes.kill(daemon.process.pid)
    daemon.process.wait()
    for pid, title in second.items():
        if title != "sleep 1001":
            assert processes.wait_gone(pid), title
    assert processes.is_alive(daemonlike)
    daemon.kill()
