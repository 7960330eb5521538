"""Starts a worker's request threads besides the main thread. Used by boot.py; loaded before the
application, which may put other functions in the place of Python's own."""

import _thread
import threading

__version__ = "@PROJECT_VERSION@"


def own_functions():
    """What a Thread starts by. gevent and eventlet put theirs there, which start a greenlet in the
    calling thread: there it would run the calling thread's requests, and none beside them."""
    names = ("_start_joinable_thread", "_start_new_thread", "get_ident")
    return [getattr(threading, name, None) for name in names]


ORIGINAL = own_functions()
start_native = _thread.start_new_thread

started = []  # those that are Threads


def start(count, run):
    """Starts threads 2 to `count`, each of which calls run(). They are Threads like those of the
    application, so that what a request starts is no daemon, and is waited for at the end."""
    for number in range(2, count + 1):
        try:
            start_one(number, run)
        except RuntimeError as error:
            raise RuntimeError(
                f"{error}; {number - 2} were started besides the main one, look at the limits of"
                " processes (ulimit -u, TasksMax=) and of memory"
            ) from None


def start_one(number, run):
    if own_functions() == ORIGINAL:
        thread = threading.Thread(target=run, name=f"request-{number}", daemon=False)
        thread.start()
        started.append(thread)
    else:
        start_native(call, (run,))


def call(run):
    """A frame of Python below the request's, as a Thread has."""
    run()
