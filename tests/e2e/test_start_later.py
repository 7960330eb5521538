"""Starts that fail today and may work later: their exit status, what the log tells of them, and an
address that no interface has yet."""

import os
import shutil
import subprocess

import pytest
from harness import daemon
from harness.daemon import APPS
from harness.site import Site

TEMPORARY, CONFIGURATION = 75, 78
HANGING = """
import threading

def connect_to_database():
    threading.Event().wait()

connect_to_database()
"""


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.mark.parametrize("options", [[], ["--preload"], ["-t"]])
def test_where_the_import_hangs_is_in_the_log(site, options):
    (site.directory / "hanging.py").write_text(HANGING)
    options += ["--chdir", str(site.directory), "--fastcgi", f"unix:{site.socket('h')}"]
    options += ["--start-timeout", "2s", "--processes", "1", *daemon.common_options()]
    done = daemon.run("hanging", *options, deadline=30 * daemon.SLOWNESS)
    assert done.returncode == TEMPORARY
    assert 'did not load within 2s (option "start-timeout")' in done.stderr.splitlines()[-1]
    assert "in connect_to_database" in done.stderr and "hanging.py" in done.stderr


def test_a_start_in_time_tells_no_stacks(start, site):
    (site.directory / "quick.py").write_text("from mirror import application\n")
    running = start(
        *("quick", "--start-timeout", "1s", "--pythonpath", APPS), chdir=str(site.directory)
    )
    assert running.get().status == 200 and running.count("Timeout|most recent call") == 0


def test_when_one_pool_may_start_later_the_daemon_is_to_be_tried_again(site):
    (site.directory / "refused.py").write_text("raise ConnectionRefusedError(111, 'refused')\n")
    (site.directory / "nothing.py").write_text("")
    here = {"chdir": site.directory}
    pools = [site.pool("a", "nothing", **here), site.pool("b", "refused", **here)]
    for order in (pools, pools[::-1]):
        site.write(*order, site.pool("c", "nothing", **here))
        done = daemon.run("--config", site.file)
        assert done.returncode == TEMPORARY and "refused" in done.stderr.splitlines()[-1]
        assert all(f'pool "{name}" does not start: ' in done.stderr for name in "ac")
    site.write(pools[0], site.pool("c", "nothing", **here))
    assert daemon.run("--config", site.file).returncode == CONFIGURATION


def in_network_of(pid, *words):
    return subprocess.run(
        ["nsenter", f"--target={pid}", "--net", *words], capture_output=True, check=True, text=True
    ).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")
@pytest.mark.skipif(not shutil.which("ip"), reason="needs ip(8)")
@pytest.mark.parametrize("address", ["10.77.0.1", "fd77::1"])
def test_an_address_that_is_not_there_yet_is_waited_for(start, address):
    host = f"[{address}]" if ":" in address else address
    command = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
    running = start("mirror", "--fastcgi", f"{host}:4000", command=command)
    running.wait_line(f'warning .*no interface has the address of .*{address}.*"fastcgi"')
    pid = running.process.pid
    in_network_of(pid, "ip", "address", "add", address, "dev", "lo")
    ask = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from harness import cgi, fastcgi\n"
        "print(fastcgi.fetch((sys.argv[2], 4000), cgi.variables('/a')).status)\n"
    )
    here = os.path.dirname(__file__)
    told = in_network_of(pid, "/usr/bin/python3", "-c", ask, here, address)
    assert told.strip() == "200"


def test_check_warns_of_an_address_that_is_not_there():
    options = ["--chdir", APPS, "--fastcgi", "192.0.2.77:4000", *daemon.common_options()]
    done = daemon.run("-t", "mirror", *options)
    assert done.returncode == 0 and "no interface has the address" in done.stderr
