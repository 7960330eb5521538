"""Option "control": what pycgidctl says when it is used wrongly or cannot reach a daemon, and what
the daemon says when it cannot have the socket."""

import signal
import socket

import pytest
from harness import ctl
from harness.daemon import APPS, run

USAGE, UNAVAILABLE, SYSTEM = 64, 69, 71


def start_with_control(start):
    return start("mirror", "--control", "{directory}/control")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "no command given"),
        (["restart"], 'unknown command "restart"'),
        (["status", "now"], 'unexpected argument "now"'),
        (["reload", "a", "b"], 'unexpected argument "b"'),
        (["ping", "--json"], "belong to status"),
        (["status", "--json", "--openmetrics"], "exclude each other"),
        (["status", "--xml"], "--xml"),
    ],
)
def test_wrong_usage(arguments, reason):
    done = ctl.run(*arguments)
    assert done.returncode == USAGE and done.stdout == ""
    assert reason in done.stderr and done.stderr.endswith("; see pycgidctl --help\n")


def test_help_and_version():
    done = ctl.run("--help")
    assert done.returncode == 0 and done.stdout.startswith("Usage: pycgidctl")
    assert ctl.run("-V").stdout.startswith("pycgidctl ")


def unreachable(path, **more):
    done = ctl.run("status", control=str(path), **more)
    assert done.returncode == UNAVAILABLE and done.stdout == ""
    assert done.stderr.startswith(f'pycgidctl: cannot reach pycgid at "{path}": ')
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_nothing_at_the_path(tmp_path):
    text = unreachable(tmp_path / "none")
    assert "No such file or directory; is pycgid running, and its option \"control\" set" in text


def test_a_socket_that_nobody_listens_on(tmp_path):
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "stale"))
    assert "Connection refused; nobody listens there any more" in unreachable(tmp_path / "stale")


def test_a_file_that_is_no_socket(tmp_path):
    (tmp_path / "file").write_text("")
    assert "this is no socket" in unreachable(tmp_path / "file")


def test_something_else_listens(tmp_path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()
        asking = ctl.begin("status", control=str(tmp_path / "other"))
        connection = other.accept()[0]
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        connection.close()
        status, _, complaint = ctl.end(asking)
    assert status == UNAVAILABLE and "is not pycgid" in complaint


def test_other_users_may_not(start):
    daemon = start_with_control(start)
    text = unreachable(daemon.path("control"), user=65534, group=65534)
    assert "Permission denied; ask as the user that pycgid was started by" in text


def test_a_master_that_is_stopped(start):
    daemon = start_with_control(start)
    daemon.signal(signal.SIGSTOP)
    try:
        done = ctl.run("ping", control=daemon.path("control"))
        assert done.returncode == UNAVAILABLE and "does not answer" in done.stderr
    finally:
        daemon.signal(signal.SIGCONT)


# --- the option -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [("control.sock", 'must begin with "/"'), ("/" + "x" * 96, "must not be longer than 96")],
)
def test_wrong_paths(value, reason):
    done = run("--control", value, "app")
    assert done.returncode == USAGE and reason in done.stderr


def test_a_socket_that_is_alive_is_not_taken_over(start):
    control = start_with_control(start).path("control")
    options = ("--control", control, "--fastcgi", "unix:@nobody-comes-here", "--allow-root")
    done = run(*options, "--chdir", APPS, "mirror")
    assert done.returncode == SYSTEM
    assert f'cannot bind unix:{control}: Address already in use (option "control")' in done.stderr
    assert ctl.run("ping", control=control).returncode == 0


def test_another_file_is_not_removed(tmp_path):
    path = tmp_path / "control"
    path.write_text("precious")
    options = ("--control", str(path), "--fastcgi", "unix:@nobody-comes-here", "--allow-root")
    done = run(*options, "--chdir", APPS, "mirror")
    assert done.returncode == SYSTEM and "is not a socket" in done.stderr
    assert path.read_text() == "precious"


def test_a_stale_socket_is_replaced(start, tmp_path):
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    start("mirror", "--control", str(path))
    assert ctl.run("ping", control=str(path)).returncode == 0


def test_check_looks_at_the_directory():
    options = ("-t", "--control", "/nonexistent/control", "--chdir", APPS, "--allow-root")
    done = run(*options, "--fastcgi", "unix:/tmp/x", "mirror")
    assert done.returncode == SYSTEM and '(option "control")' in done.stderr
