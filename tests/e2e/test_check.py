"""What -t finds before it hurts, and that a start says the same: file and line, option, object,
what to do (issue 3, point 1). They run as root, with users of Debian's that nobody is."""

import os
import pwd
import shutil
import socket
import subprocess
import sys

import pytest
from harness import daemon, processes
from harness.real_users import FIRST, GATEWAY, STRANGER

SYSTEM, CONFIGURATION = 71, 78


def configure(place, app="mirror", **options):
    options = {"user": FIRST, **options}
    place.write(f"user = {GATEWAY}", place.pool("one", app, **options))


def refused(place, status=CONFIGURATION):
    """What -t says, and a start says too."""
    checked = daemon.run("-t", "--config", place.file)
    started = daemon.run("--config", place.file)
    assert (checked.returncode, started.returncode) == (status, status), checked.stderr
    line = checked.stderr.splitlines()[-1]
    assert line in started.stderr.splitlines(), started.stderr
    return line.removeprefix("pycgid: ")


def make_venv(path):
    """An environment without pip: links, pyvenv.cfg and an empty site-packages."""
    command = ["/usr/bin/python3", "-m", "venv", "--without-pip", path]
    subprocess.run(command, check=True, env=daemon.environment())
    (library,) = os.listdir(os.path.join(path, "lib"))
    return os.path.join(path, "lib", library, "site-packages")


def edit(path, old, new):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


# --- virtual environments -------------------------------------------------------------------------


def test_a_venv_that_is_not_there(place):
    venv = place.path("venv")
    configure(place, venv=venv)
    assert refused(place) == (
        f'cannot use virtual environment "{venv}": there is no "{venv}"'
        f' (option "venv", {place.line_of("venv")}); make it with python3 -m venv {venv}'
    )


def test_a_venv_without_a_python(place):
    venv = place.path("venv")
    os.makedirs(venv + "/bin")
    configure(place, venv=venv)
    assert refused(place) == (
        f'cannot use virtual environment "{venv}": there is no program "{venv}/bin/python"'
        f' (option "venv", {place.line_of("venv")}); make it with python3 -m venv {venv}'
    )


def test_a_venv_of_a_python_that_is_gone(place):
    """As an upgrade of the system leaves it."""
    venv = place.path("venv")
    make_venv(venv)
    for name in os.listdir(venv + "/bin"):
        if name.startswith("python"):
            os.remove(f"{venv}/bin/{name}")
    os.symlink("/usr/bin/python3.1", venv + "/bin/python3.1")
    os.symlink("python3.1", venv + "/bin/python")
    configure(place, venv=venv)
    assert refused(place) == (
        f'cannot use virtual environment "{venv}": it was made for "/usr/bin/python3.1", which is'
        f' not there (option "venv", {place.line_of("venv")});'
        f" make it anew with python3 -m venv --clear {venv}"
    )


def test_a_venv_of_another_version(place):
    """Its packages would silently be missing."""
    venv = place.path("venv")
    make_venv(venv)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    edit(venv + "/pyvenv.cfg", f"version = {version}", "version = 3.2")
    configure(place, venv=venv)
    assert refused(place) == (
        f'virtual environment "{venv}" was made for Python 3.2, and its python is Python {version},'
        f' which would not find its packages (option "venv", {place.line_of("venv")});'
        f" make it anew with python3 -m venv --clear {venv}, and install them again"
    )


def test_packages_that_the_user_may_not_read(place):
    packages = make_venv(place.path("venv"))
    configure(place, venv=place.path("venv"))
    os.chmod(packages, 0o700)
    assert refused(place) == (
        f'cannot read the packages in "{packages}": user "{FIRST}" may not search directory'
        f' "{packages}" (mode 0700) (option "venv", {place.line_of("venv")})'
    )


def test_a_home_that_the_user_may_not_search(place):
    home = place.path("home")
    make_venv(home + "/venv")
    os.chmod(home, 0o700)
    configure(place, venv=home + "/venv")
    assert refused(place) == (
        f'cannot use virtual environment "{home}/venv": user "{FIRST}" may not search directory'
        f' "{home}" (mode 0700, owner "root") (option "venv", {place.line_of("venv")})'
    )


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        ("chdir", "{home}/site", 'enter directory "{home}/site"'),
        ("app", "{home}/site.wsgi", 'read application "{home}/site.wsgi"'),
        ("pythonpath", "{home}/lib", 'read directory "{home}/lib"'),
        ("python", "{home}/python3", 'run python "{home}/python3"'),
    ],
)
def test_what_lies_in_a_closed_home(place, option, value, what):
    home = place.path("home")
    os.makedirs(home + "/site")
    os.mkdir(home + "/lib")
    os.symlink("/usr/bin/python3", home + "/python3")
    shutil.copy(daemon.APPS + "/mirror.py", home + "/site.wsgi")
    os.chmod(home, 0o700)
    configure(place, **{option: value.format(home=home)})
    assert refused(place) == (
        f'cannot {what.format(home=home)}: user "{FIRST}" may not search directory "{home}"'
        f' (mode 0700, owner "root") (option "{option}", {place.line_of(option)})'
    )


def test_a_directory_that_is_not_there(place):
    configure(place, chdir="/none/site")
    assert refused(place) == (
        'cannot enter directory "/none/site": there is no "/none"'
        f' (option "chdir", {place.line_of("chdir")})'
    )


# --- sockets --------------------------------------------------------------------------------------


def test_a_socket_directory_that_is_not_there(place):
    path = place.path("run/one.sock")
    configure(place, fastcgi=f"unix:{path}")
    directory = place.path("run")
    assert refused(place, SYSTEM) == (
        f'cannot bind unix:{path}: there is no "{directory}"'
        f' (option "fastcgi", {place.line_of("fastcgi")}); create the directory "{directory}"'
    )


def test_a_socket_directory_behind_a_link_that_leads_nowhere(place):
    os.symlink("/none", place.path("run"))
    configure(place, fastcgi=f"unix:{place.path('run/one.sock')}")
    assert (
        f'symbolic link "{place.path("run")}" leads to "/none", which is not there'
        f' (option "fastcgi", {place.line_of("fastcgi")})' in refused(place, SYSTEM)
    )


def test_a_socket_directory_that_is_not_writable(place):
    """To whoever makes the socket: a daemon that was not started as root."""
    os.mkdir(place.path("run"))
    path = place.path("run/one.sock")
    place.write(place.pool("one", "mirror", fastcgi=f"unix:{path}"))
    for check in (["-t"], []):
        done = subprocess.run(
            ["setpriv", f"--reuid={FIRST}", "--clear-groups", daemon.PROGRAM, *check]
            + ["--config", place.file],
            env=daemon.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20 * daemon.SLOWNESS,
            check=False,
        )
        assert done.returncode == SYSTEM
        assert done.stderr.splitlines()[-1] == (
            f'pycgid: cannot bind unix:{path}: user "{FIRST}" may not write to directory'
            f' "{place.path("run")}" (mode 0755, owner "root")'
            f' (option "fastcgi", {place.line_of("fastcgi")})'
        )


@pytest.mark.parametrize(
    ("option", "who"), [("socket-group", "group"), ("socket-user", "user")]
)
def test_a_socket_that_the_web_server_cannot_reach(place, start, option, who):
    """It may have the right by another group, so that this is no error."""
    directory = place.path("run")
    os.mkdir(directory, 0o700)
    path = directory + "/one.sock"
    configure(place, fastcgi=f"unix:{path}", **{option: STRANGER})
    text = (
        f'{who} "{STRANGER}" may not search directory "{directory}" (mode 0700, owner "root") and'
        f' so will not reach unix:{path} (option "{option}", {place.line_of(option)})'
    )
    done = daemon.run("-t", "--config", place.file)
    assert done.returncode == 0 and f"pycgid: notice: {text}\n" in done.stderr
    running = start(None, config=place.file)
    assert running.count(f"warning master.*{who} .* may not search") == 1
    running.stop()
    os.chown(directory, -1, pwd.getpwnam(STRANGER).pw_gid)
    os.chmod(directory, 0o710)
    assert "may not search" not in daemon.run("-t", "--config", place.file).stderr


def test_a_port_that_another_program_has(place):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        configure(place, fastcgi=None, scgi=address)
        with open("/proc/self/comm", encoding="ascii") as file:
            name = file.read().strip()
        assert refused(place, SYSTEM) == (
            f"cannot bind {address}: Address already in use by process {os.getpid()} ({name})"
            f' (option "scgi", {place.line_of("scgi")})'
        )


def test_a_socket_that_another_program_has(place):
    path = place.path("one.sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        configure(place)
        line = refused(place, SYSTEM)
    assert f"process {os.getpid()} (" in line and line.endswith(" answers there")
    assert place.line_of("fastcgi") in line


@pytest.mark.parametrize("kind", ["tcp", "path", "abstract"])
def test_what_the_running_daemon_has_is_in_use(place, start, kind):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = {
        "tcp": f"127.0.0.1:{port}",
        "path": f"unix:{place.path('one.sock')}",
        "abstract": f"unix:@{place.directory}",
    }[kind]
    configure(place, fastcgi=address)
    running = start(None, config=place.file)
    done = daemon.run("-t", "--config", place.file)
    assert done.returncode == 0, done.stderr
    line = f"pycgid: notice: {address} is in use by process {running.process.pid} (pycgid: master)"
    assert line in done.stderr
    second = daemon.run("--config", place.file)
    assert second.returncode == SYSTEM and f"process {running.process.pid} " in second.stderr


# --- users ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("user", 'no such user: "no-such-one"'),
        ("group", 'no such group: "no-such-one"'),
        ("socket-user", 'no such user: "no-such-one"'),
        ("socket-group", 'no such group: "no-such-one"'),
    ],
)
def test_a_user_that_does_not_exist(place, option, text):
    configure(place, **{option: "no-such-one"})
    told = f'{text} (option "{option}", {place.file}:{line_in_pool(place, option)})'
    remedy = "; create it, by systemd-sysusers or adduser --system, or name another"
    assert refused(place) == told + (remedy if "user" in text else "")


def line_in_pool(place, option):
    with open(place.file, encoding="utf-8") as file:
        lines = file.read().splitlines()
    return max(number for number, line in enumerate(lines, 1) if line.startswith(option + " ="))


def test_a_user_that_the_daemon_may_not_become(place):
    place.write(place.pool("one", "mirror", user=STRANGER))
    command = ["setpriv", f"--reuid={FIRST}", "--clear-groups", daemon.PROGRAM]
    done = subprocess.run(
        [*command, "-t", "--config", place.file],
        env=daemon.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20 * daemon.SLOWNESS,
        check=False,
    )
    assert done.returncode == CONFIGURATION or done.returncode == SYSTEM
    assert done.stderr == (
        f'pycgid: cannot change to user "{STRANGER}": not started as root'
        f' (option "user", {place.line_of("user")})\n'
    )


def test_check_leaves_no_process(place):
    configure(place)
    before = set(processes.children(os.getpid()))
    assert daemon.run("-t", "--config", place.file).returncode == 0
    assert set(processes.children(os.getpid())) == before
