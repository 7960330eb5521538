"""Releases that are deployed by switching a symbolic link, and a reload: whatever is named
relative to it, or by way of it, is the new release's then."""

import os
import signal
import subprocess

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import worker_env

APPLICATION = """
import json, os, sys
import beside
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    facts = ["VERSION", beside.NAME, os.path.basename(os.getcwd()), sys.prefix != sys.base_prefix]
    facts.append([each for each in sys.path if "/OTHER" in each])
    return [json.dumps(facts).encode()]
"""
CONFIGURATION = """
[blog]
app = APP
processes = 1
fastcgi = unix:{directory}/fastcgi
pythonpath = lib
OPTIONS
"""


@pytest.fixture
def site(tmp_path):
    """Two releases, a and b, and `current`, which is a."""
    os.chmod(tmp_path, 0o755)
    for name, other in ("ab", "ba"):
        (tmp_path / name / "lib").mkdir(parents=True)
        text = APPLICATION.replace("VERSION", name).replace("OTHER", other)
        (tmp_path / name / "blog.py").write_text(text)
        (tmp_path / name / "my-blog.wsgi").write_text(text)
        (tmp_path / name / "lib/beside.py").write_text(f"NAME = {name!r}\n")
    os.symlink("a", tmp_path / "current")
    return tmp_path


def switch(site):
    os.symlink("b", site / "new")
    os.rename(site / "new", site / "current")


def make_venv(path):
    command = ["/usr/bin/python3", "-m", "venv", "--without-pip", "--symlinks", path]
    subprocess.run(command, check=True)


def in_release(site, pwd=True):
    """Starts what follows in the current release, as a shell that has gone there does."""
    word = "cd" if pwd else "cd -P"
    return ("sh", "-c", f'{word} {site}/current && exec "$@"', "sh")


def expected(name, venv=False):
    return f'["{name}", "{name}", "{name}", {"true" if venv else "false"}, []]'


def reload(daemon):
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool", since=mark)


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize("app", ["blog", "./blog.py", "my-blog.wsgi", "blog:application"])
def test_started_in_a_release(start, site, app, preload):
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--pythonpath", "lib", *preload)
    daemon = start(app, *options, command=in_release(site), chdir=".")
    assert daemon.get().text == expected("a")
    switch(site)
    reload(daemon)
    assert daemon.get().text == expected("b")


@pytest.mark.parametrize("preload", [(), ("--preload",)])
@pytest.mark.parametrize("chdir", ["{site}/current", "current"])
def test_option_chdir_is_a_release(start, site, chdir, preload):
    command = ("sh", "-c", f'cd {site} && exec "$@"', "sh")
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--pythonpath", "lib", *preload)
    daemon = start("blog", *options, command=command, chdir=chdir.format(site=site))
    assert daemon.get().text == expected("a")
    switch(site)
    reload(daemon)
    assert daemon.get().text == expected("b")


@pytest.mark.parametrize("named", ["venv", "./venv", "{site}/current/venv"])
def test_a_venv_in_a_release(start, site, named):
    for name in "ab":
        make_venv(site / name / "venv")
        (packages,) = (site / name / "venv").glob("lib/python3*/site-packages")
        os.rename(site / name / "lib/beside.py", packages / "beside.py")
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--venv", named.format(site=site))
    daemon = start("blog", *options, command=in_release(site), chdir=".")
    assert daemon.get().text == expected("a", venv=True)
    switch(site)
    reload(daemon)
    assert daemon.get().text == expected("b", venv=True)


def start_by_file(start, site):
    """Without option chdir."""
    for name, text in (("a", "env = X=1"), ("b", "threads = 3")):
        configuration = CONFIGURATION.replace("APP", "blog").replace("OPTIONS", text)
        configuration = configuration.replace("{directory}", str(site))
        root = "allow-root = yes\n" if os.geteuid() == 0 else ""
        variables = "".join(f"env = {setting}\n" for setting in worker_env())
        (site / name / "pycgid.conf").write_text(configuration + root + variables)
    daemon = start(None, config="pycgid.conf", command=in_release(site))
    assert get(site) == expected("a")
    return daemon


def get(site):
    return fastcgi.fetch(f"{site}/fastcgi", cgi.variables()).text


def test_a_configuration_file_in_a_release(start, site):
    daemon = start_by_file(start, site)
    switch(site)
    mark = daemon.mark()
    reload(daemon)
    daemon.wait_line('pool "blog" changes: options "env", "threads"', since=mark)
    assert get(site) == expected("b")


def test_a_worker_that_replaces_a_dead_one_starts_where_the_name_leads(start, site):
    """The old release may be gone by then."""
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--pythonpath", "lib")
    daemon = start("blog", *options, command=in_release(site), chdir=".")
    daemon.expect("killed by signal|died")
    worker = daemon.only_worker()
    switch(site)
    os.rename(site / "a", site / "gone")
    os.kill(worker, signal.SIGKILL)
    assert processes.wait_gone(worker)
    while not daemon.workers:
        assert processes.wait_gone(worker)
    assert daemon.get().text == expected("b")


def test_a_release_whose_name_is_gone_is_not_served_again(start, site):
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--pythonpath", "lib")
    daemon = start("blog", *options, command=in_release(site), chdir=".")
    daemon.expect("reload failed")
    os.unlink(site / "current")
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    line = daemon.wait_line("reload failed.*", since=mark)[0]
    assert f'cannot enter directory "{site}/current": there is no' in line
    assert daemon.get().text == expected("a")


def test_a_name_that_is_not_the_current_directorys_is_not_believed(start, site):
    command = ("env", f"PWD={site}/b", *in_release(site, pwd=False)[:2])
    command += (f'cd -P {site}/a && PWD={site}/b exec "$@"', "sh")
    options = ("--fastcgi", "unix:{directory}/fastcgi", "--pythonpath", "lib")
    assert start("blog", *options, command=command, chdir=".").get().text == expected("a")
