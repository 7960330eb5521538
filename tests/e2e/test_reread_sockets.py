"""HUP and sockets, logs and global options: what stays is never closed."""

import os
import signal
import socket
import stat

import pytest
from harness import processes, scgi
from harness.daemon import Daemon
from harness.reread import RereadSite, Running, ask, reloaded, wait_for


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    yield made
    made.gate.close()


# --- sockets ---


def test_sockets_come_and_go(start, site):
    running = Running(start, site, site.pool("blog"))
    inode = os.stat(site.socket("blog")).st_ino
    more = site.pool("blog", scgi=f"unix:{site.socket('more')}")
    with site.connect("blog") as kept:
        running.reread(more, lines=['changes: option "scgi"', reloaded("blog")])
        assert scgi.fetch(site.socket("more"), "/").status == 200
        assert ask(kept) == site.text("blog") == "one - "
        running.reread(site.pool("blog"), lines=[reloaded("blog")])
        site.wait_no_socket("more")
        assert ask(kept) == site.text("blog") == "one - "
        moved = site.pool("blog", fastcgi=f"unix:{site.socket('moved')}")
        running.reread(moved, lines=[reloaded("blog")], over=kept)
        assert ask(kept) == site.text("moved") == "one - "
    assert inode
    site.wait_no_socket("blog")


def test_rights_and_protocol_of_a_socket_change_in_place(start, site):
    running = Running(start, site, site.pool("blog"))
    path = site.socket("blog")
    before = os.stat(path)
    running.reread(site.pool("blog", socket_mode="0600"), lines=[reloaded("blog")])
    after = os.stat(path)
    assert after.st_ino == before.st_ino and stat.S_IMODE(after.st_mode) == 0o600
    as_scgi = site.pool("blog", fastcgi=None, scgi=f"unix:{path}")
    with site.connect("blog") as kept:
        assert ask(kept) == "one - "
        running.reread(as_scgi, lines=[reloaded("blog")], over=kept)
        assert scgi.fetch(path, "/").status == 200 and os.stat(path).st_ino == before.st_ino
        assert ask(kept) == "one - ", "a connection keeps its protocol"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives sockets away")
def test_owner_of_a_socket_changes_in_place(start, site):
    running = Running(start, site, site.pool("blog"))
    before = os.stat(site.socket("blog"))
    owned = site.pool("blog", socket_user="nobody", socket_group="nogroup")
    running.reread(owned, lines=[reloaded("blog")])
    after = os.stat(site.socket("blog"))
    assert after.st_ino == before.st_ino and after.st_uid == 65534 == after.st_gid
    running.reread(site.pool("blog"), lines=[reloaded("blog")])
    again = os.stat(site.socket("blog"))
    assert (again.st_uid, again.st_gid) == (before.st_uid, before.st_gid)


# --- global options ---


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_allow_peer_changes(start, site):
    port = free_port()
    pool = site.pool("blog", scgi=f"127.0.0.1:{port}")
    running = Running(start, site, "allow-peer = 127.0.0.0/8", pool)
    assert scgi.fetch(("127.0.0.1", port), "/").status == 200
    running.reread("allow-peer = 10.0.0.0/8", pool, lines=[reloaded("blog")])
    with socket.create_connection(("127.0.0.1", port), 10) as refused:
        assert refused.recv(1) == b""
    running.daemon.wait_line('refused a connection from 127.0.0.1:.*"allow-peer"')


def test_log_level_and_log_change(start, site):
    running = Running(start, site, site.pool("blog"))
    log, other = site.directory / "one.log", site.directory / "two.log"
    debug = ["debug blog/1.*started", reloaded("blog")]
    running.reread("log-level = debug", site.pool("blog"), lines=debug)
    access = site.pool("blog", access_log=other, access_format="%U %{pool}n %>s")
    site.write(f"log = {log}", access)
    running.daemon.signal(signal.SIGHUP)
    wait_for(lambda: log.exists() and reloaded_in(log))
    running.wait_generation("blog", 3, None)
    assert "debug" not in log.read_text()
    site.text("blog")
    wait_for(lambda: other.read_text().endswith("/ blog 200\n"))
    running.reread(site.pool("blog"), lines=[reloaded("blog")])
    site.text("blog")
    assert other.read_text().count("/ blog 200") == 1
    for pid in (running.daemon.process.pid, running.daemon.gateway):
        assert str(log) not in processes.open_files(pid)
    assert str(other) not in processes.open_files(running.daemon.gateway)


def test_log_format_changes(start, site):
    running = Running(start, site, site.pool("blog"))
    running.daemon.expect(r"^\{")
    running.reread("log-format = json", site.pool("blog"), lines=[r'^\{.*"object":"master".*reload'])
    running.reread(site.pool("blog"), lines=["Z notice master.*reload"])
    log = list(running.daemon.lines)
    assert any(line.startswith('{"time":') for line in log)
    assert not log[-1].startswith("{")


def test_the_gateway_lets_go_of_the_log_it_began_with(start, site):
    log, other = site.directory / "one.log", site.directory / "two.log"
    site.write(f"log = {log}", site.pool("blog"))
    daemon = Daemon(None, config=site.file)
    wait_for(lambda: log.exists() and "ready" in log.read_text())
    site.write(f"log = {other}", site.pool("blog"))
    daemon.signal(signal.SIGHUP)
    wait_for(lambda: other.exists() and reloaded_in(other))
    while site.status("blog")["generation"] < 2:
        pass
    for pid in (daemon.process.pid, daemon.gateway):
        assert str(log) not in processes.open_files(pid)
    daemon.stop()


def reloaded_in(log):
    return 'reloaded pool "blog"' in log.read_text()


def test_max_connections_grows_for_those_who_wait(start, site):
    running = Running(start, site, "max-connections = 1", site.pool("blog"))
    running.daemon.expect('option "max-connections"')
    with site.connect("blog") as first, site.connect("blog") as second:
        assert ask(first) == "one - "
        more = ("max-connections = 2", site.pool("blog"))
        running.reread(*more, lines=[reloaded("blog")], over=first)
        assert ask(second) == "one - "


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_what_cannot_change_at_run_time_is_said_once(start, site):
    pool = site.pool("blog", user="root")
    running = Running(start, site, pool)
    later = 'warning .*option "user" changed: takes effect at the next start'
    running.reread("user = nobody", pool, lines=[later, reloaded("blog")])
    running.reread("user = nobody", pool, lines=[reloaded("blog", 3)])
    assert running.daemon.count('option "user" changed') == 1
