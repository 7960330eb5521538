"""The end of a worker that gets no more requests: what the application wants done then, and what keeps
the worker from ending. Used by boot.py, in the main thread."""

import _thread
import atexit
import os
import sys
import threading
import time
import traceback

__version__ = "@PROJECT_VERSION@"

# As they are before the application may replace them.
start_native = _thread.start_new_thread
make_lock = _thread.allocate_lock
sleep = time.sleep

MOMENT = 0.1  # seconds

calls = []  # of pycgid.at_exit
request_threads = []  # besides the main one; set by boot.py

# Held by the thread that calls what the application wants done at the end: the main one, as long as
# it gets there. For good when atexit has begun; that may take it once more.
ending = _thread.RLock()


def at_exit(function, *arguments, **named):
    """Has the function called when the worker ends in order, before its threads are waited for and
    before atexit; the one that was registered last comes first. Returns the function."""
    calls.append((function, arguments, named))
    return function


def leave(host, cleanup_time, all_ended):
    """When no more requests come; some may be left that do not end."""
    if not all_ended:
        leave_beside(host)
    watch(host, cleanup_time)
    with ending:
        call_all(host)
    atexit.register(ending.acquire)


def leave_beside(host):
    """Ends the process beside requests that do not end: Python would wait for their threads before it
    calls what atexit has. In the main thread, or in another one when that runs such a request."""
    ending.acquire()
    text = f"requests that do not end are left behind: {left_behind()}"
    host.log_warning(text + ' (option "stop-timeout")')
    end(host)


def left_behind():
    """What runs no request is told apart: it may have been about to end."""
    of_requests = [threading.main_thread(), *request_threads]
    left = threads_left(_thread.get_ident())
    requests = describe_all(thread for thread in left if thread in of_requests)
    others = describe_all(thread for thread in left if thread not in of_requests)
    return (requests or "threads that Python does not know") + (
        f"; threads of the application that still run: {others}" if others else ""
    )


def end(host):
    try:
        call_all(host)
        atexit._run_exitfuncs()  # pylint: disable=protected-access
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            flush(stream)
    finally:
        os._exit(0)


def flush(stream):
    try:
        stream.flush()
    except Exception:  # pylint: disable=broad-except
        pass  # Whatever the application has put there.


def call_all(host):
    while calls:
        function, arguments, named = calls.pop()
        try:
            function(*arguments, **named)
        except BaseException:  # pylint: disable=broad-except
            name = getattr(function, "__qualname__", repr(function))
            host.log_warning(f"{name} failed, which was registered by pycgid.at_exit")
            traceback.print_exc(file=sys.__stderr__)


def watch(host, cleanup_time):
    """Returns when the thread runs: CPython 3.11 must not end while one is about to begin."""
    begun = make_lock()
    begun.acquire()
    try:
        start_native(see_to_the_end, (host, cleanup_time, begun))
    except RuntimeError:
        return  # Too many threads: then nothing is told.
    begun.acquire()


def see_to_the_end(host, cleanup_time, begun):
    """On a thread of its own, that Python does not know. Threads that do not end, which Python waits
    for, get half of what is left of the time that the master gives; atexit gets the rest. That time
    is twice as long when the gateway is gone, as it includes that of the requests."""
    begun.release()
    gateway_gone, ago = host.wait_overdue()
    patience = max((2 * cleanup_time if gateway_gone else cleanup_time) - ago, 0) / 2
    if not gateway_gone:
        moment = min(MOMENT, patience)
        sleep(moment)  # Its requests may have ended just now, and what waited for them has its turn.
        tell_what_is_left(host)
        patience -= moment
    sleep(patience)
    ending.acquire()
    end(host)


def tell_what_is_left(host):
    left = describe_all(threads_left(threading.main_thread().ident))
    host.log_warning(
        (f"threads of the application still run, and keep the worker from ending: {left}" if left
         else f"the end of the application takes too long: {describe(threading.main_thread())}")
        + ' (option "stop-timeout"); end them by pycgid.at_exit, or make them daemons'
    )


def threads_left(but):
    """Those that Python waits for, besides one."""
    return [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread.ident != but
    ]


def describe_all(threads):
    return ", ".join(describe(thread) for thread in threads)


def describe(thread):
    """'"jobs" (jobs.py:12 in work)'"""
    frame = sys._current_frames().get(thread.ident)
    if frame is None:
        return f'"{thread.name}"'
    code = frame.f_code
    return f'"{thread.name}" ({code.co_filename}:{frame.f_lineno} in {code.co_name})'
