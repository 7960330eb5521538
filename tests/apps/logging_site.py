"""An application that configures logging as Django and dictConfig have it, and writes to its
descriptors without asking Python."""

import faulthandler
import json
import logging
import logging.config
import os
import sys

from routing import Router, answer

logging.config.dictConfig(
    {
        "version": 1,
        "formatters": {"short": {"format": "%(name)s: %(message)s"}},
        "handlers": {"pycgid": {"class": "pycgid.LogHandler", "formatter": "short"}},
        "root": {"handlers": ["pycgid"], "level": "DEBUG"},
    }
)
log = logging.getLogger("shop")
faulthandler.enable()
application = Router()


@application.validated
def levels(_, start_response):
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("said at %s", level)
    return answer(start_response, "said")


@application.validated
def failure(_, start_response):
    try:
        raise LookupError("caught")
    except LookupError:
        log.exception("it failed\x1b[2J")
    return answer(start_response, "logged")


@application.validated
def unfinished(_, start_response):
    """A raw write without an end, before a line with a level."""
    os.write(1, b"progress 50%")
    log.error("after the progress")
    return answer(start_response, "written")


@application.validated
def forged(_, start_response):
    os.write(2, b"\x01E1234-5\x01forged\nE\x04abcdforged as well\n")
    return answer(start_response, "written")


@application.validated
def raw(_, start_response):
    os.write(2, b"caf\xe9 \xc3\xa9 " + b"\\x1b \x1b end\n")
    return answer(start_response, "written")


@application.validated
def structured(_, start_response):
    print(json.dumps({"begin": 1, "text": "x\\y\n" * 5000, "end": 2}))
    return answer(start_response, "printed")


@application.validated
def long(_, start_response):
    print("p" * 70000)
    os.write(2, b"w" * 70000 + b"\n")
    return answer(start_response, "long")


@application.validated
def crash(_, start_response):
    print("printed before the crash")
    sys.stdout.write("unfinished before the crash")
    os.write(2, b"raw before the crash")
    sys.stdout.flush()
    os.write(2, b"\n")
    os.abort()  # which sanitizers leave to faulthandler
    return answer(start_response, "not reached")
