"""A systemd of the test's own (with_systemd.py), and what systemctl says."""

import os
import subprocess
import sys

import pytest

from . import processes, with_systemd

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
UNITS = with_systemd.UNITS


class Systemd:
    """Used as a context manager. Has a /run, a /srv, a /tmp and a /var/log of its own."""

    def __init__(self):
        self._cgroup = f"pycgid-test-{os.getpid()}"
        self._groups = [os.path.join(each, self._cgroup) for each in with_systemd.hierarchies()]
        if os.geteuid() != 0 or not all(map(may_make, self._groups)):
            pytest.skip("systemd cannot be run without rights to make control groups")
        isolate = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
        self._process = subprocess.Popen(
            [*isolate, sys.executable, with_systemd.__file__, self._cgroup],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        try:
            assert self._process.stdout.readline() == "running\n"
        except BaseException:
            self.__exit__()
            raise
        (self._init,) = processes.children(self._process.pid)
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        for group in self._groups:
            for directory, _, _ in os.walk(group, topdown=False):
                os.rmdir(directory)

    def path(self, path):
        """What is `path` in there, seen from here."""
        return f"/proc/{self._init}/root{path}"

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *words):
        """Status and output of a command in there."""
        enter = ("nsenter", "--mount", "--pid", f"--target={self._init}", "--")
        done = subprocess.run(
            [*enter, *words],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    def control(self, *words):
        return self.run("systemctl", *words)

    def show(self, unit, name):
        """A property of a unit."""
        return self.control("show", "--property", name, "--value", unit)[1].strip()


def may_make(group):
    try:
        os.mkdir(group)
        os.rmdir(group)
    except OSError:
        return False
    return True
