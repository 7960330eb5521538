"""Tells of an application that has replaced Python's threads by greenlets, those of gevent or
eventlet: what is meant for servers of their own does other things here. Used by boot.py when the
application is loaded."""

import sys

__version__ = "@PROJECT_VERSION@"


def warning(threads):
    """One line for the administrator, or None."""
    library = patching_library()
    if library is None:
        return None
    text = (
        f"{library} has patched the application's threads: those that it starts run only while a"
        " request waits, and stand still between requests"
    )
    if threads > 1:
        text += (
            f"; with {threads} threads, its locks can keep requests waiting for ever"
            ' (option "threads"); use threads = 1 and more processes, or do not patch'
        )
    return text


def patching_library():
    if asks(sys.modules.get("gevent.monkey"), "is_module_patched", "threading"):
        return "gevent"
    if asks(sys.modules.get("eventlet.patcher"), "is_monkey_patched", "thread"):
        return "eventlet"
    return None


def asks(module, question, name):
    try:
        return module is not None and getattr(module, question)(name)
    except Exception:  # Another version of it, or half imported.
        return False
