"""What a worker's threads are given is theirs: nobody else may have to keep it."""

import sys
import weakref

import pycgid

host = sys.modules["pycgid_host"]
serve = host.serve


class Constants(dict):
    """Which can be referred to weakly."""


def again(function):
    """Another function that does the same."""
    return lambda *arguments: function(*arguments)


def serve_what_nobody_keeps(**named):
    for name in ("application", "start_threads", "leave_beside"):
        named[name] = again(named[name])
    named["constants"] = Constants(named["constants"])
    for name in ("application", "constants", "start_threads", "leave_beside"):
        pycgid.at_exit(tell, name, weakref.ref(named[name]))
    return serve(**named)


def tell(name, reference):
    print(name, "is gone" if reference() is None else "is there")


def application(environ, start_response):
    start_response("200 OK", [])
    return []


host.serve = serve_what_nobody_keeps
