"""Directories and configuration files that real users can get at, for tests that run as root."""

import contextlib
import os
import pwd
import shutil
import tempfile

from . import cgi, daemon, fastcgi, processes

# Debian's own, which no service of a test machine runs as.
GATEWAY, FIRST, SECOND, STRANGER = "uucp", "games", "news", "lp"


@contextlib.contextmanager
def open_directory():
    """A directory that everybody can search, unlike pytest's own."""
    path = tempfile.mkdtemp(prefix="pycgid-site-")
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Site:
    """A configuration file in such a directory, and the sockets of its pools."""

    def __init__(self, directory):
        self.directory = directory
        self.file = self.path("pycgid.conf")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def pool(self, name, app, **options):
        """The text of a pool; an option of None is left out."""
        known = {
            "app": app,
            "chdir": daemon.APPS,
            "fastcgi": f"unix:{self.path(name)}.sock",
            "processes": 1,
            "threads": 2,
        }
        known.update({option.replace("_", "-"): value for option, value in options.items()})
        lines = [f"{option} = {value}" for option, value in known.items() if value is not None]
        lines += [f"env = {setting}" for setting in daemon.worker_env()]
        return "\n".join([f"[{name}]", *lines, ""])

    def write(self, *parts):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("\n".join(parts))

    def line_of(self, text):
        """FILE:LINE of the first line that begins so."""
        with open(self.file, encoding="utf-8") as file:
            numbers = [number for number, line in enumerate(file, 1) if line.startswith(text)]
        return f"{self.file}:{numbers[0]}"

    def post(self, pool, body):
        fields = cgi.variables("/", "POST", length=len(body))
        return fastcgi.fetch(f"{self.path(pool)}.sock", fields, body)


def two_pools(place, **first):
    """Pools "one" and "two" of two users, the gateway as a third."""
    place.write(
        f"user = {GATEWAY}",
        place.pool("one", "intruder", user=FIRST, **first),
        place.pool("two", "intruder", user=SECOND, env="SECRET=of-pool-two"),
    )


def start_two_pools(place, start, **first):
    """The running daemon, and the workers of the pools."""
    two_pools(place, **first)
    running = start(None, config=place.file)
    for pool in ("one", "two"):
        running.wait_line(f'ready: pool "{pool}"', 30 * daemon.SLOWNESS)
    return running, *(worker_of(running, pool) for pool in ("one", "two"))


def worker_of(running, pool):
    """The pool's one worker, which may be ready before the system shows all of that."""
    found = []

    def is_alone():
        found[:] = running.family(f"worker {pool}/1")
        return len(found) == 1

    alone = processes.wait_until(is_alone, 10 * daemon.SLOWNESS)
    assert alone, f"workers of {pool}: {found}"
    return found[0]


def check_dropped(pid, user):
    """Nothing is left of root, and nothing can be had again."""
    entry = pwd.getpwnam(user)
    status = processes.status_of(pid)
    assert status["Uid"] == [str(entry.pw_uid)] * 4
    assert status["Gid"] == [str(entry.pw_gid)] * 4
    groups = os.getgrouplist(user, entry.pw_gid)
    assert sorted(map(int, status["Groups"])) == sorted(groups)
    assert status["NoNewPrivs"] == ["1"]
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind][0], 16) == 0, kind
