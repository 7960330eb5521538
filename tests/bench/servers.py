"""The servers that are compared: how each is called, started and ended."""

import os
import shlex
import subprocess
import time
from pathlib import Path

import processes

APPS = Path(__file__).resolve().parent / "apps"
PYTHON = "/usr/bin/python3"  # Debian's: what uWSGI's plugin is built for
START_SECONDS = 20
STOP_SECONDS = 20


class Server:
    """One server program with one application on a FastCGI and an SCGI socket."""

    def __init__(self, label, directory):
        self.label = label
        self.directory = Path(directory)
        self.process = None

    def command(self, module):
        raise NotImplementedError

    def address(self, protocol):
        return f"unix:{self.directory}/{protocol}.sock"

    def start(self, module, probe):
        """Starts it and waits until `probe` (an exchange that says whether it worked) succeeds."""
        log = open(self.directory / "log", "ab")
        with log:
            self.process = subprocess.Popen(self.command(module), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not probe():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{self.label} does not start:\n{self.log()}")
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit(f"{self.label} does not end on SIGTERM:\n{self.log()}") from None

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def pids(self):
        return processes.tree(self.process.pid)

    def call(self, module):
        """The exact call, for the report."""
        return shlex.join(self.command(module))


class Pycgid(Server):
    def __init__(self, label, directory, program, threads, options=("--processes", "2")):
        super().__init__(label, directory)
        self.program = program
        self.threads = threads
        self.options = options

    def command(self, module):
        rights = ["--allow-root"] if os.geteuid() == 0 else []
        return [
            str(self.program), *rights,
            "--fastcgi", self.address("fcgi"), "--scgi", self.address("scgi"),
            *self.options, "--threads", str(self.threads),
            "--python", PYTHON, "--chdir", str(APPS), "--log-level", "warning", module,
        ]  # fmt: skip

    def workers(self):
        return [pid for pid in self.pids() if processes.title(pid).startswith("pycgid: worker")]

    def gateway(self):
        """The child of the master that runs the daemon's own program; workers run Python."""
        master, *children = self.pids()
        program = os.readlink(f"/proc/{master}/exe")
        return next(pid for pid in children if os.readlink(f"/proc/{pid}/exe") == program)


class Uwsgi(Server):
    """Tuned by "Things to know" and "The art of graceful reloading" of its documentation."""

    def command(self, module):
        return [
            "uwsgi_python3", "--strict", "--master", "--processes", "2", "--thunder-lock",
            "--fastcgi-socket", f"{self.directory}/fcgi.sock",
            "--scgi-socket", f"{self.directory}/scgi.sock",
            "--listen", "1024", "--disable-logging", "--single-interpreter", "--need-app",
            "--die-on-term", "--vacuum", "--chdir", str(APPS), "--module", module,
        ]  # fmt: skip
