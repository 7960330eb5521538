"""The files of contrib/ for service managers, run by the programs that they are for."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from harness import cgi, daemon, fastcgi, processes

CONTRIB = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../contrib"))
APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""


class Site:
    """A configuration with one pool, and an application whose text can be changed."""

    def __init__(self, directory):
        os.chmod(directory, 0o755)
        self.directory = directory
        self.config = self.path("pycgid.conf")
        self.pidfile = self.path("pid")
        self.write("one")
        pool = ["[site]", "app = site_app", f"chdir = {directory}", "processes = 1"]
        pool += [f"fastcgi = unix:{self.path('sock')}", "env = PYTHONDONTWRITEBYTECODE=1"]
        pool += ["allow-root = yes"] if os.geteuid() == 0 else []
        pool += [f"env = {setting}" for setting in daemon.worker_env()]
        self.put("pycgid.conf", "\n".join(pool) + "\n")

    def path(self, name):
        return str(self.directory / name)

    def put(self, name, text):
        (self.directory / "new").write_text(text)
        os.rename(self.directory / "new", self.directory / name)

    def write(self, version):
        self.put("site_app.py", APPLICATION.replace("VERSION", version))

    def get(self):
        return fastcgi.fetch(self.path("sock"), cgi.variables()).text

    def wait_for(self, version, deadline=30):
        limit = time.monotonic() + deadline
        while (found := self.get()) != version:
            assert time.monotonic() < limit, f"still {found}"

    @property
    def pid(self):
        return int((self.directory / "pid").read_text())

    def clean_up(self):
        if os.path.exists(self.pidfile):
            pid = self.pid
            if "pycgid" in processes.title(pid):
                processes.kill(pid)


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.clean_up()


def run(*words, env=None, deadline=50):
    """Status and output of a command."""
    done = subprocess.run(
        words,
        env=daemon.environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=deadline,
        check=False,
    )
    return done.returncode, done.stdout


# --- SysV ---


@pytest.fixture
def script(site):
    """The LSB script, driven with paths of the test's own."""
    settings = {
        "DAEMON": os.path.abspath(daemon.PROGRAM),
        "CONFIG": site.config,
        "PIDFILE": site.pidfile,
        "RUNDIR": site.path("run"),
        "DAEMON_OPTS": f"--log {site.path('log')}",
    }
    site.put("default", "".join(f'{name}="{value}"\n' for name, value in settings.items()))
    return lambda action: run(
        f"{CONTRIB}/init.d/pycgid", action, env={"PYCGID_DEFAULTS": site.path("default")}
    )


def test_lsb_start_and_stop(site, script):
    assert script("status")[0] == 3
    status, output = script("start")
    assert status == 0 and "Starting" in output
    assert site.get() == "one", "it serves when the script returns"
    pid = site.pid
    status, output = script("status")
    assert status == 0 and "is running" in output
    assert script("start")[0] == 0 and site.pid == pid, "starting twice is no error"
    assert script("stop")[0] == 0
    assert not processes.title(pid), "it has ended when the script returns"
    assert not os.path.exists(site.pidfile) and not os.path.exists(site.path("sock"))
    assert script("stop")[0] == 0, "stopping twice is no error"
    assert script("status")[0] == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_lsb_without_the_gateways_user_says_how_to_make_it(site, script):
    with open(site.config, encoding="utf-8") as file:
        site.put("pycgid.conf", "user = no-such-user\n" + file.read())
    for action in ("configtest", "start"):
        status, output = script(action)
        assert status != 0
        assert f'no such user: "no-such-user" (option "user", {site.config}:1); create it' in output
        assert "adduser --system" in output
    assert not os.path.exists(site.pidfile)


@pytest.mark.parametrize("path", ["init.d/pycgid", "openrc/pycgid", "runit/run"])
def test_the_scripts_name_the_user_of_the_shipped_configuration(path):
    with open(f"{CONTRIB}/pycgid.conf", encoding="utf-8") as file:
        user = re.search("^user = (.*)$", file.read(), re.MULTILINE).group(1)
    with open(f"{CONTRIB}/{path}", encoding="utf-8") as file:
        assert re.search(f"(add.*) {user}\\b", file.read())


def test_lsb_reload_and_restart(site, script):
    assert script("configtest")[0] == 0
    assert script("start")[0] == 0
    pid = site.pid
    for action, version in (("reload", "two"), ("force-reload", "three")):
        site.write(version)
        assert script(action)[0] == 0
        site.wait_for(version)
        assert site.pid == pid
    site.write("four")
    assert script("restart")[0] == 0
    assert site.get() == "four" and site.pid != pid
    assert script("stop")[0] == 0


def test_lsb_what_does_not_load_leaves_the_service_alone(site, script):
    assert script("start")[0] == 0
    pid = site.pid
    site.put("site_app.py", "import no_such_module_anywhere\n")
    for action in ("configtest", "reload", "restart"):
        status, output = script(action)
        assert status == 75 and "no_such_module_anywhere" in output
    assert site.get() == "one" and site.pid == pid
    assert script("stop")[0] == 0
    status, output = script("start")
    assert status == 2 and "no_such_module_anywhere" in output
    assert not os.path.exists(site.pidfile)


def test_lsb_after_a_crash(site, script):
    assert script("start")[0] == 0
    killed = site.pid
    processes.kill(killed)
    # Reaped by process 1: to the script a zombie would be alive.
    assert processes.wait_until(lambda: not os.path.exists(f"/proc/{killed}"))
    assert script("status")[0] == 1, "dead, and the pid file exists"
    assert script("start")[0] == 0
    assert site.get() == "one" and site.pid != killed
    assert script("stop")[0] == 0


def test_lsb_usage(script):
    status, output = script("dance")
    assert status == 3 and "Usage:" in output


# --- OpenRC ---

OPENRC = """
set -e
mount --bind "$1" /run
mkdir -p /run/openrc && cd /run/openrc
mkdir -p daemons exclusive failed hotplugged inactive options scheduled started starting stopping \
  tmp wasinactive
touch softlevel
cd /
shift
exec /sbin/openrc-run "$@"
"""


@pytest.fixture
def openrc(site):
    """Runs the script by openrc-run, with a /run and a conf.d of the test's own."""
    for name in ("init.d", "conf.d", "run"):
        os.mkdir(site.path(name))
    shutil.copy(f"{CONTRIB}/openrc/pycgid", site.path("init.d/pycgid"))
    settings = {
        "command": os.path.abspath(daemon.PROGRAM),
        "pycgid_config": site.config,
        "pycgid_log": site.path("log"),
        "pidfile": site.pidfile,
    }
    site.put("conf.d/pycgid", "".join(f'{name}="{value}"\n' for name, value in settings.items()))
    words = ("unshare", "--mount", "sh", "-c", OPENRC, "sh", site.path("run"))
    return lambda action: run(*words, site.path("init.d/pycgid"), action)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces here")
def test_openrc(site, openrc):
    status, output = openrc("start")
    assert status == 0, output
    assert site.get() == "one", "it serves when the script returns"
    pid = site.pid
    assert openrc("status")[0] == 0
    site.write("two")
    status, output = openrc("reload")
    assert status == 0, output
    site.wait_for("two")
    assert site.pid == pid
    site.put("site_app.py", "import no_such_module_anywhere\n")
    status, output = openrc("reload")
    assert status != 0 and "no_such_module_anywhere" in output
    assert site.get() == "two"
    status, output = openrc("stop")
    assert status == 0, output
    assert not processes.title(pid) and not os.path.exists(site.pidfile)
    assert openrc("status")[0] != 0


# --- runit ---


@pytest.fixture
def service(site):
    """A runit service of the test's own, supervised by runsv."""
    directory = site.path("sv")
    shutil.copytree(f"{CONTRIB}/runit", directory)
    program = os.path.abspath(daemon.PROGRAM)
    site.put("sv/conf", f"CONFIG={site.config}\nDAEMON={program}\nRUNDIR={site.path('run')}\n")
    site.put("sv/log/conf", f"LOG={site.path('logs')}\n")
    runsv = subprocess.Popen(
        ["runsv", directory], env=daemon.environment(), start_new_session=True
    )
    yield directory
    run("sv", "-w", "30", "force-shutdown", directory)
    runsv.send_signal(signal.SIGTERM)
    assert runsv.wait(30) == 0


def test_runit(site, service):
    assert processes.wait_until(lambda: run("sv", "status", service)[0] == 0), "no runsv"
    status, output = run("sv", "-w", "30", "start", service)
    assert status == 0, output
    assert site.get() == "one", "it serves when sv returns"
    with open(f"{site.path('logs')}/current", encoding="utf-8") as log:
        assert "ready: pool" in log.read()
    site.write("two")
    assert run("sv", "hup", service)[0] == 0
    site.wait_for("two")
    status, output = run("sv", "-w", "30", "stop", service)
    assert status == 0 and output.startswith("ok: down"), output
    assert not os.path.exists(site.path("sock"))
    assert not os.path.exists(f"{service}/ready.pid")


# --- systemd, whose own tool reads the units ---


@pytest.fixture
def units(tmp_path):
    """The units, with a program that exists."""
    for name in ("pycgid.service", "pycgid.socket"):
        with open(f"{CONTRIB}/systemd/{name}", encoding="utf-8") as file:
            text = file.read().replace("/usr/sbin/pycgid", os.path.abspath(daemon.PROGRAM))
        (tmp_path / name).write_text(text)
    return tmp_path


OURS = r"pycgid\.(service|socket)"


def verify(units, **environment):
    """What is said of our units; those of other packages, which ours name, may have their faults."""
    names = [str(units / name) for name in ("pycgid.service", "pycgid.socket")]
    words = ("verify", "--man=no", "--generators=no", *names)
    status, output = run("systemd-analyze", *words, env=environment)
    return status, "".join(line for line in output.splitlines(True) if re.search(OURS, line))


def test_systemd_units_are_sound(units):
    assert verify(units) == (0, "")


def test_systemd_units_of_others_are_not_judged(units, tmp_path_factory):
    drop_in = tmp_path_factory.mktemp("others") / "network.target.d"
    drop_in.mkdir()
    (drop_in / "faulty.conf").write_text("[Unit]\nNonsense=1\n")
    assert verify(units, SYSTEMD_UNIT_PATH=f"{drop_in.parent}:") == (0, "")


def test_systemd_faults_of_ours_are_seen(units):
    with open(units / "pycgid.service", "a", encoding="utf-8") as file:
        file.write("[Service]\nNonsense=1\nExecStartPre=/no/such/program\n")
    status, output = verify(units)
    assert status != 0 and "Nonsense" in output and "/no/such/program" in output


def test_systemd_notify_reload(units):
    """The drop-in is understood from version 253 on, and by nobody before."""
    (units / "pycgid.service.d").mkdir()
    shutil.copy(f"{CONTRIB}/systemd/notify-reload.conf", units / "pycgid.service.d")
    version = int(re.match(r"systemd (\d+)", run("systemd-analyze", "--version")[1])[1])
    status, output = verify(units)
    assert status == 0
    known = "Failed to parse service type, ignoring: notify-reload" not in output
    assert known == (version >= 253) and len(output.splitlines()) == (0 if known else 1), output


def test_systemd_exposure(units):
    """Below 4.0 is "OK" in systemd's words; what is missing is told of in the unit."""
    unit = str(units / "pycgid.service")
    status, output = run("systemd-analyze", "security", "--offline=true", "--threshold=40", unit)
    found = re.search(r"Overall exposure level for pycgid.service: (\d+\.\d)", output)
    assert found and float(found[1]) < 4.0 and status == 0, output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")
def test_systemd_capabilities_are_enough(start, tmp_path):
    """The daemon changes users, signals their processes and ends with what the unit leaves it."""
    os.chmod(tmp_path, 0o755)
    with open(f"{CONTRIB}/systemd/pycgid.service", encoding="utf-8") as file:
        kept = re.findall(r"CAP_([A-Z_]+)", " ".join(re.findall("^Capability.*", file.read(), re.M)))
    assert "SETUID" in kept and "SYS_ADMIN" not in kept
    bounds = ",".join(["-all", *(f"+{name.lower()}" for name in kept)])
    sock = tmp_path / "sock"
    running = start(
        "crashing",
        *("--fastcgi", f"unix:{sock}", "--user", "www-data", "--socket-user", "daemon"),
        command=("setpriv", "--no-new-privs", f"--bounding-set={bounds}"),
    )
    assert os.stat(sock).st_uid != 0
    worker = running.only_worker()
    assert os.stat(f"/proc/{worker}").st_uid != 0
    running.signal(signal.SIGHUP)
    running.wait_line("reloaded")
    os.kill(running.gateway, signal.SIGSTOP)
    running.signal(signal.SIGTERM)
    running.wait_line("stopping")
    running.signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
    running.check_family_gone()
