"""The template of option "preload": a process that has the application loaded and forks the workers,
which share its memory until they change it. Used by boot.py, in the template's main thread."""

import gc
import os
import threading
import time

__version__ = "@PROJECT_VERSION@"

# Seconds for threads that have done all they had to, a joined one or faulthandler's, to be gone.
ENDING = 0.3


def fork_workers(host, options, on_ready):
    """Returns True in each forked worker, with its number and descriptors in `options`; False in the
    template, when no more workers are wanted."""
    warn_of_threads(host)
    # The collector would write to every object that it looks at, and so to every page.
    gc.collect()
    gc.freeze()
    on_ready()
    given = host.fork_workers(options.pop("orders_fd"))
    if given is None:
        return False
    keys = ("worker", "memory_fd", "bell_fd", "passing_fd", "status_fd")
    options.update(zip(keys, given, strict=True))
    return True


def warn_of_threads(host):
    """A fork takes along the thread that calls it, and no other."""
    count = count_threads()
    if count == 0:
        return
    main = threading.main_thread()
    names = ", ".join(thread.name for thread in threading.enumerate() if thread is not main)
    host.log_warning(
        f"the application started {count} {'thread' if count == 1 else 'threads'}"
        f"{' (' + names + ')' if names else ''} while it loaded, which the workers do not have"
        ' (option "preload"); start them in the workers, by os.register_at_fork'
    )


def count_threads():
    """Those besides the main thread. The kernel knows a thread for an instant longer than Python
    does, so those that Python does not know get a moment to end."""
    due = time.monotonic() + ENDING
    while True:
        known = threading.active_count() - 1
        try:
            count = len(os.listdir("/proc/self/task")) - 1
        except OSError:  # no /proc
            return known
        if count <= known or time.monotonic() >= due:
            return count
        time.sleep(0.001)
