"""Starts that cannot work end at once, with the right status, one clear line, nothing behind."""

import os
import re
import socket
import subprocess
import time

import pytest
from harness import daemon, processes, sockets

USAGE, SYSTEM, TEMPORARY, CONFIGURATION = 64, 71, 75, 78
SOCKET = "unix:{tmp}/sock"


@pytest.fixture
def broken(tmp_path):
    """A directory with applications that do not load."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / "wrong_syntax.py").write_text("def application(:\n")
    (tmp_path / "no_callable.py").write_text("app = 1\n\ndef main(environ, start): pass\n")
    (tmp_path / "not_callable.py").write_text("application = 5\n")
    (tmp_path / "failing.py").write_text("raise RuntimeError('cannot go on')\n")
    (tmp_path / "importing.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "exiting.py").write_text("import sys\nsys.exit(5)\n")
    (tmp_path / "dying.py").write_text("import os\nos.abort()\n")
    return tmp_path


def fail(tmp, *arguments, env=None):
    """Starts what must fail, within two seconds; returns its status and last line."""
    options = [each.format(tmp=tmp) for each in arguments]
    begun = time.monotonic()
    process = subprocess.Popen(
        [daemon.PROGRAM, *options, *daemon.common_options()],
        env=daemon.environment(**{processes.FAMILY: str(tmp), **(env or {})}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        output = process.communicate(timeout=20)[0]
    assert time.monotonic() - begun < 2 * float(os.environ.get("PYCGID_SLOWNESS", "1"))
    assert processes.family(process.pid, str(tmp)) == []
    lines = output.splitlines()
    assert lines and len([line for line in lines if line.startswith("pycgid: ")]) == 1, output
    return process.returncode, lines[-1]


@pytest.mark.parametrize(
    ("app", "named"),
    [
        ("no_such_module_anywhere", ["no_such_module_anywhere"]),
        ("no_callable", ["no_callable", "application", "main"]),
        ("no_callable:other", ["no_callable", "other"]),
        ("not_callable", ["not_callable", "application", "not callable"]),
        ("wrong_syntax", ["SyntaxError", "wrong_syntax.py", "line 1"]),
        ("no_such_file.wsgi", ["no_such_file.wsgi"]),
    ],
)
def test_applications_that_can_never_load(broken, app, named):
    status, line = fail(broken, app, "--chdir", "{tmp}", "--fastcgi", SOCKET)
    assert status == CONFIGURATION
    assert all(word in line for word in named), line
    assert not (broken / "sock").exists()


@pytest.mark.parametrize(
    ("app", "named"),
    [
        ("importing", ["importing", "no_such_module_anywhere"]),
        ("failing", ["RuntimeError", "cannot go on"]),
        ("exiting", ["exiting", "SystemExit"]),
        ("dying", ["signal 6"]),
    ],
)
def test_applications_that_may_load_later(broken, app, named):
    status, line = fail(broken, app, "--chdir", "{tmp}", "--fastcgi", SOCKET)
    assert status == TEMPORARY
    assert all(word in line for word in named), line
    assert not (broken / "sock").exists()
    assert fail(broken, "-t", app, "--chdir", "{tmp}", "--fastcgi", SOCKET)[0] == TEMPORARY


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mirror", "--no-such-option", "1"], ["no-such-option"]),
        (["mirror", "--proceses", "1"], ["proceses", "processes"]),
        (["mirror", "--fastcgi", SOCKET, "--interpreters", "2"], ["interpreters", "not built"]),
        (["mirror", "--fastcgi", SOCKET, "--control", "s"], ["control", "/"]),
        (["mirror", "--fastcgi", "tls:127.0.0.1:1"], ["tls-certificate", "tls-key"]),
        (["mirror", "--fastcgi", SOCKET, "--tls-key", "/k"], ["tls-key", "tls:"]),
        (["mirror", "--fastcgi", "systemd"], ["systemd"]),
        (["mirror", "--fastcgi", "nonsense"], ["fastcgi", "nonsense"]),
        (["mirror", "--fastcgi", "127.0.0.1:99999"], ["fastcgi", "99999"]),
        (["mirror", "--fastcgi", SOCKET, "--threads", "many"], ["threads", "many"]),
        (["mirror", "--fastcgi", SOCKET, "--threads", "0"], ["threads", "0"]),
        (["mirror", "--fastcgi", SOCKET, "--max-body", "1X"], ["max-body", "1X"]),
        (["mirror", "--fastcgi", SOCKET, "--keep-timeout", "5y"], ["keep-timeout", "5y"]),
        (["mirror", "--fastcgi", SOCKET, "--threads", "2", "--threads", "3"], ["threads"]),
        (["mirror"], ["fastcgi"]),
        ([], ["APP"]),
    ],
)
def test_wrong_usage(tmp_path, arguments, named):
    status, line = fail(tmp_path, *arguments)
    assert status == USAGE
    assert all(word in line for word in named), line
    assert not (tmp_path / "sock").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--chdir", "/no/such/directory"),
        ("--venv", "/no/such/venv"),
        ("--python", "/no/such/python"),
        ("--user", "no-such-user"),
        ("--group", "no-such-group"),
        ("--socket-group", "no-such-group"),
    ],
)
def test_things_that_do_not_exist(tmp_path, option, value):
    status, line = fail(tmp_path, "mirror", "--fastcgi", SOCKET, option, value)
    assert status in (CONFIGURATION, SYSTEM, USAGE)
    assert value in line and not (tmp_path / "sock").exists()


def test_a_script_whose_interpreter_is_missing(tmp_path):
    os.chmod(tmp_path, 0o755)
    script = tmp_path / "python"
    script.write_text("#!/no/such/python3\n")
    os.chmod(script, 0o755)
    for check in ([], ["-t"]):
        status, line = fail(
            tmp_path, *check, "mirror", "--fastcgi", SOCKET, "--python", str(script)
        )
        assert status == CONFIGURATION
        assert 'names "/no/such/python3", which is not there (option "python")' in line


@pytest.mark.parametrize("ending", ["", "exec "])
def test_a_wrapper_without_exec_is_told_of_once(start, tmp_path, ending):
    os.chmod(tmp_path, 0o755)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n{ending}python3 "$@"\n')
    os.chmod(wrapper, 0o755)
    running = start("mirror", "--python", str(wrapper), processes=2)
    running.stop()
    told = running.count(r'a wrapper must end with exec, as in: exec python3 "\$@"$')
    assert told == (0 if ending else 1)


def test_a_port_in_use_is_71(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, line = fail(tmp_path, "mirror", "--chdir", daemon.APPS, "--scgi", address)
    assert status == SYSTEM
    assert address in line and "in use" in line and '"scgi"' in line


def test_a_live_socket_is_refused(tmp_path):
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        status, line = fail(tmp_path, "mirror", "--chdir", daemon.APPS, "--fastcgi", SOCKET)
        assert status == SYSTEM and str(path) in line
        with sockets.connect(str(path)):
            pass  # It is still the other's.


def test_what_is_no_socket_is_refused(tmp_path):
    (tmp_path / "sock").write_text("precious")
    status, line = fail(tmp_path, "mirror", "--chdir", daemon.APPS, "--fastcgi", SOCKET)
    assert status == SYSTEM and str(tmp_path / "sock") in line
    assert (tmp_path / "sock").read_text() == "precious"


def test_a_missing_directory_is_named(tmp_path):
    status, line = fail(tmp_path, "mirror", "--fastcgi", "unix:{tmp}/none/sock")
    assert status == SYSTEM and "none" in line


def test_one_broken_listener_leaves_none_behind(tmp_path):
    arguments = ["--fastcgi", SOCKET, "--scgi", "unix:{tmp}/none/sock"]
    assert fail(tmp_path, "mirror", *arguments)[0] == SYSTEM
    assert os.listdir(tmp_path) == []


def test_a_stale_socket_is_replaced(start, tmp_path):
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    running = start("mirror", "--fastcgi", "unix:" + path)
    running.fastcgi = path
    assert running.get("/a").status == 200
    running.stop()
    assert not os.path.exists(path)


@pytest.mark.parametrize(("options", "mode"), [([], 0o660), (["--socket-mode", "0600"], 0o600)])
def test_socket_rights(start, options, mode):
    running = start("mirror", *options)
    assert os.stat(running.fastcgi).st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
def test_users(start):
    import pwd

    nobody = pwd.getpwnam("www-data")
    names = ["--user", "www-data", "--group", "www-data", "--socket-user", "www-data"]
    running = start("crashing", *names)
    assert os.stat(running.fastcgi).st_uid == nobody.pw_uid
    for pid in running.workers:
        assert os.stat(f"/proc/{pid}").st_uid == nobody.pw_uid
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = file.read()
        assert re.search(r"NoNewPrivs:\t1\n", status)
        assert re.search(rf"Uid:(\t{nobody.pw_uid}){{4}}\n", status)
    assert running.get("/pid").status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_is_refused_unless_allowed(tmp_path):
    arguments = ["mirror", "--chdir", daemon.APPS, "--fastcgi", f"unix:{tmp_path}/sock"]
    done = daemon.run(*arguments)
    assert done.returncode in (USAGE, CONFIGURATION) and "allow-root" in done.stderr
    assert "user" in done.stderr


def test_version_and_help():
    version = daemon.run("-V")
    assert version.returncode == 0 and version.stdout.startswith("pycgid ")
    assert daemon.run("--version").stdout == version.stdout
    shown = daemon.run("--help")
    assert shown.returncode == 0 and daemon.run("-h").stdout == shown.stdout
    assert "--fastcgi" in shown.stdout and "interpreters" not in shown.stdout


def test_check_says_that_all_is_fine(tmp_path):
    arguments = ["-t", "mirror", "--chdir", daemon.APPS, "--fastcgi", f"unix:{tmp_path}/sock"]
    done = daemon.run(*arguments, *daemon.common_options())
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr
    assert os.listdir(tmp_path) == []


def test_check_says_what_is_wrong(broken):
    arguments = ("-t", "wrong_syntax", "--chdir", "{tmp}", "--fastcgi", SOCKET)
    status, line = fail(broken, *arguments)
    assert status == CONFIGURATION and "wrong_syntax.py" in line
    assert fail(broken, "-t", "mirror", "--fastcgi", SOCKET, "--thread", "1")[0] == USAGE


def test_check_does_not_mind_the_running_daemon(start):
    running = start("mirror")
    arguments = ["-t", "mirror", "--chdir", daemon.APPS, "--fastcgi", "unix:" + running.fastcgi]
    done = daemon.run(*arguments, *daemon.common_options())
    assert done.returncode == 0, done.stderr
    assert running.get("/a").status == 200
