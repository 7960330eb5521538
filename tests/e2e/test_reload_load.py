"""Reloads under constant load lose no request and reset no connection (issue 3, point 2)."""

import os
import signal

import pytest
from harness.load import Load

RELOADS = 20
APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""
BROKEN = "raise RuntimeError('this version is broken')\n"


def deploy(site, text):
    """Replaces the application by one move."""
    (site / "new").write_text(text)
    os.rename(site / "new", site / "echo_app.py")


@pytest.fixture
def site(tmp_path):
    os.chmod(tmp_path, 0o755)
    deploy(tmp_path, APPLICATION)
    return tmp_path


@pytest.mark.timeout(150)
def test_20_reloads_and_20_failing_ones_lose_nothing(start, site):
    daemon = start("echo_app", chdir=str(site), processes=2)
    daemon.expect("reload failed", r" echo_app/\d\[\d+\]: ")
    with Load(daemon.connect) as load:
        for _ in range(RELOADS):
            for text, outcome in ((APPLICATION, "reloaded pool"), (BROKEN, "reload failed")):
                deploy(site, text)
                mark = daemon.mark()
                daemon.signal(signal.SIGHUP)
                daemon.wait_line(outcome, 30, since=mark)
    assert load.failures == []
    assert daemon.count("reloaded pool") == daemon.count("reload failed") == RELOADS
    assert min(load.answered[name] for name in ("kept", "multiplexed", "per_request")) > RELOADS
