"""Pools with TLS that do not start, or start slowly: what the gateway has of their certificates."""

import pytest
from harness import cgi, sockets, tls
from harness.daemon import SLOWNESS
from harness.reread import wait_for
from harness.site import Site

FAILING = """
import os
with open("attempts", "a") as file:
    file.write("!")
os._exit(3)
"""
SAID = "new TLS connections use"


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def tls_pool(site, identity, name, app="mirror", **options):
    port = sockets.free_port()
    files = {"tls_certificate": identity.certificate, "tls_key": identity.key}
    return port, site.pool(name, app, fastcgi=f"tls:127.0.0.1:{port}", **files, **options)


def attempts(site):
    try:
        return len((site.directory / "attempts").read_text())
    except FileNotFoundError:
        return 0


def test_retries_do_not_hand_over_the_same_certificate_again(start, site, identity, client):
    port, bad = tls_pool(site, identity, "bad", user="no-such-user")
    plain = site.pool("worse", "failing", chdir=site.directory)
    (site.directory / "failing.py").write_text(FAILING)
    site.write(site.pool("good"), bad, plain)
    daemon = start(None, config=site.file)
    daemon.expect("does not start: ", r"worse/1\[\d+\]: ", "the pool does not start")
    daemon.wait_line('ready: pool "good"', 20)
    # Pool "bad" is tried as often, as nothing but the delays lies between its attempts.
    wait_for(lambda: attempts(site) > 5, 30 * SLOWNESS)
    assert tls.fetch(port, client, cgi.variables("/a")).status == 503
    assert daemon.count(SAID) <= 1


def test_a_gateway_that_is_there_before_the_look_is_over_has_the_certificate(
    start, site, identity, client
):
    """Pool "slow" has many directories, so that a look at them takes its time."""
    many = "".join(f"pythonpath = {site.directory}/{number}\n" for number in range(3000))
    port, quick = tls_pool(site, identity, "quick")
    slow_port, slow = tls_pool(site, identity, "slow")
    site.write(quick, slow + many)
    daemon = start(None, config=site.file)
    for pool in ("quick", "slow"):
        daemon.wait_line(f'ready: pool "{pool}"', 30 * SLOWNESS)
    for address in (port, slow_port):
        assert tls.fetch(address, client, cgi.variables("/a")).status == 200
