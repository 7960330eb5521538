"""pycgid itself, run as an administrator would run it, and held to its promises when it ends."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from . import cgi, fastcgi, processes, scgi
from .gate import Gate
from .place import SOURCE, reachable

# What is built, and what an installation puts beside it.
PARTS = ("pycgid", "pycgidctl", "pyhost")
BUILD = os.path.dirname(os.path.abspath(os.environ.get("PYCGID", "build/dev/pycgid")))
PROGRAM = os.path.join(reachable(BUILD, *PARTS), "pycgid")
APPS = reachable(os.path.join(SOURCE, "tests/apps"))
SLOWNESS = float(os.environ.get("PYCGID_SLOWNESS", "1"))
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>error|warning|notice|info|debug) "
    r"(?P<object>[^\s:\[]+)(\[(?P<pid>\d+)\])?: (?P<text>.*)"
)


def environment(**more):
    """The environment of a daemon: nothing of the test's own that it does not need. The python3
    in its PATH is Debian's, whatever a developer's PATH has before it."""
    kept = ("LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    result = {name: os.environ[name] for name in kept if name in os.environ}
    fixed = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**result, **fixed, **more}


def common_options():
    """What every daemon under test needs here, whatever it is started for."""
    options = ["--allow-root"] if os.geteuid() == 0 else []
    for setting in worker_env():
        options += ["--env", setting]
    return options


def worker_env():
    """NAME=VALUE of variables that the workers need, for the runtime of a sanitizer."""
    return os.environ.get("PYCGID_WORKER_ENV", "").split()


class Daemon:
    """A running daemon. Used as a context manager, it ends with stop() and its checks."""

    def __init__(self, app, *options, command=(), pass_fds=(), env=None, config=None, **settings):
        """`command` runs the program, if it is not to be run directly; both it and the options may
        use {directory}. `settings` are chdir, processes and threads. With `config`, the path of a
        configuration file, `app` is None and the file says all about pools."""
        self.directory = tempfile.mkdtemp(prefix="pycgid-")
        os.chmod(self.directory, 0o755)
        self.temp_dir = self.path("tmp")
        os.mkdir(self.temp_dir)
        os.chmod(self.temp_dir, 0o1777)  # whoever the gateway runs as
        self.gate = Gate(self.directory)
        self.fastcgi = self.path("fastcgi")
        self.scgi = self.path("scgi")
        self.lines = []
        self._acknowledged = []
        self._ended = False
        self._news = threading.Condition()
        options += ("--temp-dir", self.temp_dir)
        if config:
            words = [*command, PROGRAM, "--config", config, *options]
        else:
            options += tuple(self._pool_options(options, command, settings))
            words = [*command, PROGRAM, app, *options]
        self.process = subprocess.Popen(
            [word.replace("{directory}", self.directory) for word in words],
            env=environment(**{processes.FAMILY: self.directory, **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _pool_options(self, options, command, settings):
        listens = any(option in ("--fastcgi", "--scgi") for option in options)
        if not listens and not command:
            yield from ("--fastcgi", f"unix:{self.fastcgi}", "--scgi", f"unix:{self.scgi}")
        for name, value in {"chdir": APPS, "processes": 1, "threads": 2, **settings}.items():
            yield from (f"--{name}", str(value))
        yield from ("--env", f"GATE={self.gate.path}", *common_options())

    # --- life ---

    def __enter__(self):
        try:
            self.wait_line(r"ready: ", 20)  # not a worker's "ready after"
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def stop(self, deadline=20):
        """Ends the daemon with TERM and checks that it leaves nothing behind and that its log
        holds no surprise. Does nothing the second time."""
        if self._reader is None:
            return
        try:
            self.gate.close()  # Applications that still wait there go on.
            if self.process.poll() is None:
                self.signal(signal.SIGTERM)
            status = self.process.wait(deadline)
            self.check_family_gone()
            self._reader.join(deadline)
            assert status == 0, f"exit status {status}"
            self.check_log()
            left = [name for name in os.listdir(self.directory) if name not in ("gate", "tmp")]
            assert left == [] and os.listdir(self.temp_dir) == [], "files were left behind"
        finally:
            self.kill()

    def kill(self):
        """Ends whatever is left, shows the log to whoever reads of a failure, tidies up."""
        if self._reader is None:
            return
        for pid in self.members():
            processes.kill(pid)
        self.process.wait()
        self._reader.join(10)
        self._reader = None
        self.gate.close()
        print("\n".join(self.lines))
        shutil.rmtree(self.directory, ignore_errors=True)

    def check_family_gone(self, deadline=10):
        """No process of the daemon's survives it by more than a moment."""
        for pid in self.members():
            assert processes.wait_gone(pid, deadline), f"left behind: {processes.title(pid)}"

    # --- the log ---

    def wait_line(self, pattern, deadline=10, since=0):
        """Waits until a line of the log, from number `since` on, contains the pattern; such
        lines are no surprise to check_log(). Returns the match."""
        limit = time.monotonic() + deadline
        with self._news:
            while True:
                for line in self.lines[since:]:
                    if found := re.search(pattern, line):
                        self._acknowledged.append(pattern)
                        return found
                since = max(since, len(self.lines))
                left = limit - time.monotonic()
                assert left > 0 and not (self._ended and since == len(self.lines)), (
                    f"no line with {pattern!r} in the log:\n" + "\n".join(self.lines)
                )
                self._news.wait(left)

    def expect(self, *patterns):
        """Lines with these patterns are no surprise, should they appear."""
        self._acknowledged += patterns

    def count(self, pattern):
        """How many lines contain the pattern now."""
        with self._news:
            return sum(1 for line in self.lines if re.search(pattern, line))

    def mark(self):
        """A number for `since`: lines that come after now."""
        with self._news:
            return len(self.lines)

    def check_log(self):
        for line in self.lines:
            assert "Sanitizer" not in line and "runtime error:" not in line, line
            if any(re.search(pattern, line) for pattern in self._acknowledged):
                continue
            found = LINE.fullmatch(line)
            assert found, f"not in the form of the log: {line!r}"
            assert found["level"] != "error", f"unexpected: {line}"

    def _collect(self):
        with self.process.stdout as stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    # --- processes ---

    def family(self, name):
        """Pids of the daemon's processes with this word in their titles, oldest first."""
        return [pid for pid in self.members() if name in processes.title(pid)]

    def members(self):
        """Pids of everything that the daemon has started, and of itself."""
        return processes.family(self.process.pid, self.directory)

    @property
    def gateway(self):
        (pid,) = self.family("gateway")
        return pid

    @property
    def workers(self):
        return self.family("worker")

    def only_worker(self):
        """Pid of the only worker. A look at all processes may miss one that is just being forked or
        getting another parent."""
        limit = time.monotonic() + 10
        while len(found := self.workers) != 1:
            assert time.monotonic() < limit, f"workers: {found}"
        return found[0]

    # --- requests ---

    def path(self, name):
        return os.path.join(self.directory, name)

    def connect(self, timeout=10):
        return fastcgi.Connection(self.fastcgi, timeout)

    def get(self, path="/", **variables):
        return fastcgi.fetch(self.fastcgi, cgi.variables(path, **variables))

    def post(self, path, body, **variables):
        fields = cgi.variables(path, "POST", length=len(body), **variables)
        return fastcgi.fetch(self.fastcgi, fields, body)

    def get_scgi(self, path="/", **variables):
        return scgi.fetch(self.scgi, path, **variables)


def run(*arguments, deadline=10 * SLOWNESS, **more):
    """Runs the program to its end; returns the completed process."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline,
        check=False,
    )
