"""Option "on-start": a shell command that each worker runs before it loads the application or, with
option "preload", once it is forked. Used by boot.py, in the main thread."""

import os
import signal

# As they are before the application may replace them.
from time import monotonic, sleep

__version__ = "@PROJECT_VERSION@"

SHELL = "/bin/sh"
# What the master alone obeys, the workers ignore, and Python itself.
SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGXFSZ")
SHORTEST_NAP, LONGEST_NAP = 0.001, 0.02

spawn, wait = os.posix_spawn, os.waitpid


class Failed(Exception):
    """Why the worker does not start."""


def run(command, pool, worker, patience):
    """Returns when the command has ended well. `patience`, in seconds, may be None."""
    ours = {"PYCGID_POOL": pool, "PYCGID_WORKER": str(worker), "PYCGID_PID": str(os.getpid())}
    try:
        child = spawn(
            SHELL,
            ["sh", "-c", command],
            {**os.environ, **ours},
            setsigmask=(),
            setsigdef=[getattr(signal, name) for name in SIGNALS],
        )
    except OSError as error:
        raise Failed(f'cannot run {SHELL}: {error.strerror} (option "on-start")') from None
    status = wait_for(child, patience)
    if status is None:
        raise Failed(
            'the command of option "on-start" did not end in time (option "start-timeout")'
        )
    if status > 0:
        raise Failed(f'the command that starts a worker ended with status {status}'
                     ' (option "on-start")')
    if status < 0:
        raise Failed(f'the command that starts a worker was killed by signal {-status}'
                     ' (option "on-start")')


def wait_for(child, patience):
    """The exit status, -N for signal N, None when patience is at its end: then it was killed. What
    it has started is killed with the worker's session."""
    end = None if patience is None else monotonic() + patience
    nap = SHORTEST_NAP
    while True:
        pid, status = wait(child, os.WNOHANG)
        if pid == child:
            return os.waitstatus_to_exitcode(status)
        if end is not None and monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            wait(child, 0)
            return None
        sleep(nap)
        nap = min(2 * nap, LONGEST_NAP)
