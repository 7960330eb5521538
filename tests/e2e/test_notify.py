"""sd_notify(3): the daemon tells its service manager how it is."""

import os
import signal
import time

import pytest
from harness import cgi, daemon, fastcgi, processes
from harness.daemon import APPS
from harness.notify import Manager

APPLICATION = """
import os
from gate_client import wait_at_gate

if os.path.exists("wait"):
    wait_at_gate("import")

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
"""
SERVING = r"1 pool, 2 workers, serving"


@pytest.fixture
def manager(tmp_path):
    os.chmod(tmp_path, 0o755)
    with Manager(str(tmp_path / "notify")) as manager:
        yield manager


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site_app.py").write_text(APPLICATION)
    return tmp_path


def start_site(start, site, manager, *options, **env):
    return start(
        "site_app",
        *("--pythonpath", APPS, *options),
        chdir=str(site),
        processes=2,
        env=manager.environment(**env),
    )


@pytest.mark.parametrize("abstract", [False, True])
def test_from_the_start_to_the_end(start, site, tmp_path, abstract):
    address = f"@pycgid-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with Manager(address) as manager:
        running = start_site(start, site, manager)
        first = manager.next()
        assert first["STATUS"] == "starting 1 pool" and "READY" not in first
        assert int(first["EXTEND_TIMEOUT_USEC"]) > 60_000_000
        ready = manager.next()
        assert ready["READY"] == "1" and ready["STATUS"] == SERVING.replace("\\", "")
        assert running.get().status == 200
        running.signal(signal.SIGTERM)
        last = manager.next()
        assert last["STOPPING"] == "1" and int(last["EXTEND_TIMEOUT_USEC"]) > 30_000_000
        running.stop()
        assert manager.waiting() == []


def test_ready_is_said_when_the_application_serves(start, site, manager):
    """Not before: whoever depends on the unit would be started too early."""
    (site / "wait").touch()
    running = daemon.Daemon(
        "site_app", "--pythonpath", APPS, chdir=str(site), env=manager.environment()
    )
    try:
        visitor = running.gate.arrival(20)
        assert [message for message in manager.waiting() if "READY" in message] == []
        visitor.release()
        manager.wait("READY")
        assert running.get().status == 200
        running.stop()
    finally:
        running.kill()


def test_a_reload(start, site, manager):
    running = start_site(start, site, manager)
    manager.wait("READY")
    (site / "site_app.py").write_text(APPLICATION.replace("fine", "new text"))
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    running.signal(signal.SIGHUP)
    reloading = manager.next()
    assert reloading["RELOADING"] == "1" and reloading["STATUS"].startswith("reloading; ")
    assert int(reloading["MONOTONIC_USEC"]) >= before
    assert int(reloading["EXTEND_TIMEOUT_USEC"]) > 60_000_000
    manager.wait("READY")
    assert running.get().body == b"new text", "it is over when READY is said"


def test_a_reload_that_fails(start, site, manager):
    running = start_site(start, site, manager)
    running.expect("reload failed", r" site_app/\d+\[\d+\]: ")
    manager.wait("READY")
    (site / "site_app.py").write_text("import no_such_module_anywhere\n")
    running.signal(signal.SIGHUP)
    manager.wait("RELOADING")
    status = manager.wait("READY")["STATUS"]
    assert status.startswith('reload of pool "site_app" failed: ') and status.endswith(SERVING)
    assert "no_such_module_anywhere" in status
    (site / "site_app.py").write_text(APPLICATION)
    running.signal(signal.SIGHUP)
    manager.wait("RELOADING")
    assert manager.wait("READY")["STATUS"] == SERVING


def test_a_start_that_fails(site, manager):
    done = daemon.run(
        *("no_such_app", "--fastcgi", f"unix:{site}/sock", *daemon.common_options()),
        **manager.environment(),
    )
    assert done.returncode == 78
    status = manager.wait("STATUS", "start failed: .*")["STATUS"]
    assert "no_such_app" in status
    assert [message for message in manager.waiting() if "READY" in message] == []


def test_a_pool_that_does_not_start_is_in_the_status(start, site, manager, tmp_path):
    pools = []
    for name, app in (("blog", "site_app"), ("shop", "no_such_app")):
        lines = [f"[{name}]", f"app = {app}", f"chdir = {site}", f"pythonpath = {APPS}"]
        lines += [f"fastcgi = unix:{site}/{name}.sock", "processes = 1"]
        lines += ["allow-root = yes"] if os.geteuid() == 0 else []
        lines += [f"env = {setting}" for setting in daemon.worker_env()]
        pools += lines
    (tmp_path / "pycgid.conf").write_text("\n".join(pools) + "\n")
    running = start(None, config=str(tmp_path / "pycgid.conf"), env=manager.environment())
    running.expect('pool "shop" does not start', r" shop/1\[\d+\]: ", "the pool does not start")
    status = manager.wait("READY")["STATUS"]
    assert status == "2 pools, 1 worker, serving; 1 pool does not start"
    assert fastcgi.fetch(str(site / "blog.sock"), cgi.variables()).status == 200
    with open(tmp_path / "pycgid.conf", "a", encoding="utf-8") as file:
        file.write("no-such-option = 1\n")
    running.expect("reload failed: .*no-such-option")
    running.signal(signal.SIGHUP)
    manager.wait("RELOADING")
    status = manager.wait("READY")["STATUS"]
    assert status.startswith("reload failed: the configuration is wrong, see the log; 2 pools, ")


def test_the_watchdog_follows_the_gateway(start, site, manager):
    running = start_site(start, site, manager, WATCHDOG_USEC="4000000")
    running.expect("has not answered")
    manager.wait("READY")
    for _ in range(3):
        manager.wait("WATCHDOG", "1")
    mark = running.mark()
    os.kill(running.gateway, signal.SIGSTOP)
    running.wait_line("error .*gateway has not answered for 2s; .*watchdog", since=mark)
    manager.waiting()
    assert manager.next(3) is None, "the watchdog was fed without an answer"
    assert running.count("has not answered") == 1
    os.kill(running.gateway, signal.SIGCONT)
    manager.wait("WATCHDOG", "1")
    manager.wait("WATCHDOG", "1")
    running.wait_line("gateway answers again", since=mark)
    assert running.get().status == 200


def test_the_watchdog_goes_on_with_another_gateway(start, site, manager):
    running = start_site(start, site, manager, WATCHDOG_USEC="20000000")
    running.expect("gateway", "exited with status 0")
    manager.wait("WATCHDOG")
    processes.kill(running.gateway)
    manager.wait("WATCHDOG")
    running.wait_line("killed by signal 9")
    assert running.get().status == 200


def test_another_process_has_the_watchdog(start, site, manager):
    running = start_site(start, site, manager, WATCHDOG_USEC="2000", WATCHDOG_PID="1")
    manager.wait("READY")
    running.stop()
    assert not any("WATCHDOG" in message for message in manager.waiting())


def test_a_service_manager_that_is_gone_does_no_harm(start, site, manager):
    running = start_site(start, site, manager)
    manager.wait("READY")
    os.unlink(manager.address)
    running.signal(signal.SIGHUP)
    running.wait_line("warning .*cannot tell the service manager .*No such file")
    running.wait_line("reloaded")
    running.stop()
    assert running.count("cannot tell") == 1


def test_workers_know_nothing_of_it(start, manager, tmp_path):
    (tmp_path / "names.py").write_text(
        "import os\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    found = [name for name in os.environ if name.startswith(('NOTIFY', 'WATCHDOG'))]\n"
        "    return [' '.join(found).encode()]\n"
    )
    env = manager.environment(WATCHDOG_USEC="9000000000")
    assert start("names", chdir=str(tmp_path), env=env).get().text == ""
