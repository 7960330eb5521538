"""What a start refuses, -t refuses in the same words, and changes nothing; and a configuration without
pools is none to be refused."""

import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import pytest
from harness import daemon, real_users
from harness.site import Site

CONFIGURATION, SYSTEM = 78, 71
ROOT = os.geteuid() == 0
USER = "user = www-data" if ROOT else ""
WORKERS = {"user": "root"} if ROOT else {}


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
    refused(site, SYSTEM, where, f'(option "{option}", {site.line_of(option)})')


@pytest.mark.parametrize("option", ["access-log", "slow-log"])
def test_a_log_of_one_pool_keeps_no_other_pool_down(start, site, option):
    path = site.directory / "gone" / "x.log"
    site.write(USER, site.pool("good", **WORKERS), site.pool("bad", **WORKERS), f"{option} = {path}")
    running = start(None, config=site.file)
    running.wait_line('ready: pool "good"')
    line = running.wait_line('pool "bad" does not start: cannot open log .*answered 503').string
    assert str(path) in line and f'(option "{option}", {site.line_of(option)})' in line
    assert (site.get("good").status, site.get("bad").status) == (200, 503)


def test_a_pool_whose_log_can_be_opened_later_writes_to_it(start, site):
    """The gateway gets the log that was not there when it started."""
    path = site.directory / "gone" / "x.log"
    site.write(USER, site.pool("good", **WORKERS), site.pool("bad", **WORKERS), f"access-log = {path}")
    running = start(None, config=site.file)
    running.wait_line('pool "bad" does not start')
    path.parent.mkdir()
    running.wait_line('ready: pool "bad"')
    assert site.get("bad", "/later").status == 200
    limit = time.monotonic() + 10
    while "/later" not in path.read_text():
        assert time.monotonic() < limit, "the request is not in the log"
        threading.Event().wait(0.01)


@pytest.mark.parametrize("option", ["chdir", "python", "chroot"])
def test_a_pool_that_lacks_something_answers_503(start, site, option):
    bad = site.pool("bad", **WORKERS, **{option: "/not/there"})
    site.write(USER, site.pool("good", **WORKERS), bad)
    running = start(None, config=site.file)
    running.wait_line('ready: pool "good"')
    running.wait_line('pool "bad" does not start: .*answered 503')
    assert (site.get("good").status, site.get("bad").status) == (200, 503)


@pytest.mark.skipif(not ROOT, reason="only root changes the root directory")
def test_a_root_directory_that_is_not_there_is_named(site):
    site.write(USER, site.pool("blog", chroot="/not/there", **WORKERS))
    place = site.line_of("chroot")
    wrong = f'directory to "/not/there": there is no "/not" (option "chroot", {place})'
    refused(site, CONFIGURATION, wrong)


@pytest.mark.parametrize("option", ["status-path", "ping-path"])
def test_a_page_of_our_own_is_a_path_without_a_query(site, option):
    site.write(site.pool("blog", **{option: "/status?full"}))
    refused(site, CONFIGURATION, site.line_of(option), "must be a path without a query")


@pytest.mark.skipif(not ROOT, reason="only root changes users")
def test_a_user_that_one_pool_lacks_keeps_no_other_pool_down(start, site):
    site.write(USER, site.pool("good", **WORKERS), site.pool("bad", user="nosuch"))
    running = start(None, config=site.file)
    running.wait_line('ready: pool "good"')
    running.wait_line('pool "bad" does not start: no such user: "nosuch"')
    assert site.get("good").status == 200


@pytest.mark.parametrize("where", ["none/pid", "garbage", "directory"])
def test_a_pid_file_that_cannot_be_written(site, where):
    os.mkdir(site.directory / "directory")
    (site.directory / "garbage").write_text("precious\n")
    site.write(f"pidfile = {site.directory / where}", site.pool("blog"))
    refused(site, SYSTEM, where, f'(option "pidfile", {site.line_of("pidfile")})')
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
def test_workers_that_would_be_root_are_named_by_pool_and_place(site):
    site.write(USER, site.pool("blog", user="root", allow_root=None))
    refused(site, CONFIGURATION, 'workers of pool "blog"', f'(option "user", {site.line_of("user = root")})')


@pytest.mark.skipif(not ROOT, reason="only root is refused")
def test_a_gateway_that_would_be_root_is_named_by_place(site):
    site.write("user = root", site.pool("blog", user="www-data", allow_root=None))
    named = f'the gateway would run as root (option "user", {site.file}:1); name another user'
    refused(site, CONFIGURATION, named)


ADDRESSES = [
    ("localhost:9100", "127.0.0.1:9100"),
    ("*:9100", "127.0.0.1:9100"),
    ("[::1]:9100", "*:9100"),
    ("unix:/tmp/x.sock", "unix:/tmp//./x.sock"),
]


@pytest.mark.parametrize(("first", "second"), ADDRESSES)
def test_one_address_in_two_spellings(site, first, second):
    site.write(USER, site.pool("blog", fastcgi=first, scgi=second, **WORKERS))
    refused(site, CONFIGURATION, f'address "{second}" is that of pool "blog" already', site.line_of("scgi"))


def two_paths(site, kind):
    """Of one socket: what is written, and the first path of it."""
    (site.directory / "a" / "b").mkdir(parents=True)
    os.symlink("a", site.directory / "linked")
    path = "a/b/../x.sock" if kind == "dots" else "linked/x.sock"
    return str(site.directory / path), str(site.directory / "a" / "x.sock")


@pytest.mark.parametrize("kind", ["dots", "link"])
@pytest.mark.parametrize("option", ["scgi", "fastcgi", "control"])
def test_one_socket_by_two_paths(start, site, kind, option):
    other, path = two_paths(site, kind)
    first = f'leads to "unix:{path}" (option "fastcgi", '
    if option == "control":
        site.write(USER, f"control = {other}", site.pool("blog", fastcgi=f"unix:{path}", **WORKERS))
    else:
        second = {"fastcgi": None, option: f"unix:{other}", **WORKERS}
        site.write(
            USER, site.pool("blog", fastcgi=f"unix:{path}", **WORKERS), site.pool("other", **second)
        )
    place = f'another path (option "{option}", {site.file}:'
    named = f'address "unix:{other}" is that of pool "blog" already: it ' + first
    refused(site, CONFIGURATION, named, place, "an address of its own")


CLAIMED = [
    ("fastcgi", "access-log"),
    ("fastcgi", "slow-log"),
    ("fastcgi", "control"),
    ("fastcgi", "log"),
    ("fastcgi", "pidfile"),
    ("access-log", "pidfile"),
    ("control", "log"),
    ("log", "pidfile"),
]


@pytest.mark.parametrize(("first", "second"), CLAIMED)
def test_one_path_for_two_things(site, first, second):
    path = site.directory / "x.sock"
    lines = {
        option: f"{option} = {'unix:' if option == 'fastcgi' else ''}{path}"
        for option in (first, second)
    }
    of_pool = ("fastcgi", "access-log", "slow-log")
    options = {} if first == "fastcgi" else {"fastcgi": "127.0.0.1:9107"}
    pool = site.pool("blog", **{"fastcgi": None, **options, **WORKERS})
    pool += "\n".join(line for option, line in lines.items() if option in of_pool)
    others = [line for option, line in lines.items() if option not in of_pool]
    site.write(USER, *others, pool)
    places = [f'(option "{option}", {site.line_of(option + " = ")})' for option in (first, second)]
    refused(site, CONFIGURATION, " already", *places, " of its own")


def test_logs_may_share_a_file(site):
    path = site.directory / "x.log"
    site.write(USER, f"log = {path}", site.pool("blog", access_log=path, slow_log=path, **WORKERS))
    assert daemon.run("-t", "--config", site.file).returncode == 0


def test_a_reload_refuses_one_socket_by_two_paths(start, site):
    other, path = two_paths(site, "link")
    first = site.pool("blog", fastcgi=f"unix:{path}", **WORKERS)
    site.write(USER, first)
    running = start(None, config=site.file)
    site.write(USER, first, site.pool("other", fastcgi=f"unix:{other}", **WORKERS))
    running.signal(signal.SIGHUP)
    running.wait_line(
        rf'reload failed: address "unix:{other}" is that of pool "blog" already: it leads to '
        rf'"unix:{path}" .*; the old configuration stays in force'
    )


@pytest.mark.parametrize("address", ["fd:99", "systemd:web"])
def test_a_socket_that_was_not_passed(site, address):
    """Who checks is not who starts: the check tells of it, the start is refused."""
    site.write(USER, site.pool("blog", fastcgi=address, **WORKERS))
    place = f'(option "fastcgi", {site.line_of("fastcgi")})'
    checked = daemon.run("-t", "--config", site.file)
    assert checked.returncode == 0
    assert f"notice: {address} is not there" in checked.stderr and place in checked.stderr
    started = daemon.run("--config", site.file)
    assert started.returncode == SYSTEM and place in started.stderr


@pytest.mark.skipif(not ROOT, reason="only root changes users")
def test_a_socket_that_may_not_be_given_away():
    with real_users.open_directory() as directory:
        site = Site(pathlib.Path(directory))
        site.write(site.pool("blog", socket_group="adm", allow_root=None))
        shutil.chown(site.directory, "games")
        for arguments in ([], ["-t"]):
            done = as_user("games", *arguments, "--config", site.file)
            assert done.returncode == SYSTEM, done.stderr
            assert "cannot give it to another user or group" in done.stderr


def as_user(user, *arguments):
    return subprocess.run(
        ["setpriv", f"--reuid={user}", "--clear-groups", daemon.PROGRAM, *arguments],
        env=daemon.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10 * daemon.SLOWNESS,
        check=False,
    )


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
