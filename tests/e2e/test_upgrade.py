"""The installed files are replaced by another version's while the daemon runs, as an upgrade
does: what runs goes on until it is restarted."""

import os
import re
import shutil
import signal

import pytest
from harness import daemon as pycgid
from harness import processes
from harness.daemon import common_options

OTHER = "9.9.9"
APPLICATION = """
import sys
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["pycgid.version"].encode()]
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A copy of the program with its files, and an application."""
    os.chmod(tmp_path, 0o755)
    shutil.copy(pycgid.PROGRAM, tmp_path / "pycgid")
    (tmp_path / "pyhost").mkdir()
    built = os.path.join(os.path.dirname(os.path.abspath(pycgid.PROGRAM)), "pyhost")
    for name in os.listdir(built):
        if name.endswith((".py", ".so")):
            shutil.copy(os.path.join(built, name), tmp_path / "pyhost")
    (tmp_path / "site_app.py").write_text(APPLICATION)
    monkeypatch.setattr(pycgid, "PROGRAM", str(tmp_path / "pycgid"))
    return tmp_path


def version_of(installed):
    text = (installed / "pyhost/boot.py").read_text()
    return re.search(r'__version__ = "(.*)"', text)[1]


def upgrade(installed, in_place=False):
    """Every file becomes another version's: by a new file, or written over."""
    version = version_of(installed)
    for path in (installed / "pyhost").iterdir():
        content = path.read_bytes().replace(version.encode(), OTHER.encode())
        if in_place and path.suffix == ".py":
            path.write_bytes(content)
        else:
            path.unlink()
            path.write_bytes(b"no module" if path.suffix == ".so" else content)


def remove(installed):
    shutil.rmtree(installed / "pyhost")


def replace_worker(daemon):
    worker = daemon.only_worker()
    mark = daemon.mark()
    os.kill(worker, signal.SIGKILL)
    daemon.wait_line("killed by signal|died", since=mark)
    assert processes.wait_gone(worker)


def reload(daemon, outcome):
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    return daemon.wait_line(outcome, since=mark)


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize("change", [upgrade, remove])
def test_a_running_daemon_survives_the_upgrade_of_its_files(installed, start, change, preload):
    version = version_of(installed)
    daemon = start("site_app", *preload, chdir=str(installed))
    assert daemon.count("were replaced") == 0
    change(installed)
    replace_worker(daemon)
    assert daemon.get().text == version
    old = daemon.workers
    reload(daemon, "reloaded pool")
    assert daemon.get().text == version
    assert all(processes.wait_gone(pid) for pid in old)
    line = daemon.wait_line("warning.*the files in .*")[0]
    assert f"workers still start from those of pycgid {version}, which runs; restart it" in line
    replace_worker(daemon)
    assert daemon.get().text == version
    assert daemon.count("were replaced") == 1


def test_workers_hold_none_of_the_files_open(installed, start):
    daemon = start("site_app", chdir=str(installed))
    old = daemon.only_worker()
    upgrade(installed)
    reload(daemon, "reloaded pool")
    assert processes.wait_gone(old)
    worker = daemon.only_worker()
    held = processes.open_files(worker)
    assert not [path for path in held if "pyhost" in path and ".so" not in path]
    assert daemon.get().status == 200


def test_files_of_another_version_say_so(installed):
    """As a daemon meets them whose files were written over, and in another root."""
    version = version_of(installed)
    upgrade(installed)
    words = [*common_options(), "--fastcgi", f"unix:{installed}/s", "--chdir", str(installed)]
    done = pycgid.run("-t", *words, "site_app")
    assert done.returncode != 0 and done.stderr.splitlines()[-1] == (
        f'pycgid: the installed files in "{installed}/pyhost" are of pycgid {OTHER}, and the'
        f" running daemon is pycgid {version}; restart it"
    )


@pytest.mark.parametrize("name", ["loader.py", "template.py", "request_threads.py"])
def test_one_file_of_another_version_says_so(installed, name):
    version = version_of(installed)
    path = installed / "pyhost" / name
    path.write_text(path.read_text().replace(version, OTHER))
    words = [*common_options(), "--fastcgi", f"unix:{installed}/s", "--chdir", str(installed)]
    with_template = ["--preload"] if name == "template.py" else []
    started = pycgid.run(*with_template, *words, "site_app")
    assert started.returncode != 0
    assert (
        f'the files in "{installed}/pyhost" are of different versions: {path} is of pycgid {OTHER},'
        f" and boot.py of {version}; install all of them again"
    ) in started.stderr


def test_a_module_of_another_version_says_so(installed):
    version = version_of(installed)
    (module,) = (installed / "pyhost").glob("*.so")
    old, new = (b"\0" + text.encode() + b"\0" for text in (version, OTHER))
    content = module.read_bytes().replace(old, new)
    module.unlink()
    module.write_bytes(content)
    words = [*common_options(), "--fastcgi", f"unix:{installed}/s", "--chdir", str(installed)]
    done = pycgid.run("-t", *words, "site_app")
    assert f"{module} is of pycgid {OTHER}, and boot.py of {version}" in done.stderr


def test_files_written_over_while_the_daemon_runs(installed, start):
    """Nothing is left of the old ones; what serves, serves on, and the reason is said."""
    version = version_of(installed)
    daemon = start("site_app", chdir=str(installed))
    daemon.expect("reload failed")
    upgrade(installed, in_place=True)
    line = reload(daemon, "reload failed.*")[0]
    assert f"are of pycgid {OTHER}, and the running daemon is pycgid {version}; restart it" in line
    assert daemon.get().text == version


