"""The units of contrib/, started by a real systemd: hardening, activation, reload, watchdog."""

import os

import pytest
from harness import cgi, daemon, fastcgi, processes
from harness.place import copy_to
from harness.systemd import UNITS, Systemd

CONTRIB = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../contrib"))
SLOWNESS = int(os.environ.get("PYCGID_SLOWNESS", "1"))
SERVICE = "pycgid.service"
APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""


class Site:
    """pycgid.conf with a pool "blog", whose socket is that of the socket unit."""

    def __init__(self, systemd):
        self.systemd = systemd
        pool = ["user = www-data", "[blog]", "app = site_app", "chdir = /srv", "processes = 1"]
        pool += ["fastcgi = systemd", "fastcgi = unix:/run/pycgid/blog.sock"]
        pool += ["env = PYTHONDONTWRITEBYTECODE=1"]
        pool += [f"env = {setting}" for setting in daemon.worker_env()]
        systemd.write("/srv/pycgid.conf", "\n".join(pool) + "\n")
        # In a place that PrivateTmp= and closed folders don't hide, wherever the build is.
        os.mkdir(systemd.path("/srv/bin"))
        copy_to(systemd.path("/srv/bin"), daemon.BUILD, *daemon.PARTS)
        self.install(SERVICE)
        self.install("pycgid.socket")
        # Leaks cannot be looked for without ptrace(2).
        self.drop_in("sanitizer", "Environment=ASAN_OPTIONS=detect_leaks=0")

    def install(self, name):
        with open(f"{CONTRIB}/systemd/{name}", encoding="utf-8") as file:
            text = file.read().replace("/usr/sbin/pycgid", "/srv/bin/pycgid")
        self.systemd.write(f"{UNITS}/{name}", text.replace("/etc/pycgid/", "/srv/"))

    def drop_in(self, name, *lines):
        text = "\n".join(["[Service]", *lines, ""])
        self.systemd.write(f"{UNITS}/{SERVICE}.d/{name}.conf", text)
        self.systemd.control("daemon-reload")

    def write(self, version, before=""):
        self.systemd.write("/srv/new", before + APPLICATION.replace("VERSION", version))
        os.rename(self.systemd.path("/srv/new"), self.systemd.path("/srv/site_app.py"))

    def get(self, path="/run/pycgid-blog.sock"):
        return fastcgi.fetch(self.systemd.path(path), cgi.variables()).text

    def start(self):
        assert self.systemd.control("start", "pycgid.socket") == (0, "")
        assert self.systemd.control("start", SERVICE) == (0, "")

    def status(self):
        return self.systemd.show(SERVICE, "StatusText")

    def wait_show(self, name, value):
        found = []

        def is_there():
            found.append(self.systemd.show(SERVICE, name))
            return found[-1] == value

        assert processes.wait_until(is_there, 20 * SLOWNESS), f"{name} is {found[-1]}"


@pytest.fixture
def site():
    with Systemd() as systemd:
        site = Site(systemd)
        site.write("one")
        yield site


def test_a_connection_starts_it(site):
    assert site.systemd.control("start", "pycgid.socket") == (0, "")
    assert site.systemd.show(SERVICE, "ActiveState") == "inactive"
    assert site.get() == "one"
    site.wait_show("ActiveState", "active")
    assert site.status() == "1 pool, 1 worker, serving"
    assert site.get("/run/pycgid/blog.sock") == "one", "its own socket serves, too"
    status = site.systemd.run("cat", f"/proc/{site.systemd.show(SERVICE, 'MainPID')}/status")[1]
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    # The unit leaves the master what it takes to give up the bounding set for them.
    for name in ("gateway", "worker"):
        main = site.systemd.show(SERVICE, "MainPID")
        pid = site.systemd.run("pgrep", "--parent", main, "--full", f"pycgid: {name}")[1].strip()
        status = site.systemd.run("cat", f"/proc/{pid}/status")[1]
        assert "CapBnd:\t0000000000000000" in status, name
    # Nobody notices a restart, as the socket stays.
    site.write("two")
    assert site.systemd.control("restart", SERVICE) == (0, "")
    assert site.get() == "two"
    assert site.systemd.control("stop", SERVICE)[0] == 0
    assert site.systemd.show(SERVICE, "Result") == "success"


def test_reload(site):
    site.start()
    site.write("two")
    assert site.systemd.control("reload", SERVICE) == (0, "")
    assert processes.wait_until(lambda: site.get() == "two", 20 * SLOWNESS)
    site.write("three", before="import no_such_module_anywhere\n")
    assert site.systemd.control("reload", SERVICE) == (0, "")
    failed = 'reload of pool "blog" failed: cannot load application "site_app"'
    assert processes.wait_until(lambda: site.status().startswith(failed), 20 * SLOWNESS)
    assert site.systemd.show(SERVICE, "ActiveState") == "active" and site.get() == "two"


def test_a_start_may_take_longer_than_systemd_thinks(site):
    limit = 4 * SLOWNESS
    site.drop_in("impatient", f"TimeoutStartSec={limit}")
    site.write("slow", before=f"import time\ntime.sleep({limit + 2})\n")
    site.start()
    assert site.get() == "slow"


def test_a_start_that_can_never_work_is_not_tried_again(site):
    site.write("x", before="def wrong(:\n")
    site.systemd.control("start", "pycgid.socket")
    status, output = site.systemd.control("start", SERVICE)
    assert status == 1 and "failed" in output
    site.wait_show("ActiveState", "failed")
    assert site.systemd.show(SERVICE, "ExecMainStatus") == "78"
    assert site.status().startswith('start failed: cannot load application "site_app"')


def test_a_start_that_may_work_later_is_tried_again(site):
    """More often than systemd's own limit of five starts in ten seconds."""
    site.drop_in("soon", "RestartSec=100ms")
    site.write("x", before="raise ConnectionRefusedError(111, 'Connection refused')\n")
    site.systemd.control("start", "pycgid.socket")
    status, _ = site.systemd.control("start", SERVICE)
    assert status == 1 and site.systemd.show(SERVICE, "ExecMainStatus") in ("75", "0")
    often = lambda: int(site.systemd.show(SERVICE, "NRestarts")) > 5  # noqa: E731
    assert processes.wait_until(often, 40 * SLOWNESS)
    site.write("later")
    site.wait_show("ActiveState", "active")
    assert site.get() == "later"


def test_a_gateway_that_hangs_is_ended_by_the_watchdog(site):
    site.drop_in("watchdog", f"WatchdogSec={4 * SLOWNESS}", "RestartSec=1ms")
    site.start()
    main = site.systemd.show(SERVICE, "MainPID")
    _, gateway = site.systemd.run("pgrep", "--parent", main, "--full", "pycgid: gateway")
    site.systemd.run("kill", "-STOP", gateway.strip())
    site.wait_show("NRestarts", "1")
    site.wait_show("ActiveState", "active")
    assert site.systemd.show(SERVICE, "MainPID") != main
    assert site.get() == "one"
