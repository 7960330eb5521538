"""The end of a worker that gets no more requests: what the application wants done then, and what keeps
the worker from ending. Used by boot.py, in the main thread."""

import _thread
import sys
import threading
import time
import traceback

__version__ = "@PROJECT_VERSION@"

# As they are before the application may replace them.
start_native = _thread.start_new_thread
make_lock = _thread.allocate_lock

calls = []  # of pycgid.at_exit


def at_exit(function, *arguments, **named):
    """Has the function called when the worker ends in order, before its threads are waited for and
    before atexit; the one that was registered last comes first. Returns the function."""
    calls.append((function, arguments, named))
    return function


def leave(host):
    watch(host)
    while calls:
        function, arguments, named = calls.pop()
        try:
            function(*arguments, **named)
        except BaseException:  # pylint: disable=broad-except
            name = getattr(function, "__qualname__", repr(function))
            host.log_warning(f"{name} failed, which was registered by pycgid.at_exit")
            traceback.print_exc(file=sys.__stderr__)


def watch(host):
    """Returns when the thread runs: CPython 3.11 must not end while one is about to begin."""
    begun = make_lock()
    begun.acquire()
    try:
        start_native(tell_what_is_left, (host, begun))
    except RuntimeError:
        return  # Too many threads: then nothing is told.
    begun.acquire()


def tell_what_is_left(host, begun):
    """On a thread of its own, that Python does not know."""
    begun.release()
    if not host.wait_overdue():
        return
    time.sleep(0.1)  # The requests were cut just now, and what waited for them has its turn.
    left = ", ".join(describe(thread) for thread in threads_left())
    host.log_warning(
        (f"threads of the application still run, and keep the worker from ending: {left}" if left
         else f"the end of the application takes too long: {describe(threading.main_thread())}")
        + ' (option "stop-timeout"); end them by pycgid.at_exit, or make them daemons'
    )


def threads_left():
    main = threading.main_thread()
    return [each for each in threading.enumerate() if not each.daemon and each is not main]


def describe(thread):
    """'"jobs" (jobs.py:12 in work)'"""
    frame = sys._current_frames().get(thread.ident)
    if frame is None:
        return f'"{thread.name}"'
    code = frame.f_code
    return f'"{thread.name}" ({code.co_filename}:{frame.f_lineno} in {code.co_name})'
