"""Pools that do not start, beside one that does: where their requests are answered 503, and what
the log says of where they are not."""

import os
import shutil
import signal
import socket
import stat

import pytest
from harness import cgi, fastcgi, sockets, tls
from harness.daemon import SLOWNESS
from harness.reread import wait_for
from harness.site import Site

NOBODY = "no-such-user"
ANSWERED = "; its requests are answered 503 while it is tried again and again"


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def wait_failure(daemon, name="bad"):
    daemon.expect(f'pool "{name}" does not start: ')
    return daemon.wait_line(f'pool "{name}" does not start: ').string


FAILING = """
import os
with open("attempts", "a") as file:
    file.write("!")
os._exit(3)
"""


def is_refused(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def get(address):
    return fastcgi.fetch(address, cgi.variables("/a")).status


@pytest.mark.parametrize("option", ["user", "group", "socket_user", "socket_group"])
def test_an_unknown_user_or_group_leaves_the_socket(start, site, option):
    site.write(site.pool("good"), site.pool("bad", **{option: NOBODY}))
    daemon = start(None, config=site.file)
    line = wait_failure(daemon)
    assert "no such" in line and ANSWERED + "; its sockets belong to user " in line
    info = os.stat(site.socket("bad"))
    assert (info.st_uid, info.st_gid) == (os.geteuid(), os.getegid())
    assert stat.S_IMODE(info.st_mode) == 0o660
    assert site.get("bad").status == 503 and site.get("good").status == 200
    # The next attempt does not forget it.
    site.write(site.pool("good"), site.pool("bad", **{option: NOBODY}, threads=3))
    mark = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("does not start: no such", since=mark)
    assert site.get("bad").status == 503


def test_who_owns_no_unix_socket_is_asked_for_neither_at_start_nor_at_reload(start, site):
    address = f"127.0.0.1:{sockets.free_port()}"
    options = {"fastcgi": address, "socket_group": NOBODY}
    site.write(site.pool("good", **options))
    daemon = start(None, config=site.file)
    mark = daemon.mark()
    site.write(site.pool("good", **options, threads=3))
    daemon.signal(signal.SIGHUP)
    daemon.wait_line("reloaded pool", since=mark)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_workers_that_would_be_root_leave_the_socket(start, site):
    bad = site.pool("bad", user="root", allow_root=None)
    site.write("user = games", site.pool("good", user="root"), bad)
    daemon = start(None, config=site.file)
    line = wait_failure(daemon)
    assert 'the workers of pool "bad" would run as root' in line and line.endswith(ANSWERED)
    assert site.get("bad").status == 503


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_a_user_who_is_there_later_gets_the_socket(start, site, tmp_path):
    users = tmp_path / "passwd"
    shutil.copy("/etc/passwd", users)
    users.chmod(0o644)
    site.write("user = games", site.pool("good", user="root"), site.pool("bad", user="latecomer"))
    mount = ("unshare", "--mount", "sh", "-c", f'mount --bind {users} /etc/passwd; exec "$@"', "sh")
    daemon = start(None, config=site.file, command=mount)
    wait_failure(daemon)
    assert os.stat(site.socket("bad")).st_uid == 0 and site.get("bad").status == 503
    with open(users, "a", encoding="ascii") as file:
        file.write("latecomer:x:54321:54321::/nonexistent:/bin/false\n")
    daemon.wait_line('ready: pool "bad"', 20)
    info = os.stat(site.socket("bad"))
    assert (info.st_uid, info.st_gid) == (54321, 54321) and site.get("bad").status == 200


def test_an_address_in_use_leaves_the_other_socket(start, site):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        free = sockets.free_port()
        addresses = [f"127.0.0.1:{port}", f"unix:{site.socket('bad')}", f"127.0.0.1:{free}"]
        site.write(site.pool("good"), site.pool("bad", fastcgi="\nfastcgi = ".join(addresses)))
        daemon = start(None, config=site.file)
        line = wait_failure(daemon)
        assert f"requests at {addresses[1]}, {addresses[2]} are answered 503, nothing " in line
        assert f"listens at {addresses[0]} while it is tried again and again" in line
        assert site.get("bad").status == 503 and get(("127.0.0.1", free)) == 503
    daemon.wait_line('ready: pool "bad"', 20)
    assert get(("127.0.0.1", port)) == 200


def test_bad_tls_files_are_said_to_leave_nothing_listening(start, site, tmp_path):
    plain, secret = sockets.free_port(), sockets.free_port()
    (tmp_path / "bad.pem").write_text("nonsense\n")
    files = {"tls_certificate": tmp_path / "bad.pem", "tls_key": tmp_path / "bad.pem"}
    both = f"127.0.0.1:{plain}\nscgi = tls:127.0.0.1:{secret}"
    alone = f"tls:127.0.0.1:{sockets.free_port()}"
    site.write(
        site.pool("good"),
        site.pool("bad", fastcgi=both, **files),
        site.pool("worse", fastcgi=alone, **files),
    )
    daemon = start(None, config=site.file)
    line = wait_failure(daemon)
    assert f"; requests at 127.0.0.1:{plain} are answered 503, nothing listens at tls:" in line
    assert get(("127.0.0.1", plain)) == 503 and is_refused(secret)
    assert f"; nothing listens at {alone} while it is tried" in wait_failure(daemon, "worse")


def test_a_pool_without_its_user_answers_by_tls(start, site, identity, client):
    port = sockets.free_port()
    files = {"tls_certificate": identity.certificate, "tls_key": identity.key}
    bad = site.pool("bad", fastcgi=f"tls:127.0.0.1:{port}", user=NOBODY, **files)
    site.write(site.pool("good"), bad)
    daemon = start(None, config=site.file)
    assert ANSWERED in wait_failure(daemon)
    assert tls.fetch(port, client, cgi.variables("/a")).status == 503


def test_the_reason_is_said_once_though_each_attempt_is_another_process(start, site):
    attempts = site.directory / "attempts"
    (site.directory / "failing.py").write_text(FAILING)
    site.write(site.pool("good"), site.pool("bad", "failing", chdir=site.directory))
    daemon = start(None, config=site.file)
    assert "exited with status 3 before it was ready" in wait_failure(daemon)
    daemon.expect(r"bad/1\[\d+\]: ")
    wait_for(lambda: attempts.exists() and len(attempts.read_text()) >= 4, 20 * SLOWNESS)
    assert daemon.count('pool "bad" does not start: ') == 1
