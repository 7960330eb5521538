"""HUP: a new generation takes over, or the old one goes on; nobody's request is lost."""

import os
import signal
import threading

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import APPS
from harness.fastcgi import KEEP

APPLICATION = """
import os
from gate_client import wait_at_gate

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        wait_at_gate("wait")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"VERSION"]
"""


@pytest.fixture
def site(tmp_path):
    """A directory with an application whose text can be changed."""
    os.chmod(tmp_path, 0o755)
    return tmp_path


def write(site, version):
    """Replaces the application by one move, as a deployment does."""
    (site / "new").write_text(APPLICATION.replace("VERSION", version))
    os.rename(site / "new", site / "site_app.py")


def start_site(start, site, **more):
    write(site, "one")
    return start("site_app", "--pythonpath", APPS, chdir=str(site), **more)


def reload(daemon, outcome):
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line(outcome, since=mark)


def test_hup_loads_the_application_anew(start, site):
    daemon = start_site(start, site)
    assert daemon.get().body == b"one"
    old = daemon.workers
    write(site, "two")
    reload(daemon, "took over|reloaded|ready")
    assert daemon.get().body == b"two"
    for pid in old:
        assert processes.wait_gone(pid)


def test_hup_under_load_loses_nothing(start, site):
    daemon = start_site(start, site, processes=2)
    failures, done = [], threading.Event()

    def kept():
        with daemon.connect() as connection:
            while not done.is_set():
                connection.send(fastcgi.request(cgi.variables(), flags=KEEP))
                check(connection.answer())

    def separate():
        while not done.is_set():
            check(daemon.get())

    def check(answer):
        if answer.status != 200 or answer.body not in (b"one", b"two", b"three"):
            failures.append(answer)

    def watched(work):
        try:
            work()
        except Exception as error:  # A thread's failure is the test's.
            failures.append(error)

    threads = [threading.Thread(target=watched, args=(work,)) for work in (kept, separate) * 3]
    for thread in threads:
        thread.start()
    for version in ("two", "three"):
        write(site, version)
        reload(daemon, "took over|reloaded|ready")
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert daemon.get().body == b"three"


def test_hup_lets_the_old_generation_finish(start, site):
    daemon = start_site(start, site, threads=1)
    with daemon.connect() as connection:
        connection.send(fastcgi.request(cgi.variables("/wait"), flags=KEEP))
        visitor = daemon.gate.arrival()
        write(site, "two")
        reload(daemon, "took over|reloaded|ready")
        assert daemon.get().body == b"two"
        visitor.release()
        assert connection.answer().body == b"one"
        connection.send(fastcgi.request(cgi.variables(), flags=KEEP))
        assert connection.answer().body == b"two"
    assert processes.wait_gone(visitor.pid)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
        ("def application(:\n", "SyntaxError"),
        ("other = 1\n", "application"),
        ("import os\nos._exit(3)\n", "3"),
    ],
)
def test_hup_with_a_broken_application_keeps_the_old(start, site, text, reason):
    daemon = start_site(start, site)
    daemon.expect("reload", r" \S+/\d+\[\d+\]: ")
    old = daemon.workers
    (site / "site_app.py").write_text(text)
    reload(daemon, f"error.*reload.*{reason}")
    assert daemon.get().body == b"one" and daemon.workers == old
    write(site, "two")
    reload(daemon, "took over|reloaded|ready")
    assert daemon.get().body == b"two"


def test_hup_twice_in_a_row_ends_with_the_last(start, site):
    daemon = start_site(start, site)
    write(site, "two")
    daemon.signal(signal.SIGHUP)
    write(site, "three")
    daemon.signal(signal.SIGHUP)
    while (body := daemon.get().body) != b"three":
        assert body in (b"one", b"two")
