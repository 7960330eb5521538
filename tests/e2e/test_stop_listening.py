"""TERM: nobody listens any more, while what has connected before is still served."""

import os
import signal
import socket

import pytest
from harness import cgi, fastcgi, sockets
from harness.daemon import Daemon
from harness.fastcgi import KEEP
from harness.reread import RereadSite, Running, wait_for


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    yield made
    made.gate.close()


def is_refused(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def stop_with_a_request(running, site, connection):
    """TERM while a request runs; returns who is to let it go on."""
    connection.send(fastcgi.request(cgi.variables("/wait"), flags=KEEP))
    visitor = site.gate.arrival()
    running.daemon.signal(signal.SIGTERM)
    running.daemon.wait_line("stopping: finishing the requests in progress")
    return visitor


def test_new_connections_are_refused_while_requests_are_finished(start, site):
    port, other = sockets.free_port(), sockets.free_port()
    pool = site.pool("blog", scgi=f"127.0.0.1:{port}\nscgi = 127.0.0.1:{other}")
    running = Running(start, site, pool)
    with site.connect("blog") as busy:
        visitor = stop_with_a_request(running, site, busy)
        wait_for(lambda: is_refused(port) and is_refused(other))
        site.wait_no_socket("blog")
        assert running.daemon.process.poll() is None
        visitor.release()
        assert busy.answer().body == b"one - "
    assert running.daemon.process.wait(20) == 0


def test_the_next_daemon_can_have_the_addresses_of_one_that_is_stopping(start, site, tmp_path):
    port = sockets.free_port()
    pool = site.pool("blog", scgi=f"127.0.0.1:{port}")
    running = Running(start, site, pool)
    with site.connect("blog") as busy:
        visitor = stop_with_a_request(running, site, busy)
        wait_for(lambda: is_refused(port))
        site.wait_no_socket("blog")
        with Daemon(None, config=site.file):
            inode = os.stat(site.socket("blog")).st_ino
            assert site.text("blog") == "one - "
            visitor.release()
            assert busy.answer().body == b"one - "
            assert running.daemon.process.wait(20) == 0
            assert os.stat(site.socket("blog")).st_ino == inode, "it is not the old one's to remove"
            assert site.text("blog") == "one - "


def test_what_waits_in_the_backlog_is_answered_when_there_is_room(start, site):
    running = Running(start, site, "max-connections = 1", site.pool("blog"))
    running.daemon.expect('option "max-connections"')
    with site.connect("blog") as busy, site.connect("blog") as waiting:
        waiting.send(fastcgi.request(cgi.variables()))
        visitor = stop_with_a_request(running, site, busy)
        site.wait_no_socket("blog")
        visitor.release()
        assert busy.answer().body == b"one - "
        assert waiting.answer().body == b"one - "
    assert running.daemon.process.wait(20) == 0


def test_who_waits_for_a_pool_that_has_not_started_is_told_that_it_will_not(start, site):
    (site.directory / "late_one.py").write_text(
        "from gate_client import wait_at_gate\nwait_at_gate('load')\nfrom one import application\n"
    )
    site.write(site.pool("blog"), site.pool("slow", "late_one"))
    daemon = start(None, config=site.file)
    daemon.wait_line('ready: pool "blog"')
    site.gate.arrival()
    daemon.expect("answered 503: the daemon is stopping")
    with site.connect("slow") as waiting:
        waiting.send(fastcgi.request(cgi.variables()))
        daemon.signal(signal.SIGTERM)
        assert waiting.answer().status == 503
    assert daemon.process.wait(20) == 0


def test_nobody_accepts_for_a_gateway_that_dies_at_the_end(start, site):
    port = sockets.free_port()
    running = Running(start, site, site.pool("blog", scgi=f"127.0.0.1:{port}"))
    running.daemon.expect("gateway", "lost", "exited with status 0")
    with site.connect("blog") as busy:
        stop_with_a_request(running, site, busy)
        os.kill(running.daemon.gateway, signal.SIGKILL)
        wait_for(lambda: is_refused(port))
    site.gate.close()
    assert running.daemon.process.wait(20) == 0
