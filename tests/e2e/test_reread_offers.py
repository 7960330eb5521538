"""HUP while a pool still changes: sockets of removed pools that were meant for it are used, or
closed, or go on to the next; nobody connects to one that is not accepted from."""

import os
import signal

import pytest
from harness.reread import RereadSite, Running, reloaded, wait_for

SLOW = """
from gate_client import wait_at_gate
wait_at_gate("load")
from one import application
"""


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    (tmp_path / "late_one.py").write_text(SLOW)
    yield made
    made.gate.close()


def both(site, *names):
    """Option fastcgi with the sockets of these names."""
    return "\nfastcgi = ".join(f"unix:{site.socket(name)}" for name in names)


def inode_of(site, name):
    return os.stat(site.socket(name)).st_ino


@pytest.fixture
def changing(start, site):
    """Pool "b" is at a change that waits until its visitor is let go on; pool "a" has socket "a"."""
    running = Running(start, site, site.pool("a"), site.pool("b"))
    lines = ['pool "b" changes: option "app"', reloaded("a")]
    running.reread(site.pool("a"), site.pool("b", "late_one"), lines=lines)
    return running, site.gate.arrival()


def test_a_socket_that_is_not_wanted_any_more_closes(changing, site):
    running, visitor = changing
    running.reread(site.pool("b", "two", fastcgi=both(site, "b", "a")), lines=['"a" is removed'])
    assert os.path.exists(site.socket("a")), "it waits for the change"
    running.reread(site.pool("b", "two"), lines=[])
    site.wait_no_socket("a")
    visitor.release()
    running.daemon.wait_line(reloaded("b", 3), 20)
    assert site.text("b") == "two - "
    c = site.pool("c", fastcgi=f"unix:{site.socket('a')}")
    running.reread(site.pool("b", "two"), c, lines=['ready: pool "c"', reloaded("b", 4)])
    assert site.text("a") == "one - "


def test_a_change_that_is_taken_back_closes_what_it_was_to_have(changing, site):
    running, visitor = changing
    running.reread(site.pool("b", "two", fastcgi=both(site, "b", "a")), lines=['"a" is removed'])
    running.reread(site.pool("b", "late_one"), lines=[])  # as what is on its way
    site.wait_no_socket("a")
    visitor.release()
    site.gate.arrival().release()
    running.daemon.wait_line(reloaded("b", 3), 20)


def test_the_next_plan_has_the_socket_that_the_one_before_was_to_have(changing, site):
    running, visitor = changing
    inode = inode_of(site, "a")
    fastcgi = both(site, "b", "a")
    running.reread(site.pool("b", "two", fastcgi=fastcgi), lines=['"a" is removed'])
    with site.connect("a") as waiting:
        running.reread(site.pool("b", "two", threads=3, fastcgi=fastcgi), lines=[])
        visitor.release()
        running.daemon.wait_line(reloaded("b", 3), 20)
        assert inode_of(site, "a") == inode and site.text("a") == "two - "
        assert waiting.socket.fileno() >= 0


def test_a_pool_that_goes_hands_over_what_it_was_to_have(changing, site):
    running, _ = changing
    inode = inode_of(site, "a")
    running.reread(site.pool("b", "two", fastcgi=both(site, "b", "a")), lines=['"a" is removed'])
    c = site.pool("c", fastcgi=f"unix:{site.socket('a')}")
    running.reread(c, lines=['"b" is removed', 'ready: pool "c"'])
    assert inode_of(site, "a") == inode and site.text("a") == "one - "


def test_a_pool_that_goes_hands_over_what_its_change_has_bound(changing, site):
    running, visitor = changing
    visitor.release()
    running.daemon.wait_line(reloaded("b", 2), 20)
    slow = site.pool("b", "late_one", threads=3, fastcgi=both(site, "b", "more"))
    running.reread(site.pool("a"), slow, lines=['pool "b" changes: options "fastcgi", "threads"'])
    inode = inode_of(site, "more")
    c = site.pool("c", fastcgi=f"unix:{site.socket('more')}")
    running.reread(site.pool("a"), c, lines=['"b" is removed', 'ready: pool "c"'])
    assert inode_of(site, "more") == inode and site.text("more") == "one - "


def test_a_socket_outlives_a_change_that_fails_when_the_next_one_has_it_too(changing, site):
    running, visitor = changing
    running.daemon.expect("reload failed: ")
    visitor.release()
    running.daemon.wait_line(reloaded("b", 2), 20)
    fastcgi = both(site, "b", "more")
    slow = site.pool("b", "late_one", threads=3, fastcgi=fastcgi)
    running.reread(site.pool("a"), slow, lines=['pool "b" changes: options "fastcgi", "threads"'])
    inode, visitor = inode_of(site, "more"), site.gate.arrival()
    running.reread(site.pool("a"), site.pool("b", "two", fastcgi=fastcgi), lines=[reloaded("a")])
    os.kill(visitor.pid, signal.SIGKILL)
    running.daemon.wait_line(reloaded("b"), 20, since=running.daemon.mark() - 1)
    wait_for(lambda: site.text("b") == "two - ")
    assert inode_of(site, "more") == inode and site.text("more") == "two - "
