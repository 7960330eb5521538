"""contrib/completion, in a real bash on a terminal of its own."""

import os
import pty
import re
import select
import subprocess
import time

import pytest
from harness import ctl, daemon

COMPLETION = os.path.join(os.path.dirname(__file__), "../../contrib/completion")


class Shell:
    """A bash that has loaded the completion of a program."""

    def __init__(self, program, directory):
        self.directory = directory
        self._result = directory / "result"
        self._terminal, tty = pty.openpty()
        path = os.path.dirname(os.path.abspath(program))
        environment = daemon.environment(TERM="dumb", INPUTRC="/dev/null", PS1="", HOME=str(directory))
        environment["PATH"] = f"{path}:{environment['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            env=environment,
            cwd=directory,
            stdin=tty,
            stdout=tty,
            stderr=tty,
            start_new_session=True,
        )
        os.close(tty)
        script = os.path.abspath(os.path.join(COMPLETION, os.path.basename(program)))
        self._type(f"bind 'set bell-style none'; . {script}; echo DO''NE\n")

    def complete(self, line):
        """All that the last word of the line can become, inserted by readline."""
        # M-* inserts all completions, C-a and C-e go to the ends of the line.
        self._type(f"{line}\x1b*\x01printf '%s' \"\x05\" >result; echo DO''NE\n")
        text = self._result.read_text()
        start = line[: line.rfind(" ") + 1]
        assert text.startswith(start)
        return text[len(start) :].split()

    def _type(self, text):
        os.write(self._terminal, text.encode())
        shown, limit = b"", time.monotonic() + 30
        while not re.search(rb"(^|\n)DONE\r?\n", shown):
            ready = select.select([self._terminal], [], [], limit - time.monotonic())[0]
            assert ready, shown
            shown += os.read(self._terminal, 65536)

    def close(self):
        os.close(self._terminal)
        self._process.kill()
        self._process.wait()


@pytest.fixture
def shell(tmp_path):
    shells = []

    def start(program):
        shells.append(Shell(program, tmp_path))
        return shells[-1]

    yield start
    for started in shells:
        started.close()


def test_options_of_pycgid(shell):
    bash = shell(daemon.PROGRAM)
    assert bash.complete("pycgid --proc") == ["--processes"]
    assert bash.complete("pycgid --threads 2 --max-r") == [
        "--max-requests",
        "--max-requests-jitter",
        "--max-rss",
    ]
    assert bash.complete("pycgid --contr") == ["--control"]
    assert "-t" in bash.complete("pycgid -")


def test_values_of_pycgid(shell, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "blog.wsgi").write_text("")
    (tmp_path / "blog.txt").write_text("")
    bash = shell(daemon.PROGRAM)
    assert bash.complete("pycgid --log-level w") == ["warning"]
    assert bash.complete("pycgid --log-level=w") == ["--log-level=warning"]
    assert bash.complete("pycgid --chdir s") == ["site"]
    assert bash.complete("pycgid --user roo") == ["root"]
    assert bash.complete("pycgid --config blog.t") == ["blog.txt"]
    assert bash.complete("pycgid --threads 2 b") == ["blog.wsgi"]


def test_commands_and_options_of_pycgidctl(shell):
    bash = shell(ctl.PROGRAM)
    assert bash.complete("pycgidctl sta") == ["status"]
    assert bash.complete("pycgidctl re") == ["reload", "reopen-logs"]
    assert bash.complete("pycgidctl --control x st") == ["status", "stop"]
    assert bash.complete("pycgidctl status --o") == ["--openmetrics"]


def test_pools_of_the_running_daemon(shell, start):
    control = start("mirror", "--control", "{directory}/control").path("control")
    bash = shell(ctl.PROGRAM)
    assert bash.complete(f"pycgidctl --control {control} reload m") == ["mirror"]
