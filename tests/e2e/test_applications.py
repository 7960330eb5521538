"""How applications are named and found: modules, files, venvs, paths, environments."""

import json
import os
import subprocess

import pytest
from harness import cgi, fastcgi, processes

APPLICATION = """
import os, sys
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(KEY).encode()]
class holder:
    deep = application
"""


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    return tmp_path


def write(path, key="'found'"):
    path.parent.mkdir(exist_ok=True)
    path.write_text(APPLICATION.replace("KEY", key))


@pytest.mark.parametrize(
    ("file", "app"),
    [
        ("plain.py", "plain"),
        ("plain.py", "plain:application"),
        ("plain.py", "plain:holder.deep"),
        ("package/module.py", "package.module:application"),
        ("package/wsgi.py", "package.wsgi"),
        ("site.wsgi", "site.wsgi"),
        ("site.wsgi", "./site.wsgi:application"),
        ("script.py", "./script.py"),
        ("odd name-1.py", "{site}/odd name-1.py:holder.deep"),
    ],
)
def test_names_of_applications(start, site, file, app):
    write(site / file)
    assert start(app.format(site=site), chdir=str(site)).get().body == b"found"


def test_pythonpath_in_its_order_before_the_applications_directory(start, site):
    write(site / "main.py", "sys.path[:3]")
    others = [str(site / name) for name in ("first", "second")]
    options = [each for other in others for each in ("--pythonpath", other)]
    shown = start("main", *options, chdir=str(site)).get().text
    assert shown == str([*others, str(site)])


def test_environment_of_the_worker(start, site):
    write(site / "main.py", "[os.environ.get(name) for name in ('A', 'B', 'OUTSIDE')]")
    options = ["--env", "A=1 2", "--env", "B=x=y"]
    daemon = start("main", *options, chdir=str(site), env={"OUTSIDE": "seen"})
    assert daemon.get().text == "['1 2', 'x=y', 'seen']"
    daemon = start("main", *options, "--clear-env", chdir=str(site), env={"OUTSIDE": "seen"})
    assert daemon.get().text == "['1 2', 'x=y', None]"


def test_the_daemons_own_variables_stay_with_it(start, site):
    names = ("LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "FCGI_WEB_SERVER_ADDRS")
    write(site / "main.py", f"[name for name in {names} if name in os.environ]")
    environment = {"LISTEN_FDS": "0", "LISTEN_PID": "1", "NOTIFY_SOCKET": "/nonexistent"}
    assert start("main", chdir=str(site), env=environment).get().text == "[]"


def test_worker_holds_no_socket_of_the_gateways(start):
    """No listening socket, no connection of anybody's is in the application's hands."""
    daemon = start("crashing")
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/pid"), flags=fastcgi.KEEP))
        worker = daemon.only_worker()
        assert connection.answer().text == str(worker)
        held = sockets_of(daemon.gateway)
        assert len(held) >= 4, "two listeners, the connection, the channel"
        assert not held & sockets_of(worker)


def sockets_of(pid):
    return {each for each in processes.open_files(pid) if each.startswith("socket:")}


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """A real venv, with a module in it that nobody else has."""
    directory = tmp_path_factory.mktemp("venv")
    base = os.environ.get("PYCGID_TEST_PYTHON", "/usr/bin/python3")
    subprocess.run([base, "-m", "venv", "--without-pip", directory], check=True)
    for parent in (directory, directory.parent, directory.parent.parent):
        os.chmod(parent, 0o755)
    (packages,) = directory.glob("lib/python3*/site-packages")
    (packages / "only_here.py").write_text("NAME = 'only here'\n")
    return directory


def test_a_venv_is_the_applications_python(start, site, venv):
    write(site / "main.py", "[only_here.NAME, sys.prefix]")
    text = (site / "main.py").read_text()
    (site / "main.py").write_text("import only_here" + text)
    daemon = start("main", "--venv", str(venv), chdir=str(site))
    assert daemon.get().text == str(["only here", str(venv)])


def test_without_the_venv_its_modules_are_not_there(start, site, venv):
    text = "[name for name in ('json', 'only_here') if importlib.util.find_spec(name)]"
    write(site / "main.py", text)
    (site / "main.py").write_text("import importlib.util" + (site / "main.py").read_text())
    assert start("main", chdir=str(site)).get().text == "['json']"


def test_python_names_the_interpreter(start, site, venv):
    write(site / "main.py", "sys.executable")
    python = str(venv / "bin/python")
    assert start("main", "--python", python, chdir=str(site)).get().text == python


def test_signals_and_main_thread_are_as_usual(start, site):
    """The application is imported in the main thread, with the signals of a fresh process."""
    key = (
        "[main, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,"
        " signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()]"
    )
    write(site / "main.py", f"__import__('json').dumps({key})")
    head = "import signal, threading\nmain = threading.current_thread() is threading.main_thread()"
    (site / "main.py").write_text(head + (site / "main.py").read_text())
    shown = json.loads(start("main", chdir=str(site), threads=1).get().text)
    assert shown == [True, True, True]
