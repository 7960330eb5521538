"""What a machine in trouble does to a daemon under load: processes that stop and go on, a full disk,
too few descriptors, too little memory, and HUP with a file that somebody edits at random. Nothing
ends but what ran into it, and when it is over, all is as it was."""

import collections
import contextlib
import os
import random
import re
import resource
import signal
import time

import pytest
from harness import cgi, fastcgi, processes
from harness.daemon import Daemon, worker_env
from test_chaos import (
    APPLICATION,
    BODY,
    DIGEST,
    POOLS,
    PROCESSES,
    Chaos,
    configuration,
    descriptors,
    wait_until,
)

# A sanitizer's runtime ends the process that gets no memory.
SANITIZED = float(os.environ.get("PYCGID_SLOWNESS", "1")) > 1
SECONDS = float(os.environ.get("PYCGID_CHAOS_LIMITS_SECONDS", "20"))
# Whatever else a client is told, it is told in time, and never another one's answer.
REFUSALS = {500, 502, 503, 504, "broken"}
# Small file systems of the daemon's own, which nothing outlives.
MOUNT = """
mount -t tmpfs -o size=3m,mode=1777 tmpfs "$1" && mount -t tmpfs -o size=1m,mode=755 tmpfs "$2"
shift 2
exec "$@"
"""
WORKER_ENV = [f"env = {setting}" for setting in worker_env()]
EDITS = {
    "fewer workers": lambda text, _: text.replace(f"processes = {PROCESSES}", "processes = 1"),
    "more threads": lambda text, _: text.replace("threads = 2", "threads = 4"),
    "a pool less": lambda text, _: text[: text.index(f"[{POOLS[1]}]")],
    "a pool more": lambda text, _: text + "[third]\napp = chaos_app\nfastcgi = unix:@\n",
    "an unknown option": lambda text, _: text + "no-such-option = 1\n",
    "an application that is not there": lambda text, _: text.replace("chaos_app", "no_such_app"),
    "nothing": lambda text, _: "",
    "cut": lambda text, dice: text[: dice.randrange(len(text))],
    "noise": lambda text, dice: text + "".join(chr(dice.randrange(256)) for _ in range(200)),
    "a byte": lambda text, dice: replaced(text, dice.randrange(len(text)), chr(dice.randrange(256))),
    "a line less": lambda text, dice: without_line(text, dice.randrange(text.count("\n"))),
}


def replaced(text, at, character):
    return text[:at] + character + text[at + 1 :]


def without_line(text, number):
    lines = text.splitlines(True)
    return "".join(lines[:number] + lines[number + 1 :])


class Trouble(Chaos):
    """Each kind of trouble is a context: it is over when the context is left."""

    def __init__(self, directory, dice):
        super().__init__(directory, dice)
        self.logs = os.path.join(directory, "logs")
        os.mkdir(self.logs)
        self.file = os.path.join(directory, "pycgid.conf")
        self.sound = configuration(directory, []) + f"access-log = {self.logs}/access.log\n"
        self.write(self.sound)
        self.kinds = [self.stopped, self.full_disk, self.few_descriptors, self.edited]
        self.kinds += [] if SANITIZED else [self.little_memory]
        self.happened = collections.Counter()

    def write(self, text):
        """In one step, as editors do; in latin-1, so that every byte is possible. What a sanitizer
        needs is out of the editor's reach: without its options it reports CPython's leaks."""
        text = re.sub(r"^\[.*\]$", lambda head: "\n".join([head[0], *WORKER_ENV]), text, flags=re.M)
        with open(f"{self.file}.new", "w", encoding="latin-1", newline="") as file:
            file.write(text)
        os.rename(f"{self.file}.new", self.file)

    def start_daemon(self):
        wrapper = ("unshare", "--mount", "sh", "-c", MOUNT, "sh", "{directory}/tmp", self.logs)
        self.daemon = Daemon(None, config=self.file, command=wrapper).__enter__()
        for pool in POOLS:
            self.daemon.wait_line(f'ready: pool "{pool}"', 30)
        self.daemon.expect("")  # Whatever is logged; but by a sanitizer.
        return self.daemon

    def seen_by_daemon(self, path):
        return f"/proc/{self.daemon.process.pid}/root{path}"

    def somebody(self, *names):
        family = [pid for name in names for pid in self.daemon.family(name)]
        return self.dice.choice(family) if family else self.daemon.process.pid

    @contextlib.contextmanager
    def stopped(self):
        pid = self.somebody("worker", "worker", "gateway", "template", "master")
        processes.kill(pid, signal.SIGSTOP)
        yield
        processes.kill(pid, signal.SIGCONT)

    @contextlib.contextmanager
    def full_disk(self):
        place = self.dice.choice((self.daemon.temp_dir, self.logs))
        path = self.seen_by_daemon(os.path.join(place, "filler"))
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
        os.unlink(path)

    @contextlib.contextmanager
    def few_descriptors(self):
        pid = self.somebody("worker", "gateway", "master")
        room = self.dice.randrange(4)
        with limited(pid, resource.RLIMIT_NOFILE, lambda: len(processes.open_files(pid)) + room):
            yield

    @contextlib.contextmanager
    def little_memory(self):
        pid = self.somebody("worker", "gateway")
        room = self.dice.randrange(1 << 20)
        with limited(pid, resource.RLIMIT_AS, lambda: address_space(pid) + room):
            yield

    @contextlib.contextmanager
    def edited(self):
        kind = self.dice.choice(list(EDITS))
        text = EDITS[kind](self.sound, self.dice).replace("@", f"{self.directory}/third.sock")
        self.happened[kind] += 1
        self.write(text)
        self.daemon.signal(signal.SIGHUP)
        yield
        self.write(self.sound)
        self.daemon.signal(signal.SIGHUP)

    def rage(self, daemon):
        limit = time.monotonic() + SECONDS
        while time.monotonic() < limit:
            with contextlib.ExitStack() as troubles:
                for kind in self.dice.sample(self.kinds, self.dice.choice((1, 1, 2))):
                    self.happened[kind.__name__] += 1
                    troubles.enter_context(kind())
                self.over.wait(self.dice.uniform(0.1, 1.0))
            assert daemon.process.poll() is None, "the daemon ended"


@contextlib.contextmanager
def limited(pid, kind, wanted):
    """A process with less of something, unless it ends on the way."""
    gone = (ProcessLookupError, FileNotFoundError, PermissionError)
    before = None
    with contextlib.suppress(*gone):
        before = resource.prlimit(pid, kind)
        resource.prlimit(pid, kind, (wanted(), before[1]))
    yield
    if before:
        with contextlib.suppress(*gone):
            resource.prlimit(pid, kind, before)


def address_space(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def answers(address):
    """Whether small and large requests are answered as they should be."""
    for body in (b"", BODY):
        fields = cgi.variables(query="q", method="POST" if body else "GET", length=len(body))
        try:
            answer = fastcgi.fetch(address, fields, body)
        except (OSError, EOFError):
            return False
        if (answer.status, answer.text) != (200, "q" + (DIGEST if body else "")):
            return False
    return True


def is_well(trouble, before):
    daemon = trouble.daemon
    pid = daemon.process.pid
    return (len(daemon.workers) == PROCESSES * len(POOLS) and not processes.has_zombie(pid)
            and descriptors(daemon) <= before
            and all(answers(f"{trouble.directory}/{pool}.sock") for pool in POOLS))


@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems and sets limits")
def test_a_machine_in_trouble_ends_nothing_for_good(tmp_path):
    os.chmod(tmp_path, 0o755)
    (tmp_path / "chaos_app.py").write_text(APPLICATION)
    seed = int(os.environ.get("PYCGID_CHAOS_SEED", random.randrange(1 << 32)))
    print("seed", seed)
    trouble = Trouble(tmp_path, random.Random(seed))
    daemon = trouble.start_daemon()
    try:
        before = descriptors(daemon)
        for client in trouble.clients:
            client.start()
        trouble.rage(daemon)
        trouble.over.set()
        for client in trouble.clients:
            client.join(70)
            assert not client.is_alive(), "a request without an end"
        failures = trouble.failures()
        print(dict(trouble.happened), dict(failures), [each.answered for each in trouble.clients])
        assert set(failures) <= REFUSALS
        assert min(client.answered for client in trouble.clients) > 0
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: is_well(trouble, before))
        assert os.listdir(trouble.seen_by_daemon(daemon.temp_dir)) == []
        daemon.stop()
    finally:
        trouble.over.set()
        daemon.kill()
