"""Requests that a new worker must answer before it serves (issue 3, point 2)."""

import os
import signal

import pytest
from harness import daemon as pycgid
from harness import processes

APPLICATION = """
import os
asked = []

def application(environ, start_response):
    asked.append(environ["PATH_INFO"] + "?" + environ["QUERY_STRING"])
    status = STATUS if environ["HTTP_USER_AGENT"] == "pycgid-warmup" else "200 OK"
    start_response(status, [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {' '.join(asked)}".encode()]
"""
SILENT = """
import threading

def application(environ, start_response):
    threading.Event().wait()
"""
PATHS = ("--warmup", "/first", "--warmup", "/second?a=b")


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    write(tmp_path, "200 OK")
    return tmp_path


def write(site, status):
    (site / "warm.py").write_text(APPLICATION.replace("STATUS", repr(status)))


def test_a_worker_answers_the_warm_up_before_anybody_else(start, site):
    daemon = start("warm", *PATHS, chdir=str(site))
    pid, *asked = daemon.get("/mine").text.split()
    assert asked == ["/first?", "/second?a=b", "/mine?"]
    mark = daemon.mark()
    processes.kill(int(pid))
    daemon.wait_line("replacing it", since=mark)
    daemon.expect(r" warm/1\[\d+\]: ")
    new, *asked = daemon.get("/again").text.split()
    assert new != pid and asked == ["/first?", "/second?a=b", "/again?"]


def test_an_answer_below_500_is_good(start, site):
    write(site, "404 Not Found")
    daemon = start("warm", "--warmup", "/", chdir=str(site))
    assert daemon.get().status == 200


def test_a_start_that_fails_its_warm_up(site):
    write(site, "500 Internal Server Error")
    arguments = ("warm", "--chdir", str(site), "--fastcgi", f"unix:{site}/socket", "--processes=1")
    result = pycgid.run(*arguments, "--warmup", "/first", *pycgid.common_options())
    assert result.returncode == 75
    assert 'warm-up request "/first" was answered 500 (option "warmup")' in result.stderr


@pytest.mark.parametrize("version", ["500", "503", "silent"])
def test_a_reload_that_fails_its_warm_up_changes_nothing(start, site, version):
    daemon = start("warm", *PATHS, "--start-timeout", "3s", chdir=str(site), processes=2)
    old = daemon.workers
    if version == "silent":
        (site / "warm.py").write_text(SILENT)
        reason = r"not answered within 3s \(option \"start-timeout\"\)"
    else:
        write(site, f"{version} Not so good")
        reason = f'"/first" was answered {version}'
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line(f"reload failed: .*{reason}.*; generation 1 goes on", since=mark)
    daemon.expect(r" warm/\d\[\d+\]: ")
    assert int(daemon.get().text.split()[0]) in old
    write(site, "200 OK")
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool", since=mark)
    assert int(daemon.get().text.split()[0]) not in old
