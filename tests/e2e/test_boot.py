"""What happens while a pool still imports: those that serve by then are served as ever."""

import os
import signal

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import APPS, Daemon
from harness.gate import Gate
from harness.site import Site

SLOW = "from gate_client import wait_at_gate\nwait_at_gate('import')\n"
APPLICATION = """
import os
from gate_client import wait_at_gate

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        wait_at_gate("wait")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Place(Site):
    def __init__(self, directory):
        super().__init__(directory)
        self.gate = Gate(directory)
        (directory / "quick.py").write_text(APPLICATION)
        (directory / "lazy.py").write_text(SLOW + APPLICATION)

    def pool(self, name, **options):
        more = {"chdir": self.directory, "pythonpath": APPS, **options}
        return super().pool(name, app=name, **more) + f"env = GATE={self.gate.path}\n"

    def begin(self, start):
        """Pool "quick" serves, pool "lazy" imports; returns the daemon and who imports."""
        self.write(self.pool("quick"), self.pool("lazy"))
        daemon = start(None, config=self.file)
        visitor = self.gate.arrival(20)
        daemon.wait_line('ready: pool "quick"')
        return daemon, visitor


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    place = Place(tmp_path)
    yield place
    place.gate.close()


def test_term_finishes_the_requests_of_a_pool_that_serves(start, site):
    daemon, visitor = site.begin(start)
    with fastcgi.Connection(site.socket("quick")) as connection:
        connection.send(fastcgi.request(cgi.variables("/wait")))
        waiting = site.gate.arrival()
        mark = daemon.mark()
        daemon.signal(signal.SIGTERM)
        daemon.wait_line("stopping", since=mark)
        assert processes.wait_gone(visitor.pid), "nobody waits for a pool that imports"
        waiting.release()
        assert connection.answer().status == 200
    assert daemon.process.wait(20) == 0


def test_a_gateway_that_dies_while_a_pool_imports_is_replaced(start, site):
    daemon, visitor = site.begin(start)
    daemon.expect("exited with status 0")
    gateway, mark = daemon.gateway, daemon.mark()
    processes.kill(gateway)
    daemon.wait_line(rf"gateway\[{gateway}\]: was killed by signal 9.*replacing it", since=mark)
    assert site.get("quick", "/").status == 200
    # The other is not ready before its own workers are.
    again = site.gate.arrival(20)
    assert again.pid != visitor.pid and daemon.count('ready: pool "lazy"') == 0
    again.release()
    daemon.wait_line('ready: pool "lazy"', 20, mark)
    assert int(site.get("lazy", "/").body) == again.pid


def test_a_gateway_that_dies_before_any_pool_serves_is_replaced(site):
    site.write(site.pool("lazy"))
    daemon = Daemon(None, config=site.file)
    try:
        visitor = site.gate.arrival(20)
        gateway = daemon.gateway
        processes.kill(gateway)
        daemon.wait_line(rf"gateway\[{gateway}\]: was killed by signal 9.*replacing it")
        again = site.gate.arrival(20)
        assert again.pid != visitor.pid and daemon.count("ready: pool") == 0
        again.release()
        daemon.wait_line('ready: pool "lazy"', 20)
        assert int(site.get("lazy", "/").body) == again.pid
        daemon.stop()
    finally:
        daemon.kill()


def test_a_pool_that_was_added_is_ready_when_its_own_workers_are(start, site):
    site.write(site.pool("quick"))
    daemon = start(None, config=site.file)
    daemon.expect("exited with status 0", r"gateway\[\d+\]: was killed by signal 9")
    site.write(site.pool("quick"), site.pool("lazy"))
    daemon.signal(signal.SIGHUP)
    site.gate.arrival(20)
    daemon.wait_line('reloaded pool "quick"', 20)
    mark = daemon.mark()
    processes.kill(daemon.gateway)
    again = site.gate.arrival(20)
    assert site.get("quick", "/").status == 200
    assert daemon.count('ready: pool "lazy"') == 0
    again.release()
    daemon.wait_line('ready: pool "lazy"', 20, mark)
    assert int(site.get("lazy", "/").body) == again.pid
