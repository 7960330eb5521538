"""What a start refuses, -t refuses in the same words, and changes nothing; and a configuration without
pools is none to be refused."""

import os
import pathlib
import shutil
import signal

import pytest
from harness import daemon, real_users
from harness.site import Site

CONFIGURATION, SYSTEM = 78, 71
ROOT = os.geteuid() == 0


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def refused(site, status, *named):
    """Both say the same, and leave nothing behind."""
    before = sorted(os.listdir(site.directory))
    started = daemon.run("--config", site.file)
    checked = daemon.run("-t", "--config", site.file)
    assert (started.returncode, checked.returncode) == (status, status), checked.stderr
    assert started.stderr.splitlines()[-1] == checked.stderr.splitlines()[-1]
    assert all(word in checked.stderr for word in named), checked.stderr
    assert sorted(os.listdir(site.directory)) == before


@pytest.mark.parametrize("option", ["log", "access-log", "slow-log"])
@pytest.mark.parametrize("where", ["none/x.log", "directory"])
def test_a_log_that_cannot_be_opened(site, option, where):
    os.mkdir(site.directory / "directory")
    line = f"{option} = {site.directory / where}"
    lines = (line, site.pool("blog")) if option == "log" else (site.pool("blog") + line,)
    site.write(*lines)
    refused(site, SYSTEM, where, f'"{option}"')


@pytest.mark.parametrize("where", ["none/pid", "garbage", "directory"])
def test_a_pid_file_that_cannot_be_written(site, where):
    os.mkdir(site.directory / "directory")
    (site.directory / "garbage").write_text("precious\n")
    site.write(f"pidfile = {site.directory / where}", site.pool("blog"))
    refused(site, SYSTEM, where, '"pidfile"')
    assert (site.directory / "garbage").read_text() == "precious\n"


def test_a_control_socket_without_a_directory(site):
    site.write(f"control = {site.directory}/none/control", site.pool("blog"))
    refused(site, SYSTEM, "none", '"control"')


@pytest.mark.skipif(not ROOT, reason="only root changes users")
def test_a_directory_for_uploads_that_the_gateway_cannot_write_to():
    with real_users.open_directory() as directory:
        site = Site(pathlib.Path(directory))
        os.mkdir(site.directory / "uploads", 0o700)
        site.write(f"temp-dir = {directory}/uploads", "user = www-data", site.pool("blog", user="root"))
        refused(site, CONFIGURATION, '"www-data"', "/uploads", '"temp-dir"', f"{site.file}:1")
        shutil.chown(site.directory / "uploads", "www-data")
        assert daemon.run("-t", "--config", site.file).returncode == 0


def test_check_makes_no_file(site):
    lines = [f"log = {site.directory}/x.log", f"pidfile = {site.directory}/x.pid"]
    site.write(*lines, site.pool("blog"))
    assert daemon.run("-t", "--config", site.file).returncode == 0
    assert os.listdir(site.directory) == ["pycgid.conf"]


USER = "user = www-data" if ROOT else ""
WORKERS = {"user": "root"} if ROOT else {}


def test_no_pool_is_a_state(start, site):
    """Pools come and go by HUP, the last one as well."""
    site.write(USER, "include = pools.d/*.conf")
    running = start(None, config=site.file)
    running.wait_line("notice .*ready: no pool is described yet")
    site.write(USER, site.pool("blog", **WORKERS))
    running.signal(signal.SIGHUP)
    running.wait_line('ready: pool "blog"')
    assert site.get("blog").status == 200
    site.write(USER)
    mark = running.mark()
    running.signal(signal.SIGHUP)
    running.wait_line('pool "blog" is removed', since=mark)
    site.wait_no_socket("blog")


def test_check_finds_nothing_wrong_with_no_pool(site):
    site.write(USER)
    done = daemon.run("-t", "--config", site.file)
    assert done.returncode == 0 and "no pool is described yet" in done.stdout


@pytest.mark.skipif(not ROOT, reason="only root is refused")
def test_without_pools_the_gateway_is_not_root_either(site):
    site.write("")
    refused(site, CONFIGURATION, '"user"')


def test_all_pools_gone_while_the_first_one_starts_is_no_failure(start, site):
    (site.directory / "waits.py").write_text("import threading\nthreading.Event().wait()\n")
    site.write(USER, site.pool("blog", "waits", chdir=site.directory, **WORKERS))
    running = daemon.Daemon(None, config=site.file)
    try:
        running.wait_line("starting: ")
        site.write(USER)
        running.signal(signal.SIGHUP)
        running.wait_line("ready: no pool is described yet")
        running.stop()
    finally:
        running.kill()
