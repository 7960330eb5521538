"""pycgidctl, run as an administrator would run it."""

import os
import subprocess

from . import daemon

PROGRAM = os.path.join(os.path.dirname(daemon.PROGRAM), "pycgidctl")


def command(*arguments, control=None):
    """The words of a command to the daemon that listens at `control`."""
    return [PROGRAM, *(["--control", control] if control else []), *arguments]


def run(*arguments, control=None, deadline=30, **more):
    """Runs a command to its end; returns the completed process."""
    return subprocess.run(
        command(*arguments, control=control),
        env=daemon.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline,
        check=False,
        **more,
    )


def begin(*arguments, control):
    """Starts a command whose end is not waited for."""
    return subprocess.Popen(
        command(*arguments, control=control),
        env=daemon.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process, deadline=30):
    """Waits for the end of a command that was begun: exit status, output, complaints."""
    out, err = process.communicate(timeout=deadline)
    return process.returncode, out, err
