"""Changes of the configuration under constant load lose no request and reset no connection."""

import contextlib

import pytest
from harness.load import Load
from harness.reread import RereadSite, Running, reloaded

ROUNDS = 10
ECHO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""
CLIENTS = ("kept", "multiplexed", "per_request")


@pytest.fixture
def site(tmp_path):
    made = RereadSite(tmp_path)
    (tmp_path / "echo.py").write_text(ECHO)
    yield made
    made.gate.close()


@pytest.mark.timeout(150)
def test_changes_under_load_lose_nothing(start, site):
    """One pool changes in every way, one stays, one comes and goes; some changes fail."""
    steady = site.pool("blog", "echo")
    running = Running(start, site, steady, site.pool("shop", "echo"))
    running.daemon.expect(r"shop/\d\[\d+\]: ", "reload failed")
    ways = (
        {"threads": 3, "env": "COLOUR=red"},
        {"processes": 2, "socket_mode": "0600"},
        {"scgi": f"unix:{site.socket('more')}", "mount": "/shop"},
        {"max_params": "1M", "access_log": site.directory / "access.log"},
    )
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(lambda pool=pool: site.connect(pool)))
            for pool in ("blog", "shop")
        ]
        for number in range(ROUNDS):
            way = ways[number % len(ways)]
            other = [site.pool("other", "echo")] if number % 2 else []
            lines = [reloaded("blog"), reloaded("shop")]
            running.reread(steady, site.pool("shop", "echo", **way), *other, lines=lines)
            failing = site.pool("shop", "broken", **way)
            running.reread(steady, failing, *other, lines=["reload failed", reloaded("blog")])
    assert [load.failures for load in loads] == [[], []]
    assert all(load.answered[client] > ROUNDS for load in loads for client in CLIENTS)
    assert running.daemon.count('reloaded pool "shop"') == ROUNDS
    assert running.daemon.count('pool "other" is added') == ROUNDS // 2
