"""Answers of several kinds, for the access log to tell of."""

from gate_client import wait_at_gate
from routing import Router, answer

application = Router()


@application.validated
def waiting(_, start_response):
    wait_at_gate("waiting")
    return answer(start_response, "done")


@application.validated
def missing(_, start_response):
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("X-Kind", "odd")])
    return [b"no such thing"]


@application.validated
def endless(_, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"x" * 65536 for _ in range(1 << 16))
