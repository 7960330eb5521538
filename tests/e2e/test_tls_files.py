"""Certificates and keys: what is wrong with them at start, client certificates, and HUP."""

import os
import re
import shutil
import ssl
import time

import pytest
from harness import cgi, daemon, fastcgi, sockets, tls
from harness.daemon import APPS, Daemon
from harness.fastcgi import KEEP

CONFIGURATION = 78
SINGLE = cgi.variables("/single")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return tls.Authority(tmp_path_factory.mktemp("stranger"), "stranger")


class Site:
    """A pool with a TLS address, whose files are replaced in the course of a test."""

    def __init__(self, directory, identity, client_ca=None):
        self.port = sockets.free_port()
        self.file = str(directory / "pycgid.conf")
        self.certificate = str(directory / "served.pem")
        self.key = str(directory / "served.key")
        self.renew(identity)
        lines = ["[site]", "app = pep3333", f"chdir = {APPS}", "processes = 1", "threads = 2"]
        lines += [f"env = {setting}" for setting in daemon.worker_env()]
        lines += ["allow-root = yes"] if os.geteuid() == 0 else []
        lines += [f"fastcgi = tls:127.0.0.1:{self.port}"]
        self.lines = [*lines, f"tls-certificate = {self.certificate}", f"tls-key = {self.key}"]
        if client_ca:
            self.lines.append(f"tls-client-ca = {client_ca}")
        self.write()

    def write(self, *more, without=""):
        kept = [line for line in self.lines if not without or not line.startswith(without)]
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("\n".join([*kept, *more, ""]))

    def number(self, option):
        """The number of the line of an option."""
        return next(n for n, line in enumerate(self.lines, 1) if line.startswith(option))

    def renew(self, identity):
        shutil.copy(identity.certificate, self.certificate)
        shutil.copy(identity.key, self.key)

    def fetch(self, client):
        return tls.fetch(self.port, client, SINGLE)


def serial(connection):
    return connection.getpeercert()["serialNumber"]


# --- client certificates --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(tmp_path_factory, authority, identity):
    site = Site(tmp_path_factory.mktemp("strict"), identity, authority.path)
    with Daemon(None, config=site.file) as running:
        running.site = site
        yield running


def test_a_client_certificate_is_required(strict, authority):
    mark = strict.mark()
    with pytest.raises(tls.CUT):
        strict.site.fetch(tls.context(authority))
    strict.wait_line(
        r'warning site: connection from \S+ closed: it has sent no certificate \(option '
        r'"tls-client-ca"\); give the front server one',
        since=mark,
    )


def test_a_client_certificate_opens_the_door(strict, authority):
    client = tls.context(authority, authority.issue("front"))
    assert strict.site.fetch(client).status == 200


def test_a_certificate_of_another_authority_is_refused(strict, authority, stranger):
    mark = strict.mark()
    with pytest.raises(tls.CUT):
        strict.site.fetch(tls.context(authority, stranger.issue("front")))
    strict.wait_line(
        r"its certificate is refused: unable to get local issuer certificate .*tls-client-ca",
        since=mark,
    )


def test_an_expired_client_certificate_is_refused(strict, authority):
    mark = strict.mark()
    with pytest.raises(tls.CUT):
        strict.site.fetch(tls.context(authority, authority.issue("late", days=0)))
    strict.wait_line(r"its certificate is refused: certificate has expired", since=mark)


def test_refused_clients_disturb_nobody(strict, authority):
    client = tls.context(authority, authority.issue("front"))
    with tls.fastcgi_connection(strict.site.port, client) as living:
        for _ in range(3):
            with pytest.raises(tls.CUT):
                strict.site.fetch(tls.context(authority))
            living.send(fastcgi.request(SINGLE, flags=KEEP))
            assert living.answer().status == 200


# --- start ----------------------------------------------------------------------------------------


def run(site, *words):
    """What is said of a configuration that does not do."""
    found = daemon.run(*words, "--config", site.file, deadline=60)
    assert found.returncode == CONFIGURATION, found.stdout + found.stderr
    return found.stderr


def check(site):
    return run(site, "-t")


def test_the_check_finds_nothing_wrong(tmp_path, identity, authority):
    site = Site(tmp_path, identity, authority.path)
    found = daemon.run("-tt", "--config", site.file, deadline=60)
    assert found.returncode == 0, found.stderr
    for line in site.lines[-4:]:
        assert line in found.stdout.splitlines()


@pytest.mark.parametrize("option", ["tls-certificate", "tls-key", "tls-client-ca"])
@pytest.mark.parametrize("act", [check, run])
def test_a_file_that_is_not_there(tmp_path, identity, authority, option, act):
    site = Site(tmp_path, identity, authority.path)
    line = site.number(option)
    site.lines[line - 1] = f"{option} = /nonexistent/file"
    site.write()
    assert re.search(
        rf'cannot read "/nonexistent/file": No such file or directory \(option "{option}", '
        rf"\S+pycgid\.conf:{line}\)$",
        act(site).strip(),
    )


@pytest.mark.parametrize("option", ["tls-certificate", "tls-key", "tls-client-ca"])
def test_a_file_that_is_no_pem(tmp_path, identity, authority, option):
    site = Site(tmp_path, identity, authority.path)
    path = tmp_path / "text"
    path.write_text("this is no PEM\n")
    line = site.number(option)
    site.lines[line - 1] = f"{option} = {path}"
    site.write()
    assert re.search(
        rf'cannot use "{path}": no (certificate|private key) in PEM is in it \(option "{option}", '
        rf"\S+:{line}\)",
        check(site),
    )


@pytest.mark.parametrize("algorithm", ["EC", "RSA"])
def test_a_key_of_another_certificate(tmp_path, authority, identity, algorithm):
    site = Site(tmp_path, identity)
    if algorithm == "EC":
        shutil.copy(authority.issue("other").key, site.key)
    else:
        tls.openssl("genpkey", "-algorithm", "RSA", "-out", site.key)
    said = check(site)
    assert "it is not the certificate's key: " in said
    assert f'(option "tls-key", {site.file}:{site.number("tls-key")}); name the key' in said


def test_an_encrypted_key_asks_nobody(tmp_path, identity):
    site = Site(tmp_path, identity)
    words = ("pkey", "-in", identity.key, "-aes256", "-passout", "pass:secret", "-out", site.key)
    tls.openssl(*words)
    said = check(site)
    assert "the key is encrypted (option" in said and "openssl pkey -in FILE -out NEW_FILE" in said
    assert "pass phrase" not in said


def test_an_expired_certificate_is_only_warned_of(tmp_path, authority):
    site = Site(tmp_path, authority.issue("old", days=0))
    with Daemon(None, config=site.file) as running:
        running.wait_line(
            rf'warning master.*certificate "{site.certificate}": it expired on .* GMT \(option '
            r'"tls-certificate", \S+:\d+\); .*renew it'
        )
        trusting = tls.context(authority, check_hostname=False, verify_mode=ssl.CERT_NONE)
        assert site.fetch(trusting).status == 200


@pytest.mark.parametrize("missing", ["tls-certificate", "tls-key"])
def test_an_address_without_certificate_or_key(tmp_path, identity, missing):
    site = Site(tmp_path, identity)
    site.write(without=missing)
    assert re.search(
        rf'address "tls:\S+" needs options "tls-certificate" and "tls-key"; name the file for '
        rf'"{missing}" \(\S+:{site.number("fastcgi")}\)',
        check(site),
    )


@pytest.mark.parametrize("option", ["tls-certificate", "tls-key", "tls-client-ca"])
def test_a_certificate_without_an_address(tmp_path, option):
    path = tmp_path / "pycgid.conf"
    path.write_text(f"[site]\napp = a\nfastcgi = 127.0.0.1:4000\n{option} = /x\n")
    found = daemon.run("-t", "--config", str(path))
    assert found.returncode == CONFIGURATION
    assert f'option "{option}" needs an address that speaks TLS; write "tls:"' in found.stderr
    assert f"({path}:4)" in found.stderr


def test_tls_is_for_tcp(tmp_path):
    for address in ("tls:unix:/run/a.sock", "tls:fd:3", "tls:tls:127.0.0.1:1"):
        found = daemon.run("--fastcgi", address, "mirror")
        assert found.returncode == 64 and '"tls:" stands before HOST:PORT only' in found.stderr


def test_the_chain_is_sent(tmp_path, authority):
    """The client trusts the root alone; what is between is behind the certificate in its file."""
    middle = authority.intermediate("middle")
    site = Site(tmp_path, middle.issue("leaf"))
    with open(site.certificate, "a", encoding="ascii") as file, open(middle.path) as chain:
        file.write(chain.read())
    with Daemon(None, config=site.file):
        assert site.fetch(tls.context(authority)).status == 200


def test_a_broken_certificate_stops_no_other_pool(tmp_path, identity):
    site = Site(tmp_path, identity)
    os.truncate(site.key, 0)
    plain = tmp_path / "plain.sock"
    other = [line for line in site.lines[1:] if not line.startswith(("tls-", "fastcgi"))]
    site.write("[plain]", *other, f"fastcgi = unix:{plain}")
    with Daemon(None, config=site.file) as running:
        running.expect("error", "does not start")
        running.wait_line('pool "site" does not start: cannot use ".*served.key"')
        assert fastcgi.fetch(str(plain), SINGLE).status == 200


# --- HUP ------------------------------------------------------------------------------------------


def test_HUP_renews_the_certificate(tmp_path, authority, identity):
    """Old connections live on with the old one, new ones see the new one."""
    site, client = Site(tmp_path, identity), tls.context(authority)
    with Daemon(None, config=site.file) as running:
        with tls.fastcgi_connection(site.port, client) as old:
            before = serial(old.socket)
            site.renew(authority.issue("renewed"))
            running.signal(1)
            running.wait_line('new TLS connections use ".*served.pem" as it is now')
            with tls.fastcgi_connection(site.port, client) as new:
                assert serial(new.socket) != before
            old.send(fastcgi.request(SINGLE, flags=KEEP))
            assert old.answer().status == 200
            assert serial(old.socket) == before


@pytest.mark.parametrize("fault", ["no PEM", "gone", "another key"])
def test_HUP_keeps_the_old_certificate_when_the_new_one_is_broken(
    tmp_path, authority, identity, fault
):
    site, client = Site(tmp_path, identity), tls.context(authority)
    with Daemon(None, config=site.file) as running:
        if fault == "no PEM":
            os.truncate(site.certificate, 100)
        elif fault == "gone":
            os.unlink(site.key)
        else:
            shutil.copy(authority.issue("other").key, site.key)
        running.signal(1)
        running.wait_line(
            r'error master.*pool "site": reload failed: cannot .*; keeping the old certificate'
        )
        assert site.fetch(client).status == 200
        site.renew(authority.issue("mended"))
        running.signal(1)
        running.wait_line("new TLS connections use")
        assert site.fetch(client).status == 200


def test_HUP_with_other_authorities(tmp_path, authority, identity, stranger):
    """A client that was let in must show the right certificate next time, tickets or not."""
    accepted = tmp_path / "clients.pem"
    shutil.copy(authority.path, accepted)
    site = Site(tmp_path, identity, accepted)
    mine = tls.context(authority, authority.issue("front"))
    theirs = tls.context(authority, stranger.issue("front"))
    with Daemon(None, config=site.file) as running:
        assert site.fetch(mine).status == 200
        shutil.copy(stranger.path, accepted)
        running.signal(1)
        running.wait_line("new TLS connections use")
        assert site.fetch(theirs).status == 200
        with pytest.raises(tls.CUT):
            site.fetch(mine)


def test_HUP_turns_TLS_on_and_off(tmp_path, authority, identity, client):
    """The same port, with other files, without TLS, and with it again."""
    site = Site(tmp_path, identity)
    encrypted, address = site.lines, f"127.0.0.1:{site.port}"
    plain = [line for line in encrypted if not line.startswith(("fastcgi", "tls-"))]
    plain.append(f"fastcgi = {address}")
    other = authority.issue("other")
    files = (f"tls-certificate = {other.certificate}", f"tls-key = {other.key}")
    with Daemon(None, config=site.file) as running:
        for lines in ([*encrypted[:-2], *files], plain, encrypted):
            site.lines, mark = lines, running.mark()
            site.write()
            running.signal(1)
            running.wait_line('pool "site" changes', since=mark)
            running.wait_line('reloaded pool "site"', since=mark)
            if lines is plain:
                eventually(lambda: fastcgi.fetch(("127.0.0.1", site.port), SINGLE))
            else:
                name = "localhost" if lines is encrypted else "other"
                eventually(lambda name=name: check_name(site.port, client, name))


def check_name(port, client, name):
    """Whose certificate is shown, and that requests are answered."""
    with tls.fastcgi_connection(port, client) as connection:
        names = dict(entry[0] for entry in connection.socket.getpeercert()["subject"])
        assert names["commonName"] == name
        connection.send(fastcgi.request(SINGLE))
        assert connection.answer().status == 200


def eventually(act, deadline=10):
    """The gateway does what it is told a moment after the master has told it."""
    limit = time.monotonic() + deadline
    while True:
        try:
            return act()
        except (AssertionError, EOFError, OSError):  # OSError: those of TLS, too.
            if time.monotonic() > limit:
                raise


def test_HUP_with_a_broken_change_keeps_all(tmp_path, identity, client):
    site = Site(tmp_path, identity)
    with Daemon(None, config=site.file) as running:
        site.lines[-1] = "tls-key = /nonexistent/key"
        site.write()
        running.signal(1)
        running.wait_line(
            'reload failed: pool "site": cannot read "/nonexistent/key": .*; generation 1 goes on '
            "with the old settings"
        )
        assert site.fetch(client).status == 200


def test_a_new_gateway_has_the_certificate(tmp_path, authority, identity):
    site = Site(tmp_path, identity)
    with Daemon(None, config=site.file) as running:
        running.expect("replacing it and all workers", "exited with status 0")
        for path in (site.certificate, site.key):
            os.unlink(path)  # The master still knows.
        os.kill(running.gateway, 9)
        running.wait_line("replacing it and all workers")
        assert site.fetch(tls.context(authority)).status == 200


# --- secrets --------------------------------------------------------------------------------------


def memory_holds(pid, secret):
    with open(f"/proc/{pid}/maps", encoding="latin-1") as maps, open(
        f"/proc/{pid}/mem", "rb", buffering=0
    ) as memory:
        for line in maps:
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if "rw" not in line or end - begin > 1 << 28:  # Shadows of a sanitizer are larger.
                continue
            try:
                memory.seek(begin)
                if secret in memory.read(end - begin):
                    return True
            except OSError:
                continue
    return False


def test_no_worker_has_the_key(tmp_path, authority, identity):
    site = Site(tmp_path, identity)
    with open(identity.key, "rb") as file:
        secret = file.read().splitlines()[1]
    with Daemon(None, config=site.file) as running:
        assert site.fetch(tls.context(authority)).status == 200
        assert memory_holds(running.process.pid, secret)  # The search finds it where it is.
        assert not any(memory_holds(pid, secret) for pid in running.workers)
